//! List files: what editors, spreadsheets and people do to them, and the words for what is wrong.

use super::{check, settings};
use crate::query::{decode, list};
use expect_test::expect;

#[test]
fn errors_come_all_at_once_with_place_and_fix() {
    check(
        "system.cpu.user\navg:system.cpu.user by {host}\nmy-metric\naverage:m{*}\navg:m{*\navg:m{}\n  avg:m{a b}\navg:m{*} by host\n(avg:m{*}\n\
         avg:m{*}, avg(last_5m):avg:m{*} > 5\navg:m{*} > 5\navg:m{${var.host}}\navg:m{{{host}}}",
        expect![[r#"
            q:1:1: this is no query yet; did you mean `avg:system.cpu.user{*}`?
              system.cpu.user
              ^^^^^^^^^^^^^^^
            q:2:1: this is no query yet; did you mean `avg:system.cpu.user{*}`?
              avg:system.cpu.user by {host}
              ^^^^^^^^^^^^^^^^^^^
            q:3:1: Datadog reads the `-` in `my-metric` as minus; metric names hold letters, digits, `_` and `.` only
              my-metric
              ^^^^^^^^^
            q:4:1: `average` is no aggregator; there are avg, sum, min, max, count, stddev, percentiles such as p95 or p99.9, and `count(v: v>=1)`
              average:m{*}
              ^^^^^^^
            q:5:6: `{` is never closed
              avg:m{*
                   ^
            q:6:6: an empty scope selects nothing known; write `{*}` for everything
              avg:m{}
                   ^^
            q:7:11: expected `,`, AND, OR or `}`, found `b`
                avg:m{a b}
                        ^
            q:8:10: tag keys stand in braces; write `by {host}`
              avg:m{*} by host
                       ^^^^^^^
            q:9:1: `(` is never closed
              (avg:m{*}
              ^
            q:10:11: this is a monitor; its query is what follows the first `:`, without the comparison at the end
              avg:m{*}, avg(last_5m):avg:m{*} > 5
                        ^^^^^^^^^^^^^
            q:11:10: a comparison belongs to a monitor and to no query; leave `> 5` out
              avg:m{*} > 5
                       ^^^
            q:12:7: `${var.host}` is a placeholder of Terraform; write its value in its place
              avg:m{${var.host}}
                    ^^^^^^^^^^^
            q:13:7: `{{host}}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg:m{{{host}}}
                    ^^^^^^^^
        "#]],
    );
}

#[test]
fn errors_point_at_the_character() {
    check(
        "avg:m{s:<name>}\navg:m{*},\ntop(m{*}, 'x)\navg:m{*}.rollup\navg:m{한글:값,a:b&c}\navg:m{*}\u{200b}\navg:m{*} ; sum:m{*}\n\
         \tavg:m{*} )\navg:$metric{*}\ncount(v: w>1):m{*}\navg:m{a:b OR}\navg:m{a IN b}",
        expect![[r#"
            q:1:9: `<name>` is a placeholder; write its value in its place
              avg:m{s:<name>}
                      ^^^^^^
            q:2:10: expected a query such as `avg:metric{*}`, found the end
              avg:m{*},
                       ^
            q:3:11: `'` is never closed
              top(m{*}, 'x)
                        ^
            q:4:16: expected `(`, found the end
              avg:m{*}.rollup
                             ^
            q:5:15: `&` cannot stand in a tag; Datadog keeps `_` in its place
              avg:m{한글:값,a:b&c}
                               ^
            q:6:9: a zero-width space (U+200B) stands here; delete it
              avg:m{*}
                      ^
            q:7:10: `;` cannot stand here
              avg:m{*} ; sum:m{*}
                       ^
            q:8:11: expected an operator, `,` or the end of the query, found `)`
               avg:m{*} )
                        ^
            q:9:5: a variable can stand within braces only; write its value here
              avg:$metric{*}
                  ^
            q:10:10: expected the same letter again, as in `count(v: v>=1)`, found `w`
              count(v: w>1):m{*}
                       ^
            q:11:13: expected a tag such as `env:prod`, found `}`
              avg:m{a:b OR}
                          ^
            q:12:12: expected `(` and values, found `b`
              avg:m{a IN b}
                         ^
        "#]],
    );
}

#[test]
fn editors_and_spreadsheets_are_forgiven() {
    check(
        "\u{feff}# queries\r\n\r\n  avg:a{*}  \r\n\"avg:b{x:y,z:w}\"\r\"top\"\"x\"\navg:c{*}, sum:d{*} # two\n\"calendar_shift(m{*}, \"\"-1d\"\", other}\"",
        expect![[r#"
            avg:a{*}.rollup(avg, 60).fill(null) @60
            avg:b{x:y,z:w}.rollup(avg, 60).fill(null) @60
            avg:c{*}.rollup(avg, 60).fill(null) @60
            sum:d{*}.rollup(avg, 60).fill(null) @60
            q:5:5: `"` is never closed
              "top""x"
                  ^^
            q:7:32: this is no query yet; did you mean `avg:other{*}`?
              "calendar_shift(m{*}, ""-1d"", other}"
                                             ^^^^^
        "#]],
    );
}

#[test]
fn queries_that_say_the_same_are_noted_once() {
    check(
        "avg:m{*}\n avg:m{ * }.rollup(avg,60),sum:m{*}\navg:m{*}.rollup(avg, 60).fill(null)",
        expect![[r#"
            avg:m{*}.rollup(avg, 60).fill(null) @60
            sum:m{*}.rollup(avg, 60).fill(null) @60
            q:2:2: `avg:m{ * }.rollup(avg,60)` is the same query as in line 1; it is exported once; likewise line 3
        "#]],
    );
}

#[test]
fn utf_16_reads_as_utf_8_does() {
    let text = "avg:m{팀:데이터}\r\nsum:m{*}\r\n";
    let plain = list("q", text, &settings()).queries;
    assert_eq!(plain.len(), 2);
    for mark in ["\u{feff}", ""] {
        let units: Vec<u16> = format!("{mark}{text}").encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(list("q", &decode(&little), &settings()).queries, plain);
        assert_eq!(list("q", &decode(&big), &settings()).queries, plain);
    }
}

#[test]
fn broken_text_and_empty_lists_are_refused() {
    let words = |bytes: &[u8]| {
        let found = list("q", &decode(bytes), &settings());
        found.refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        q:1:10: a broken character (U+FFFD) stands here; save the file as UTF-8
          avg:m{caf�:x}
                   ^"#]]
    .assert_eq(&words(b"avg:m{caf\xe9:x}\navg:n{*}\n"));
    expect!["q:1:1: there is no query in this list; write one a line, such as `avg:system.cpu.user{*} by {host}`"]
    .assert_eq(&words(b"# nothing\n\n"));
    assert!(words(b"\x1b]0;title\x07").chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_long_line_shows_its_place_only() {
    let line = format!("avg:m{{{}k:v&w,{}}}", "a:b,".repeat(200), "c:d,".repeat(200));
    let found = list("q", &line, &settings());
    let words = found.refused[0].to_string();
    let lines: Vec<_> = words.lines().collect();
    assert!(lines[0].starts_with("q:1:810: "), "{words}");
    assert!(lines[1].chars().count() < 170, "{words}");
    let column = lines[2].chars().count() - 1;
    assert_eq!(lines[1].chars().nth(column), Some('&'), "{words}");
}
