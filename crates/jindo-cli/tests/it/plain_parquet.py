"""Prints the rows of the Parquet files that the pattern names, as DuckDB and as pandas read them: metric, tags, Unix seconds, and
the bits of the value, sorted."""

import json
import struct
import sys

import duckdb
import pandas

folder = sys.argv[1]
columns = ["query", "metric", "tags", "ts", "value", "interval_s"]


def printable(frame):
    assert list(frame.columns) == columns, list(frame.columns)
    seconds = frame["ts"].astype("datetime64[ms, UTC]").astype("int64") // 1000
    rows = zip(frame["metric"], frame["tags"], seconds, frame["value"])
    return sorted([metric, tags, int(at), struct.pack(">d", value).hex()] for metric, tags, at, value in rows)


duck = duckdb.sql(f"SET TimeZone = 'UTC'; SELECT * FROM '{folder}/**/*.parquet'").df()
print(json.dumps({"duckdb": printable(duck), "pandas": printable(pandas.read_parquet(folder))}))
