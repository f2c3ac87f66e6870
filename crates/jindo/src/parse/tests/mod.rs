//! What `parse` accepts, refuses and says, by example.

mod generated;
mod held;
mod metadata;
mod secrets;

use super::*;
use expect_test::{Expect, expect};

/// Reads an answer without secrets.
fn answer(body: &[u8], expected: &Expected) -> Result<Answer, Error> {
    crate::parse::answer(body, expected, &Secrets::default())
}

const DAY: i64 = 1_640_995_200;

fn expected(queries: usize, interval_s: u32) -> Expected {
    Expected {
        queries,
        window: Window::from_secs(DAY, DAY + 600).unwrap(),
        interval: Interval::from_secs(interval_s).unwrap(),
    }
}

/// `@N` in a body stands for the start of the window plus N seconds, in milliseconds.
fn stamped(body: &str) -> String {
    let mut parts = body.split('@');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let offset: i64 = part[..digits].parse().unwrap();
        text.extend([&((DAY + offset) * 1_000).to_string(), &part[digits..]]);
    }
    text
}

fn told(found: Result<Answer, Error>) -> String {
    let answer = match found {
        Ok(answer) => answer,
        Err(error) => return format!("{error:?}\n"),
    };
    let told = answer.series.iter().flat_map(|of| {
        let head = format!("    {} {} {:?} {:?}", of.query, of.metric, of.tags, of.unit);
        let points = of.ts_ms.iter().zip(&of.values);
        let points = points.map(|(ts_ms, value)| format!(" {}={value:?}", ts_ms / 1_000 - DAY));
        [head].into_iter().chain(points).chain(["\n".to_owned()])
    });
    [format!("{} series\n", answer.series.len())].into_iter().chain(told).collect()
}

/// What is found in each input, in their order.
fn check<T: AsRef<str>, const N: usize>(
    inputs: [T; N],
    queries: usize,
    whole: impl Fn(&str) -> String,
    expect: &Expect,
) {
    let found = inputs.map(|input| {
        let body = stamped(&whole(input.as_ref()));
        let answer = answer(body.as_bytes(), &expected(queries, 60));
        format!("- {}", told(answer))
    });
    expect.assert_eq(&found.concat());
}

/// Whole bodies, of a call of one query at 60 s.
fn body<T: AsRef<str>, const N: usize>(bodies: [T; N], expect: &Expect) {
    check(bodies, 1, str::to_owned, expect);
}

