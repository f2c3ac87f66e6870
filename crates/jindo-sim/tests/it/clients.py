"""Asks a running simulator through Datadog's official clients; prints one JSON object for the test to judge."""

import json
import struct
import sys

from datadog import api, initialize
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v1.api.metrics_api import MetricsApi
from datadog_api_client.v2.api.metrics_api import MetricsApi as MetricsApiV2
from datadog_api_client.v2.model.metrics_data_source import MetricsDataSource
from datadog_api_client.v2.model.metrics_timeseries_query import MetricsTimeseriesQuery
from datadog_api_client.v2.model.timeseries_formula_query_request import TimeseriesFormulaQueryRequest
from datadog_api_client.v2.model.timeseries_formula_request import TimeseriesFormulaRequest
from datadog_api_client.v2.model.timeseries_formula_request_attributes import TimeseriesFormulaRequestAttributes
from datadog_api_client.v2.model.timeseries_formula_request_queries import TimeseriesFormulaRequestQueries
from datadog_api_client.v2.model.timeseries_formula_request_type import TimeseriesFormulaRequestType

url, start, end, query = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def bits(value):
    return None if value is None else struct.pack(">d", float(value)).hex()


def row(index, tags, points):
    kept = [[int(t) // 1000, bits(v)] for t, v in points if v is not None]
    return [index, list(tags), kept]


def classic():
    initialize(api_key="sim-api-key", app_key="sim-app-key", api_host=url, mute=False)
    answer = api.Metric.query(start=start, end=end, query=query)
    assert answer["status"] == "ok", answer
    assert "aws.cloudfront.requests" in api.Metric.list(start)["metrics"]
    return [row(s["query_index"], s["tag_set"], s["pointlist"]) for s in answer["series"]]


def generated():
    configuration = Configuration(host=url)
    configuration.api_key["apiKeyAuth"] = "sim-api-key"
    configuration.api_key["appKeyAuth"] = "sim-app-key"
    with ApiClient(configuration) as client:
        assert AuthenticationApi(client).validate().valid
        answer = MetricsApi(client).query_metrics(_from=start, to=end, query=query)
        assert answer.status == "ok", answer
        v1 = [row(s.query_index, s.tag_set, [p.value for p in s.pointlist]) for s in answer.series]
        first = query.split(",avg:")[0]
        body = TimeseriesFormulaQueryRequest(
            data=TimeseriesFormulaRequest(
                type=TimeseriesFormulaRequestType.TIMESERIES_REQUEST,
                attributes=TimeseriesFormulaRequestAttributes(
                    _from=start * 1000,
                    to=end * 1000,
                    interval=60000,
                    queries=TimeseriesFormulaRequestQueries(
                        [MetricsTimeseriesQuery(data_source=MetricsDataSource.METRICS, query=first, name="a")]
                    ),
                ),
            )
        )
        columns = MetricsApiV2(client).query_timeseries_data(body=body).data.attributes
        times = columns.times.value
        values = [column.value for column in columns.values.value]
        v2 = [
            row(s.query_index, s.group_tags.value, zip(times, column))
            for s, column in zip(columns.series.value, values)
        ]
        names = [m.id for m in MetricsApiV2(client).list_tag_configurations_with_pagination(page_size=200)]
        return v1, v2, len(names)


v1, v2, names = generated()
json.dump({"classic": classic(), "v1": v1, "v2": v2, "names": names}, sys.stdout)
