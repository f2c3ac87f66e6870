//! No text of an answer or an error holds a key, however it was written; and words beyond what is shown are not kept.
use super::*;
use crate::secret::Secret;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn hidden(body: &str) -> Result<Answer, Error> {
    let window = Window::from_secs(0, 600).unwrap();
    let interval = Interval::from_secs(60).unwrap();
    let secrets = Secrets::new([Secret::new(KEY)]);
    crate::parse::answer(body.as_bytes(), &Expected { queries: 1, window, interval }, &secrets)
}

/// As it is, in capitals, in escapes, and with a character within that steers.
fn spellings() -> [String; 4] {
    let escaped = KEY.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat();
    [KEY.to_owned(), KEY.to_uppercase(), escaped, KEY.replacen('9', "9\\u0007\u{202e}", 1)]
}

#[test]
fn a_key_in_a_metric_a_tag_or_a_unit_is_hidden_whatever_the_bodys_length() {
    let one = |metric: &str, tags: &str, unit: &str| {
        format!(
            r#"{{"metric":"{metric}","interval":60,"tag_set":{tags},"unit":[{{"name":"{unit}"}},null],"pointlist":[[0,1.0]]}}"#
        )
    };
    for key in spellings() {
        for padding in [0, 2 << 20] {
            let tags = format!(r#"["x:1","host:{key}y","{key}:1"]"#);
            let series = one(&format!("abs({key}.m)"), &tags, &key);
            let pad = " ".repeat(padding);
            let body = format!(r#"{{"pad":"{pad}","status":"ok","series":[{series}]}}"#);
            let series = &hidden(&body).unwrap().series[0];
            assert_eq!(series.metric, "abs([secret].m)", "{key}");
            assert_eq!(series.tags, ["[secret]:1", "host:[secret]y", "x:1"], "sorted as ever");
            assert_eq!(series.unit.as_deref(), Some("[secret]"));
        }
        // Two groups that only a key told apart are not silently one.
        let other = one("m", r#"["host:[secret]"]"#, "").replace("1.0", "2.0");
        let same = one("m", &format!(r#"["host:{key}"]"#), "");
        let found = hidden(&format!(r#"{{"status":"ok","series":[{same},{other}]}}"#));
        let what = "two different m{host:[secret]}".to_owned();
        assert_eq!(found, Err(Error::Inconsistent { what }));
    }
}

#[test]
fn a_key_in_what_is_refused_or_cannot_be_read_is_hidden() {
    for key in spellings() {
        for body in [
            format!(r#"{{"status":"error","error":"bad {key}"}}"#),
            format!(r#"{{"errors":["bad","{key}"]}}"#),
            format!(r#"{{"status":"{key}"}}"#),
            format!(r#"{{"status":"ok","group_by":"{}"}}"#, key.replace("\\u0007\u{202e}", "")),
            format!(
                r#"{{"status":"ok","series":[{{"metric":"{key}","interval":0,"pointlist":[]}}]}}"#
            ),
            format!(
                r#"{{"status":"ok","series":[{{"metric":"m","interval":60,"tag_set":["a:{key}"],"pointlist":[[1,1]]}}]}}"#
            ),
            format!(r#"{{"errors":["{}{key}"]}}"#, "x".repeat(985)),
        ] {
            let told = hidden(&body).unwrap_err().to_string().to_lowercase();
            assert!(!told.contains(&KEY[..8]), "{body}: {told}");
        }
    }
}

#[test]
fn of_many_words_only_what_is_shown_is_kept() {
    let many = format!(r#"{{"errors":[{}"first"],"error":["last"]}}"#, r#""","#.repeat(100_000));
    assert_eq!(hidden(&many), Err(Error::Refused { message: "last; first".to_owned() }));
    let many = format!("{{\"error\":[{}\"\"]}}", "\"wörd\",".repeat(10_000));
    let words = server_words(many.as_bytes(), &Secrets::default()).unwrap();
    assert!(words.len() <= 4_096 && words.starts_with("wörd; wörd; "), "{}", words.len());
}