/// Lists of series, of a call of three queries at 60 s.
fn series<T: AsRef<str>, const N: usize>(lists: [T; N], expect: &Expect) {
    check(lists, 3, |list| format!(r#"{{"status":"ok","series":[{list}]}}"#), expect);
}

/// Lists of points, of the only series of a call of one query at 60 s.
fn points<T: AsRef<str>, const N: usize>(lists: [T; N], expect: &Expect) {
    let whole = |list: &str| {
        format!(
            r#"{{"status":"ok","series":[{{"metric":"m","interval":60,"tag_set":[],"pointlist":[{list}]}}]}}"#
        )
    };
    check(lists, 1, whole, expect);
}

#[test]
fn an_answer_as_the_server_writes_it() {
    body(
        [r#"{"status":"ok","resp_version":1,"res_type":"time_series","query":"q","from_date":@0,
        "to_date":@600,"series":[{"metric":"cpu","display_name":"cpu","aggr":null,"scope":"host:a","expression":"avg:cpu{host:a}",
        "interval":60,"length":2,"start":@0,"end":@119,"pointlist":[[@0,91.4583840476142],[@60,null],[@120,0.0]],
        "tag_set":["host:a"],"query_index":0,"attributes":{},
        "unit":[{"family":"percentage","scale_factor":1.0,"name":"percent","short_name":"%","plural":"percent","id":17},null]}],
        "group_by":["host"],"message":"","values":[],"times":[]}"#],
        &expect![[r#"
            - 1 series
                0 cpu ["host:a"] Some("percent") 0=91.4583840476142 120=0.0
        "#]],
    );
}

#[test]
fn bodies_that_are_not_whole() {
    body(
        [
            "",
            " \n",
            "<html><body><h1>502 Bad Gateway</h1>",
            r#"{"status":"ok","series":[{"metric":"m","interval":60,"po"#,
            r#"{"status":"ok","series":[]}{"status":"ok"}"#,
            "{\n  \"status\": nope}",
        ],
        &expect![[r#"
            - Garbled { what: "the body is empty", at: 0 }
            - Garbled { what: "the body is empty", at: 2 }
            - Page
            - Garbled { what: "it ends in the middle", at: 56 }
            - Garbled { what: "it goes on after its end", at: 27 }
            - Garbled { what: "it is no JSON", at: 14 }
        "#]],
    );
    points(
        ["[@0,NaN]", "[@0,Infinity]", "[@0,1e400]"],
        &expect![[r#"
            - Garbled { what: "it is no JSON", at: 94 }
            - Garbled { what: "it is no JSON", at: 94 }
            - Garbled { what: "a number beyond all floats", at: 99 }
        "#]],
    );
}

#[test]
fn refusals_in_the_servers_words() {
    body(
        [
            r#"{"status":"error","res_type":"time_series","series":[],"error":"Invalid query input:\n","group_by":[]}"#,
            r#"{"errors":["Query timed out", "second"]}"#,
            r#"{"status":"ok","series":[],"error":"half of it"}"#,
            r#"{"status":"error","series":null}"#,
            r#"{"status":"ok","series":[],"error":"","errors":null}"#,
        ],
        &expect![[r#"
            - Refused { message: "Invalid query input:" }
            - Refused { message: "Query timed out; second" }
            - Refused { message: "half of it" }
            - Refused { message: "status `error` without a reason" }
            - 0 series
        "#]],
    );
}

#[test]
fn an_answer_must_say_that_it_is_one() {
    body(
        [
            "{}",
            r#"{"series":[]}"#,
            r#"{"status":"ok"}"#,
            "[]",
            r#"{"status":"ok","series":{}}"#,
            r#"{"status":"ok","status":"ok","series":[]}"#,
        ],
        &expect![[r#"
            - Inconsistent { what: "it has no `status`" }
            - Inconsistent { what: "it has no `status`" }
            - Inconsistent { what: "it has no `series`" }
            - Inconsistent { what: "an object is missing (byte 0)" }
            - Inconsistent { what: "a list of series is missing (byte 24)" }
            - Inconsistent { what: "`status` is there twice (byte 24)" }
        "#]],
    );
}

#[test]
fn points_are_clipped_sorted_and_kept_to_the_bit() {
    points(
        [
            "[@600,9],[@0,1],[@540.0,5e-324]",
            "[@60,-0.0],[@0,-0],[@120,1e300],[@180,1E+2]",
            "[@0,52.266434812304276],[@60,12345678901234567890]",
            "[@0,1],[@0,1.0],[@60,null],[@60,2]",
            "",
        ],
        &expect![[r#"
            - 1 series
                0 m [] None 0=1.0 540=5e-324
            - 1 series
                0 m [] None 0=-0.0 60=-0.0 120=1e300 180=100.0
            - 1 series
                0 m [] None 0=52.266434812304276 60=1.2345678901234567e19
            - 1 series
                0 m [] None 0=1.0 60=2.0
            - 1 series
                0 m [] None
        "#]],
    );
}

#[test]
fn points_that_contradict() {
    points(
        [
            "[@0,1],[@0,2]",
            "[@0,0.0],[@0,-0.0]",
            "[@30,1]",
            "[@630,null]",
            "[@0.5,1]",
            "[1e300,1]",
            "[18446744073709551615,1]",
            "[@0]",
            "[@0,1,2]",
            r#"[@0,"1"]"#,
            "[null,1]",
            "null",
        ],
        &expect![[r#"
            - Inconsistent { what: "two values at 1640995200000 in m{}" }
            - Inconsistent { what: "two values at 1640995200000 in m{}" }
            - Inconsistent { what: "time 1640995230000 is no multiple of 60 s in m{}" }
            - Inconsistent { what: "time 1640995830000 is no multiple of 60 s in m{}" }
            - Inconsistent { what: "1640995200000.5 is no time in milliseconds (byte 95)" }
            - Inconsistent { what: "1e300 is no time in milliseconds (byte 85)" }
            - Inconsistent { what: "18446744073709551615 is no time in milliseconds (byte 100)" }
            - Inconsistent { what: "the value of a point is missing (byte 93)" }
            - Inconsistent { what: "the end of a point is missing (byte 95)" }
            - Inconsistent { what: "the value of a point is missing (byte 94)" }
            - Inconsistent { what: "the time of a point is missing (byte 80)" }
            - Inconsistent { what: "a point is missing (byte 79)" }
        "#]],
    );
}

#[test]
fn the_interval_is_what_was_asked() {
    let at = |interval: &str| {
        format!(
            r#"{{"metric":"m","query_index":1,"tag_set":[],"pointlist":[],"interval":{interval}}}"#
        )
    };
    series(
        [&at("60.0"), &at("20"), &at("60.5"), &at("0"), &at("60000000000"), &at("null")],
        &expect![[r#"
            - 1 series
                1 m [] None
            - Interval { asked: Interval(60), others: [Other { query: 1, got: Interval(20) }], others_fine: false }
            - Inconsistent { what: "an interval of 60.5 s" }
            - Inconsistent { what: "an interval of 0 s" }
            - Inconsistent { what: "an interval of 60000000000 s" }
            - Inconsistent { what: "null stands where another value is expected (byte 94)" }
        "#]],
    );
    let coarse = at("300").replace("\"query_index\":1", "\"query_index\":2");
    series(
        [[at("120"), coarse, at("20")].join(",")],
        &expect![[r#"
            - Interval { asked: Interval(60), others: [Other { query: 1, got: Interval(120) }, Other { query: 2, got: Interval(300) }], others_fine: false }
        "#]],
    );
}

#[test]
fn every_series_belongs_to_a_query() {
    let of = |index: &str| {
        format!(r#"{{"metric":"m","interval":60,"tag_set":[],"pointlist":[]{index}}}"#)
    };
    series(
        [
            &of(r#","query_index":2.0"#),
            &of(r#","query_index":3"#),
            &of(r#","query_index":-1"#),
            &of(""),
            &of(r#","query_index":null"#),
        ],
        &expect![[r#"
            - 1 series
                2 m [] None
            - Inconsistent { what: "`query_index` 3 was not asked" }
            - Inconsistent { what: "`query_index` -1 was not asked" }
            - Inconsistent { what: "a series of m has no `query_index`" }
            - Inconsistent { what: "a series of m has no `query_index`" }
        "#]],
    );
}

#[test]
fn the_same_series_twice() {
    let of = |value: &str| {
        format!(
            r#"{{"query_index":0,"metric":"m","interval":60,"tag_set":["a:1"],"pointlist":[[@0,{value}]]}}"#
        )
    };
    series(
        [
            &[of("1"), of("1.0")].join(","),
            &[of("1"), of("2")].join(","),
            &[of("0.0"), of("-0.0")].join(","),
        ],
        &expect![[r#"
            - 1 series
                0 m ["a:1"] None 0=1.0
            - Inconsistent { what: "two different m{a:1}" }
            - Inconsistent { what: "two different m{a:1}" }
        "#]],
    );
}

#[test]
fn groups_come_from_the_tag_set() {
    let of = |fields: &str| {
        format!(r#"{{"query_index":0,"metric":"m","interval":60,"pointlist":[]{fields}}}"#)
    };
    series(
        [
            &of(r#","tag_set":["z:1","a:2","z:1"],"scope":"*""#),
            &of(r#","scope":"*""#),
            &of(r#","scope":"host:a""#),
            &of(r#","tag_set":null"#),
            &of(r#","tag_set":[""]"#),
            &of(r#","tag_set":"host:a""#),
        ],
        &expect![[r#"
            - 1 series
                0 m ["a:2", "z:1"] None
            - 1 series
                0 m [] None
            - Inconsistent { what: "no `tag_set` of a group of m" }
            - Inconsistent { what: "no `tag_set` of a group of m" }
            - Inconsistent { what: "an empty tag in m{}" }
            - Inconsistent { what: "a list of tags is missing (byte 94)" }
        "#]],
    );
    let of_2020 = |group_by: &str| {
        format!(
            r#"{{"status":"ok","series":[{{"metric":"m","interval":60,"scope":"host:a","pointlist":[]}}]{group_by}}}"#
        )
    };
    body(
        [&of_2020(r#","group_by":[]"#), &of_2020(r#","group_by":["host"]"#), &of_2020("")],
        &expect![[r#"
            - 1 series
                0 m [] None
            - Inconsistent { what: "no `tag_set` of a group of m" }
            - Inconsistent { what: "no `tag_set` of a group of m" }
        "#]],
    );
}

#[test]
fn units() {
    let of = |unit: &str| {
        format!(
            r#"{{"unit":{unit},"query_index":0,"metric":"m","interval":60,"tag_set":[],"pointlist":[]}}"#
        )
    };
    series(
        [
            &of("null"),
            &of("[null,null]"),
            &of(r#"[{"name":"byte","short_name":null},{"name":"second"}]"#),
            &of(r#"[null,{"name":"second"}]"#),
            &of(r#"[{"name":"byte"}]"#),
            &of(r#"[{"id":1},null]"#),
        ],
        &expect![[r#"
            - 1 series
                0 m [] None
            - 1 series
                0 m [] None
            - 1 series
                0 m [] Some("byte/second")
            - 1 series
                0 m [] Some("/second")
            - 1 series
                0 m [] Some("byte")
            - 1 series
                0 m [] None
        "#]],
    );
}

/// Another exporter: `if not data_point` made 0.0 a blank, and a null was dereferenced.
#[test]
fn regression_zero_is_a_value_and_null_is_none() {
    points(
        ["[@0,0.0],[@60,0],[@120,null]"],
        &expect![[r#"
        - 1 series
            0 m [] None 0=0.0 60=0.0
    "#]],
    );
}

/// Another exporter: only `series[0]` was read, the first series' clock was used for all, and the order of series was trusted.
#[test]
fn regression_every_series_has_its_own_points_in_any_order() {
    let of = |index: u8, tag: &str, points: &str| {
        format!(
            r#"{{"pointlist":[{points}],"tag_set":[{tag}],"interval":60,"metric":"m{index}","query_index":{index}}}"#
        )
    };
    let shuffled = [
        of(2, "", "[@120,3]"),
        of(0, r#""host:b""#, "[@60,2],[@180,4]"),
        of(0, r#""host:a""#, "[@0,1]"),
    ];
    series(
        [&shuffled.join(",")],
        &expect![[r#"
        - 3 series
            0 m0 ["host:a"] None 0=1.0
            0 m0 ["host:b"] None 60=2.0 180=4.0
            2 m2 [] None 120=3.0
    "#]],
    );
}

/// Another exporter: `scope.split(':')[1]` made every `arn:aws:…` the one file `arn.csv`, and tore values at commas.
#[test]
fn regression_tag_values_keep_their_colons_and_commas() {
    let one = r#"{"scope":"arn:arn:aws:x,y","tag_set":["arn:arn:aws:x,y","name:N/A"],
        "query_index":0,"metric":"m","interval":60,"pointlist":[]}"#;
    series(
        [one],
        &expect![[r#"
        - 1 series
            0 m ["arn:arn:aws:x,y", "name:N/A"] None
    "#]],
    );
}

/// A boundary point that is in two windows' answers is in one window's data.
#[test]
fn regression_the_bucket_at_the_end_is_the_next_windows() {
    points(
        ["[@540,1],[@600,2]"],
        &expect![[r#"
        - 1 series
            0 m [] None 540=1.0
    "#]],
    );
}

#[test]
fn a_deep_nest_is_skipped_without_a_deep_stack() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let body = format!(r#"{{"status":"ok","future":{deep},"series":[]}}"#);
    assert_eq!(answer(body.as_bytes(), &expected(1, 60)), Ok(Answer::default()));
    let hostile = format!(r#"{{"status":"ok","series":{deep}}}"#);
    assert!(matches!(
        answer(hostile.as_bytes(), &expected(1, 60)),
        Err(Error::Inconsistent { .. })
    ));
}

#[test]
fn the_servers_words_become_one_short_line() {
    let long = format!("a\u{1b}[31m\n{}", "é".repeat(3_000));
    let body = serde_json::json!({"status": "error", "error": long}).to_string();
    let Err(Error::Refused { message }) = answer(body.as_bytes(), &expected(1, 60)) else {
        panic!("it is refused")
    };
    assert!(message.starts_with("a [31m é") && message.chars().count() == 1_001);
}

/// Seen behind a proxy that counts in milliseconds: the points tell.
#[test]
fn an_interval_in_milliseconds_is_that_of_its_points() {
    let all = |lists: &[&str]| {
        let one = |list: &&str| {
            format!(
                r#"{{"metric":"m","interval":60000,"tag_set":["a:{}"],"pointlist":[{list}]}}"#,
                list.len()
            )
        };
        let series: Vec<String> = lists.iter().map(one).collect();
        let body = format!(r#"{{"status":"ok","series":[{}]}}"#, series.join(","));
        answer(stamped(&body).as_bytes(), &expected(1, 60)).map(|answer| answer.series.len())
    };
    assert_eq!(all(&["[@60,1],[@120,2]", "[@0,1]"]), Ok(2), "one series shows it for all");
    assert_eq!(all(&["[@60,1]"]), Ok(1), "a bucket of 60,000 s does not begin there");
    let is_coarse = |found: Result<usize, Error>| matches!(found, Err(Error::Interval { .. }));
    assert!(is_coarse(all(&["[@0,null]"])), "nothing shows it");
}

#[test]
fn remarks_are_read_whatever_they_are_and_spoil_nothing() {
    let remark = |fields: &str| {
        let body = format!(r#"{{"status":"ok",{fields},"series":[]}}"#);
        let secrets = Secrets::default();
        read(body.as_bytes(), &expected(1, 60), &secrets).map(|read| read.remark)
    };
    for (fields, expected) in [
        (r#""message":"""#, None),
        (r#""message":null,"warnings":[]"#, None),
        (r#""message":7,"warnings":[[1],{"of":"x"}]"#, None),
        (
            r#""message":"too\u001b[31m much\n","warnings":["a",{"detail":"b"}]"#,
            Some("too [31m much; a; b"),
        ),
    ] {
        assert_eq!(remark(fields), Ok(expected.map(str::to_owned)), "{fields}");
    }
    let long = format!(r#""warnings":"{}""#, "x".repeat(5_000));
    assert!(remark(&long).unwrap().unwrap().chars().count() <= REMARK_CHARS_MAX + 1);
}
