//! Names and units are kept as served, whatever shape an odd field has.

use super::*;
use crate::secret::Secret;

const POINTS: &str = r#""interval":60,"pointlist":[[1640995200000,1.0]]"#;

fn read(series: &[String], secrets: &Secrets) -> Answer {
    let body = format!(r#"{{"status":"ok","series":[{}]}}"#, series.join(","));
    crate::parse::answer(body.as_bytes(), &expected(1, 60), secrets).unwrap()
}

/// As recorded for a grouped query.
fn recorded(host: &str) -> String {
    format!(
        r#"{{"metric":"system.net.bytes_rcvd","display_name":"system.net.bytes_rcvd","aggr":"avg","scope":"env:prod,host:{host}",
            "expression":"avg:system.net.bytes_rcvd{{env:prod,host:{host}}}","tag_set":["host:{host}"],"query_index":0,
            "unit":[{{"family":"bytes","scale_factor":1.0,"name":"byte","short_name":"B","plural":"bytes","id":2}},
                    {{"family":"time","scale_factor":1.0,"name":"second","short_name":null,"plural":"seconds","id":11}}],{POINTS}}}"#
    )
}

#[test]
fn the_groups_of_a_query_share_what_was_said_of_them() {
    let answer = read(&["a", "b"].map(recorded), &Secrets::default());
    let [a, b] = &answer.series[..] else { panic!("{answer:?}") };
    assert!(Arc::ptr_eq(&a.metadata, &b.metadata));
    let expected = expect![[
        r#"{"scope":["env:prod,",0],"expression":["avg:system.net.bytes_rcvd{env:prod,",0,"}"],"aggr":"avg","display_name":"system.net.bytes_rcvd","unit":[{"id":2,"family":"bytes","name":"byte","plural":"bytes","short_name":"B","scale_factor":1.0},{"id":11,"family":"time","name":"second","plural":"seconds","scale_factor":1.0}]}"#
    ]];
    expected.assert_eq(&serde_json::to_string(&*a.metadata).unwrap());
    assert_eq!(a.unit.as_deref(), Some("byte/second"));
    let in_full = |template: &Option<TagTemplate>| template.as_ref().unwrap().in_full(&b.tags);
    assert_eq!(in_full(&b.metadata.scope).as_deref(), Some("env:prod,host:b"));
}

#[test]
fn what_is_left_out_or_odd_is_none_and_costs_no_points() {
    let long = "x".repeat(20_000);
    for odd in ["null", "7", "[]", r#"{"a":[1]}"#, "true", &format!("\"{long}\"")] {
        let series = format!(
            r#"{{"metric":"m","tag_set":[],"aggr":{odd},"expression":{odd},"display_name":{odd},"unit":[{{"name":"byte","family":{odd},"plural":{odd},"short_name":{odd},"id":{},"scale_factor":{}}}],{POINTS}}}"#,
            odd.replace('7', "[]"),
            odd.replace('7', "null"),
        );
        let answer = read(&[series], &Secrets::default());
        let metadata = &answer.series[0].metadata;
        let unit = metadata.unit[0].as_ref().unwrap();
        assert_eq!(
            unit,
            &ServedUnit { name: Some("byte".into()), ..ServedUnit::default() },
            "{odd}"
        );
        assert_eq!(
            (&metadata.expression, &metadata.aggr, &metadata.display_name),
            (&None, &None, &None)
        );
        assert_eq!(answer.series[0].unit.as_deref(), Some("byte"));
    }
    let bare = format!(r#"{{"metric":"m","tag_set":[],{POINTS}}}"#);
    assert_eq!(*read(&[bare], &Secrets::default()).series[0].metadata, SeriesMetadata::default());
}

#[test]
fn a_key_is_hidden_in_all_of_it() {
    let key = "0123456789abcdef0123456789abcdef";
    let secrets = Secrets::new([Secret::new(key)]);
    let answer = read(&[recorded(key).replace("bytes", key)], &secrets);
    let kept = serde_json::to_string(&*answer.series[0].metadata).unwrap();
    assert!(!kept.contains(key) && kept.matches("[secret]").count() == 4, "{kept}");
}
