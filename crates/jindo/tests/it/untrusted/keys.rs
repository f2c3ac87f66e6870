//! Keys in the words of a server and in lines of lists: every spelling that SECURITY.md names, at every place, and behind any padding.

use super::redaction::{
    CASES, ESCAPES, Escape, KEYS, SEPARATORS, Shown, Spelling, assert_hidden, marked,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Bodies with `@` where a key stands: in words, in names, in a value that is of another type than promised, in no JSON at all.
const PLACES: [&str; 34] = [
    r#"{"errors":["bad @ !"]}"#,
    r#"{"errors":["bad","@"]}"#,
    r#"{"errors":[{"title":"@","detail":"x"}]}"#,
    r#"{"errors":[{"title":"x","detail":"bad @"}]}"#,
    r#"{"error":"@"}"#,
    r#"{"error":{"code":422,"message":"no: @"}}"#,
    r#"{"status":"error","error":"@"}"#,
    r#"{"status":"@"}"#,
    r#"{"status":"ok","series":[],"message":"@"}"#,
    r#"{"status":"ok","series":[],"warnings":["x @",{"detail":"@"}]}"#,
    r#"{"status":"ok","errors":5,"error":"@"}"#,
    r#"{"status":"ok","errors":{"title":["@"]}}"#,
    r#"{"status":"ok","group_by":"@"}"#,
    r#"{"status":"ok","series":"@"}"#,
    r#"{"status":"ok","series":[{"query_index":"@"}]}"#,
    r#"{"status":"ok","series":[{"interval":"@"}]}"#,
    r#"{"status":"ok","series":[{"metric":["@"]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m @","interval":0,"pointlist":[]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":"@","pointlist":[]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":["a:@"],"pointlist":[[1,1]]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":["@","@ "],"pointlist":["@"]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":[],"pointlist":[["@",1]]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":[],"pointlist":[[0,"@"]]}]}"#,
    r#"{"status":"ok","series":[{"metric":"@","interval":60,"tag_set":["host:@"],"unit":[{"name":"@"},{"name":"x@"}],"pointlist":[[0,1]]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":["@","b@b"],"scope":"a,@","expression":"avg:m{@}","pointlist":[]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":[],"aggr":"@","display_name":"x @","unit":[{"family":"@","plural":"@","short_name":"@"}],"pointlist":[]}]}"#,
    r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":[],"unit":[{"name":5,"family":"@"}],"pointlist":[]}]}"#,
    r#"{"message":"no such thing: @"}"#,
    r#"{"errors":["bad @ !"#,
    r#"{"errors":["bad"]} @"#,
    "bad @ !",
    "<html><h1>@</h1><p>b@d</p>",
    "https://example.com/@/x",
    "\u{feff}avg:m{a:@}\n@\nDD_API_KEY=@\n# @",
];

/// Every escape in every case, of both keys; and every separator between pieces of several lengths, with the escapes in turn.
fn spellings() -> Vec<Spelling> {
    let mut all = Vec::new();
    for key in KEYS {
        for case in CASES {
            let whole = |escape| Spelling { key, case, escape, separator: "", every: 1 };
            all.extend(ESCAPES.map(whole));
        }
        for (number, separator) in SEPARATORS.into_iter().enumerate().skip(1) {
            for (turn, every) in [16, 8].into_iter().enumerate() {
                let escape = ESCAPES[(number + turn) % ESCAPES.len()];
                let case = CASES[number % CASES.len()];
                all.push(Spelling { key, case, escape, separator, every });
            }
        }
    }
    all
}

#[test]
fn attempts_to_bring_keys_into_words() {
    let mut attempts = 0;
    for place in PLACES {
        for spelling in spellings() {
            let body = place.replace('@', &spelling.written());
            let Shown { words, names } = Shown::of(body.as_bytes());
            let shown = [words, names].concat();
            assert_hidden(&shown, body.as_bytes());
            let is_marked = |text: &String| text.contains("[secret") || text.contains("[a line");
            assert!(shown.iter().any(is_marked), "nothing is said of it: {body}");
            attempts += 1;
        }
    }
    jindo_testing::all_held("keys in a server's words", attempts);
}

/// Padding that ends within a key at each limit of length that there is (of words, of a message, of what is kept, of what is read as
/// text), and bodies that end there.
#[test]
fn attempts_to_have_keys_cut() {
    let spellings = spellings();
    let mut attempts = 0;
    for limit in [300, 1_000, 4_096, 16 << 10] {
        for back in [1, 8, 9, 15, 31, 100] {
            for pad in ["x", " x", r"\n", r"\u0078"] {
                let pad = pad.repeat((limit - back) / pad.len());
                let spelling = &spellings[attempts / 12 % spellings.len()];
                let text = format!("{pad}{}", spelling.written());
                for body in [
                    format!(r#"{{"errors":["{text} !"]}}"#),
                    format!(r#"{{"errors":["{text}"#),
                    text,
                ] {
                    for end in [0, 1, 3, 40] {
                        let end = body.floor_char_boundary(body.len() - end);
                        let body = &body.as_bytes()[..end];
                        assert_hidden(&Shown::of(body).words, body);
                        attempts += 1;
                    }
                }
            }
        }
    }
    jindo_testing::all_held("keys cut at a limit of length", attempts);
}

fn any_spelling() -> impl Strategy<Value = Spelling> {
    let parts =
        (select(&KEYS[..]), select(&CASES[..]), select(&ESCAPES[..]), select(&SEPARATORS[..]));
    (parts, 1..40_usize).prop_map(|((key, case, escape, separator), every)| Spelling {
        key,
        case,
        escape,
        separator,
        every,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_body_brings_nine_characters_of_a_key_anywhere(
        place in select(&PLACES[..]),
        spelling in any_spelling(),
        pad in select(vec!["x", " ", r"\n", r"\u200b", "é", "<b>", r"\\"]),
        padding in 0..1_200_usize,
        cut in prop::option::of(any::<Index>()),
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        at in any::<Index>(),
    ) {
        let text = format!("{}{}", pad.repeat(padding), spelling.written());
        let mut body = place.replace('@', &text).into_bytes();
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let Shown { words, .. } = Shown::of(&body);
        assert_hidden(&words, &body);
        // Noise anywhere, within the key too: a part of it is no name's promise.
        body.splice(at.index(body.len() + 1).., bytes);
        assert_hidden(&Shown::of(&body).words, &body);
    }

    #[test]
    fn no_marked_input_brings_nine_characters_of_a_key_anywhere(
        bytes in prop::collection::vec(prop_oneof![Just(1_u8), any::<u8>(), select(&br#"{}[]":,\un0 "#[..])], 0..80),
    ) {
        marked(&bytes);
    }
}

/// The promise can fail: other keys are shown.
#[test]
fn what_is_no_key_is_shown() {
    let other = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let body = format!(r#"{{"errors":["bad {other} !"]}}"#);
    let shown = Shown::of(body.as_bytes());
    assert!(shown.words.contains(&format!("bad {other} ! (status 400)")), "{:?}", shown.words);
    let plain =
        Spelling { key: KEYS[0], case: CASES[0], escape: Escape::Plain, separator: "", every: 1 };
    assert_eq!(plain.written(), KEYS[0]);
    let failed = std::panic::catch_unwind(|| assert_hidden(&[KEYS[0][3..12].to_owned()], b""));
    assert!(failed.is_err(), "nine characters");
    assert_hidden(&[KEYS[0][3..11].to_owned()], b"");
}
