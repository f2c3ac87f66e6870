//! Calls for the types of metrics with `.as_count()` or `.as_rate()`: one each, made before the list is read for good.

use super::list_types::{TypeChange, TypeOrigin};
use super::planned::ExportPlan;
use super::ports::{Caller, ExportEvent};
use super::run::ExportRun;
use crate::archive::{self, Coverage, KnownType, Remembered, Role};
use crate::fetch::{End, LookupFailure};
use crate::job::error::Error;
use crate::query::{MetricType, MetricTypes, SubmissionInterval};
use crate::request::ApiCall;

/// Asks for the types that the plan lacks, keeps them, and reads the list by them. Returns the end of the calls where the run ended
/// before. A crash keeps what was answered.
pub(super) fn ask_types<C: Caller>(
    run: &mut ExportRun<'_, C>,
    plan: &mut ExportPlan,
) -> Result<End, C::Error> {
    let metrics = plan.types_to_ask();
    if metrics.is_empty() {
        return Ok(End::Done);
    }
    run.events.happened(ExportEvent::Typing { metrics: metrics.len() });
    let (archive, request) = (run.files.archive, run.request);
    let calls: Vec<_> =
        metrics.iter().map(|metric| ApiCall::Metadata { metric: metric.clone() }).collect();
    let mut types = plan.request.types.clone();
    let mut changes = Vec::new();
    let found_at = run.caller.present();
    let end = run.look_up(&calls, &mut |index, outcome| {
        let metric = metrics[index].clone();
        types.doubtful.remove(&metric);
        match metric_type(outcome) {
            Ok(of) => {
                let now = of;
                let (used, origin) = match types.assumed.remove(&metric) {
                    Some(assumed) => (Some(assumed), TypeOrigin::Assumption),
                    None => (types.known.get(&metric).copied(), TypeOrigin::Metadata),
                };
                let used = used.filter(|&used| used != MetricType::Absent);
                if let Some(used) = used.filter(|&used| used != now) {
                    changes.push(TypeChange { metric: metric.clone(), used, origin, now });
                }
                let of = used.filter(|_| origin == TypeOrigin::Metadata).unwrap_or(now);
                types.known.insert(metric.clone(), of);
                archive.ledger().keep_type(&KnownType { metric, of, found_at })?;
            }
            // What an earlier run was told still holds.
            Err(_) if types.known.contains_key(&metric) && !types.assumed.contains_key(&metric) => {
            }
            Err(why) => match request.assumed_type {
                Some(assumed) => {
                    types.known.insert(metric.clone(), assumed);
                    types.assumed.insert(metric, assumed);
                }
                None => drop(types.denied.insert(metric, why)),
            },
        }
        Ok(())
    })?;
    if types.assumed != plan.request.types.assumed {
        archive.keep_assumed_types(&types.assumed).map_err(Error::from)?;
    }
    run.events.happened(ExportEvent::Typed { changes: &changes });
    plan.request = plan.request.clone().with_types(request, types);
    Ok(end)
}

/// Lets go of sums of gauges that an earlier version fetched for `.as_count()` and `.as_rate()`: those are no numbers of the gauge. A
/// crash before the end leaves them to the next run.
pub(super) fn let_go_of_sums<C: Caller>(
    run: &mut ExportRun<'_, C>,
    types: &MetricTypes,
) -> Result<(), Error> {
    let archive = run.files.archive;
    let (mut summed, mut rows) = (Vec::new(), 0);
    for (id, Remembered { text, role, .. }) in archive.ledger().remembered()? {
        if role != Role::Wanted || text.alone || !text.sent.sums_gauges(types) {
            continue;
        }
        let held = archive.ledger().coverage(id)?;
        for Coverage { window, object, .. } in &held {
            let (start_ms, end_ms) = (window.start_s() * 1_000, window.end_s() * 1_000);
            archive.rows::<archive::Error>(*object, id, &mut |chunk| {
                let within = |ts_ms: &&i64| (start_ms..end_ms).contains(*ts_ms);
                rows += chunk.ts_ms.iter().filter(within).count() as u64;
                Ok(())
            })?;
        }
        summed.extend((!held.is_empty()).then_some(id));
    }
    if !summed.is_empty() {
        archive.forget_coverage(&summed)?;
        run.events.happened(ExportEvent::Unsummed { rows });
    }
    Ok(())
}

/// Reads the type from a metric's metadata; otherwise returns why there is none.
fn metric_type(outcome: Result<Vec<u8>, LookupFailure>) -> Result<MetricType, String> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        #[serde(rename = "type")]
        of: Option<String>,
        statsd_interval: Option<f64>,
    }
    let body = match outcome {
        Ok(body) => body,
        Err(LookupFailure::Absent) => return Ok(MetricType::Absent),
        Err(LookupFailure::Forbidden { words } | LookupFailure::Failed { words }) => {
            return Err(words);
        }
    };
    let Ok(Metadata { of: Some(of), statsd_interval }) = serde_json::from_slice(&body) else {
        return Err("its metadata names none".to_owned());
    };
    let interval = match statsd_interval {
        Some(interval_s) if interval_s > 0.0 => SubmissionInterval::Known,
        Some(_) | None => SubmissionInterval::Unknown,
    };
    MetricType::of_metadata(&of, interval).ok_or_else(|| {
        "its metadata names another than gauge, count, rate and distribution".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_from_metadata_or_the_reason_why_there_is_none() {
        let of = |body: &str| metric_type(Ok(body.as_bytes().to_vec()));
        assert_eq!(of(r#"{"type":"gauge","statsd_interval":null}"#), Ok(MetricType::Gauge));
        assert_eq!(of(r#"{"type":"count"}"#), Ok(MetricType::Count));
        assert_eq!(of(r#"{"type":"rate","statsd_interval":10}"#), Ok(MetricType::Rate));
        assert_eq!(
            of(r#"{"type":"rate","statsd_interval":0}"#),
            Ok(MetricType::RateWithoutInterval)
        );
        assert_eq!(of(r#"{"type":"distribution","unit":"x"}"#), Ok(MetricType::Distribution));
        for body in [r#"{"type":null}"#, "{}", "<html>", r#"{"valid":true}"#, r#"{"type":"set"}"#] {
            of(body).unwrap_err();
        }
        assert_eq!(metric_type(Err(LookupFailure::Absent)), Ok(MetricType::Absent));
        let words = "Forbidden (status 403)".to_owned();
        assert_eq!(metric_type(Err(LookupFailure::Forbidden { words: words.clone() })), Err(words));
    }
}
