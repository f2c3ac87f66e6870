//! What an answer may take of memory, whatever its body holds.

use super::*;

fn series(count: usize, fields: &str) -> String {
    let one = format!(r#"{{"metric":"m","interval":60,{fields},"pointlist":[]}}"#);
    format!(r#"{{"status":"ok","series":[{}]}}"#, vec![one; count].join(","))
}

#[test]
fn a_small_body_that_makes_much_is_too_large() {
    let tags = |count: usize| {
        let tags: Vec<_> = (0..count).map(|tag| format!(r#""{tag}""#)).collect();
        format!(r#""tag_set":[{}]"#, tags.join(","))
    };
    let expressions = |number: usize| {
        let expression = format!("{}{number}", "a:1,".repeat(4_000));
        let fields = r#""tag_set":["a:1"],"pointlist":[]"#;
        format!(r#"{{"metric":"m","interval":60,"expression":"{expression}",{fields}}}"#)
    };
    let expressions: Vec<_> = (0..400).map(expressions).collect();
    let bodies = [
        series(2_000, &tags(1_000)),
        series(250_000, r#""tag_set":[]"#),
        series(1, &format!(r#""tag_set":["{}"]"#, "x".repeat(HELD_BYTES_MAX / 2))),
        format!(r#"{{"status":"ok","series":[{}]}}"#, expressions.join(",")),
    ];
    for body in bodies {
        let found = answer(body.as_bytes(), &expected(1, 60));
        assert_eq!(found, Err(Error::TooLarge), "{} {}", body.len(), &body[..100]);
    }
}

#[test]
fn as_many_series_as_one_query_may_have_fit() {
    let tags = r#""tag_set":["env:production","az:us-east-1a","host:i-0123456789abcdef"]"#;
    let points = 10 * 16;
    let [one, two] = [1, 2].map(|count| {
        let body = series(count, tags);
        crate::parse::read(body.as_bytes(), &expected(1, 60), &Secrets::default())
            .unwrap()
            .held_bytes
    });
    assert!(100_000 * (two - one + points) < HELD_BYTES_MAX, "{}", two - one);
}

#[test]
fn the_same_point_again_and_again_is_held_once() {
    let pairs = "[@60,1],[@0,1],".repeat(50_000);
    let body = format!(
        r#"{{"status":"ok","series":[{{"metric":"m","interval":60,"tag_set":[],"pointlist":[{pairs}[@0,1]]}}]}}"#
    );
    let read = read(stamped(&body).as_bytes(), &expected(1, 60), &Secrets::default()).unwrap();
    assert_eq!(read.answer.series[0].values, [1.0, 1.0]);
    assert!(read.held_bytes < 2_000, "{}", read.held_bytes);
    let other = body.replacen("[@0,1]", "[@0,2]", 1);
    let found = answer(stamped(&other).as_bytes(), &expected(1, 60));
    assert!(
        matches!(&found, Err(Error::Inconsistent { what }) if what.starts_with("two values at"))
    );
}
