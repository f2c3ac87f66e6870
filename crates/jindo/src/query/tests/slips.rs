//! Slips of hands, keyboards and word processors in the text of a query: what is read over, and what is refused by its name.

use super::{check, settings};
use crate::query::list;
use expect_test::expect;

#[test]
fn spaces_around_the_colon_of_a_tag_are_read_over_and_not_sent() {
    check(
        "avg:m{role: web} by {host}\navg:m{role : web, ! az: b }\navg:m{role :web AND (team:\u{a0}x)}\navg:m{load: >=5}\navg:m{role: \"a b\"}\n\
         avg:m{role: $env, region : eu:west} by { host , az }\navg:m{role: in: x}\navg:m{role web}",
        expect![[r#"
            avg:m{role:web} by {host}.rollup(avg, 60).fill(null) @60
            avg:m{role:web,!az:b}.rollup(avg, 60).fill(null) @60
            avg:m{role:web AND (team:x)}.rollup(avg, 60).fill(null) @60
            avg:m{load:>=5}.rollup(avg, 60).fill(null) @60
            avg:m{role:"a b"}.rollup(avg, 60).fill(null) @60
            avg:m{role:prod,region:eu:west} by {az,host}.rollup(avg, 60).fill(null) @60
            avg:m{role:in:x}.rollup(avg, 60).fill(null) @60
            q:8:12: expected `,`, AND, OR or `}`, found `web`
              avg:m{role web}
                         ^^^
        "#]],
    );
}

/// Letters and digits of every script stand in tags; what looks like a letter's neighbour does not.
#[test]
fn characters_that_no_tag_holds_are_refused_by_name_with_the_plain_one() {
    let plain = [
        ("role:“web”", "a curly quote `“` (U+201C)", "\""),
        ("role:’web’", "a curly quote `’` (U+2019)", "'"),
        ("role:«web»", "an angle quote `«` (U+00AB)", "\""),
        ("role：web", "a full-width character `：` (U+FF1A)", ":"),
        ("role:web，az:b", "a full-width character `，` (U+FF0C)", ","),
        ("role:web、az:b", "an ideographic comma `、` (U+3001)", ","),
        ("（role:web）", "a full-width character `（` (U+FF08)", "("),
        ("role:a–b", "an en dash `–` (U+2013)", "-"),
        ("role:a—b", "an em dash `—` (U+2014)", "-"),
        ("role:a\u{2011}b", "a non-breaking hyphen `\u{2011}` (U+2011)", "-"),
        ("role:\"a–b\"", "an en dash `–` (U+2013)", "-"),
    ];
    let told = |line: &str| {
        let found = list("q", line, &settings());
        let words: Vec<_> = found.refused.iter().map(|one| one.reason.to_string()).collect();
        assert_eq!(found.queries.len(), 1 - words.len(), "{line}");
        words.join("")
    };
    for (tags, name, plain) in plain {
        let expected = format!("{name} cannot stand in a query; write `{plain}`");
        assert_eq!(told(&format!("avg:m{{{tags}}}")), expected);
    }
    let outside = [
        ("avg:a{*} – avg:b{*}", "an en dash `–` (U+2013)", "-"),
        ("avg:a{*} − 1", "a typographic minus `−` (U+2212)", "-"),
        ("“avg:a{*}”", "a curly quote `“` (U+201C)", "\""),
        ("avg:a｛*}", "a full-width character `｛` (U+FF5B)", "{"),
        ("count(v: v≥1):m{*}", "a mathematical sign `≥` (U+2265)", ">="),
    ];
    for (line, name, plain) in outside {
        assert_eq!(told(line), format!("{name} cannot stand in a query; write `{plain}`"));
    }
    let unseen = [
        ('\u{200b}', "a zero-width space (U+200B) stands here; delete it"),
        ('\u{200d}', "a zero-width joiner (U+200D) stands here; delete it"),
        ('\u{ad}', "a soft hyphen (U+00AD) stands here; delete it"),
        ('\u{202e}', "a mark of the writing direction (U+202E) stands here; delete it"),
        ('\u{feff}', "a byte order mark (U+FEFF) stands here; delete it"),
        ('\u{7}', "a control character (U+0007) stands here; delete it"),
        ('\u{fffd}', "a broken character (U+FFFD) stands here; save the file as UTF-8"),
        ('\u{a0}', "a non-breaking space (U+00A0) cannot stand here; delete it"),
        ('\u{3000}', "a full-width space (U+3000) cannot stand here; delete it"),
    ];
    for (c, words) in unseen {
        assert_eq!(told(&format!("avg:m{{role:we{c}b}}")), words);
    }
    for tag in [
        "팀:데이터-플랫폼",
        "équipe:données",
        "チーム:データー",
        "команда:x",
        "فريق:بيانات",
        "role:０１",
        "env:a·b",
    ] {
        assert_eq!(told(&format!("avg:m{{{tag}}}")), "");
    }
}

#[test]
fn the_bracket_that_is_wrong_is_blamed() {
    check(
        "avg:m{role:web by {host,az}\navg:m{* BY{host}\navg:m{role:web / avg:n{*}\navg:m{role:web, sum:n{*}\navg:m{role:web.rollup(sum, 60)\n\
         avg:m{(a:b OR c:d} by {host}\navg:m{role:web) by {host}\n(avg:m{*}}\nabs(avg:m{*}, avg:n{*}\n(avg:m{*}, avg:n{*}\n(avg:m{*} avg:n{*})\n\
         avg:m{role IN (a,b}\navg:m{*} by host\navg:m{*} by (host, az)\navg:m{*} by host, avg:n{*}\navg:m{*} by\navg:m{role:{{x}}}",
        expect![[r#"
            q:1:6: `{` is not closed before `by {`; write `}` there
              avg:m{role:web by {host,az}
                   ^
            q:2:6: `{` is not closed before `BY {`; write `}` there
              avg:m{* BY{host}
                   ^
            q:3:6: `{` is not closed before `avg:n{`; write `}` there
              avg:m{role:web / avg:n{*}
                   ^
            q:4:6: `{` is not closed before `sum:n{`; write `}` there
              avg:m{role:web, sum:n{*}
                   ^
            q:5:6: `{` is never closed
              avg:m{role:web.rollup(sum, 60)
                   ^
            q:6:7: `(` is never closed
              avg:m{(a:b OR c:d} by {host}
                    ^
            q:7:15: `{` is closed by `}`, not by `)`
              avg:m{role:web) by {host}
                            ^
            q:8:10: `(` is closed by `)`, not by `}`
              (avg:m{*}}
                       ^
            q:9:4: `(` is never closed
              abs(avg:m{*}, avg:n{*}
                 ^
            q:10:1: `(` is never closed
              (avg:m{*}, avg:n{*}
              ^
            q:11:11: expected an operator or `)`, found `avg`
              (avg:m{*} avg:n{*})
                        ^^^
            q:12:15: `(` is never closed
              avg:m{role IN (a,b}
                            ^
            q:13:10: tag keys stand in braces; write `by {host}`
              avg:m{*} by host
                       ^^^^^^^
            q:14:10: tag keys stand in braces; write `by {host, az}`
              avg:m{*} by (host, az)
                       ^^^^^^^^^^^^
            q:15:10: tag keys stand in braces; write `by {host}`
              avg:m{*} by host, avg:n{*}
                       ^^^^^^^
            q:16:12: expected `{` and tag keys, found the end
              avg:m{*} by
                         ^
            q:17:12: `{{x}}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg:m{role:{{x}}}
                         ^^^^^
        "#]],
    );
}

#[test]
fn calendar_rollups_are_named_in_every_documented_form() {
    check(
        "m{*}.rollup(sum, daily, 12am)\nm{*}.rollup(avg, daily, '12:30am', 'America/Denver')\nm{*}.rollup('max', 'daily', 12:30pm, America/Denver)\n\
         m{*}.rollup(weekly, monday)\nm{*}.rollup(sum, monthly, 1st, 'America/Denver')\nm{*}.rollup(min, Monthly)\nm{*}.rollup(sum, yearly)\n\
         abs(m{*}).rollup(sum, daily)\n1 + rollup(abs(m{*}), sum, weekly, 'monday')\nrollup(m{*}, sum, 60)\nfill(m{*}, zero)\n\
         m{*}.rollup(sum, 12am)\n12am\nm{*}.rollup(sum, 86400)",
        expect![[r#"
            m{*}.rollup(sum, 86400).fill(null) @86400
            q:1:5: `daily` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(sum, 86400)`
              m{*}.rollup(sum, daily, 12am)
                  ^^^^^^^^^^^^^^^^^^^^^^^^^
            q:2:5: `daily` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(avg, 86400)`
              m{*}.rollup(avg, daily, '12:30am', 'America/Denver')
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            q:3:5: `daily` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(max, 86400)`
              m{*}.rollup('max', 'daily', 12:30pm, America/Denver)
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            q:4:5: `weekly` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(604800)`, in which weeks begin on Thursday
              m{*}.rollup(weekly, monday)
                  ^^^^^^^^^^^^^^^^^^^^^^^
            q:5:5: `monthly` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(sum, 86400)`, which gives days
              m{*}.rollup(sum, monthly, 1st, 'America/Denver')
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            q:6:5: `monthly` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(min, 86400)`, which gives days
              m{*}.rollup(min, Monthly)
                  ^^^^^^^^^^^^^^^^^^^^^
            q:7:5: `yearly` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(sum, 86400)`, which gives days
              m{*}.rollup(sum, yearly)
                  ^^^^^^^^^^^^^^^^^^^^
            q:8:10: `daily` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(sum, 86400)`
              abs(m{*}).rollup(sum, daily)
                       ^^^^^^^^^^^^^^^^^^^
            q:9:5: `weekly` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(sum, 604800)`, in which weeks begin on Thursday
              1 + rollup(abs(m{*}), sum, weekly, 'monday')
                  ^^^^^^
            q:10:1: `rollup` stands behind the series that it changes: `avg:metric{*}.rollup(…)`
              rollup(m{*}, sum, 60)
              ^^^^^^
            q:11:1: `fill` stands behind the series that it changes: `avg:metric{*}.fill(…)`
              fill(m{*}, zero)
              ^^^^
            q:12:5: write .rollup(METHOD), .rollup(METHOD, SECONDS) or .rollup(SECONDS), with avg, sum, min, max or count
              m{*}.rollup(sum, 12am)
                  ^^^^^^^^^^^^^^^^^^
            q:13:1: expected a query such as `avg:metric{*}`, found `12am`
              12am
              ^^^^
        "#]],
    );
}

#[test]
fn a_scope_of_two_notations_is_noted_and_taken() {
    check(
        "avg:m{a:b AND !c:d}\navg:m{a:b or c:d,e:f}\navg:m{NOT a:b,c:d} + n{*}\navg:m{a IN (b,c), d:e}\navg:m{a IN (b,c) AND NOT d:e}\navg:m{!a:b,c:d}\n\
         avg:m{a NOT IN (b,c)}\ntop(m{a:b AND !c:d}, 5, 'max', 'asc')",
        expect![[r#"
            avg:m{a:b AND !c:d}.rollup(avg, 60).fill(null) @60
            avg:m{a:b OR c:d,e:f}.rollup(avg, 60).fill(null) @60
            avg:m{NOT a:b,c:d}.rollup(avg, 60).fill(null) + n{*}.rollup(avg, 60).fill(null) @60
            avg:m{a IN (b,c),d:e}.rollup(avg, 60).fill(null) @60
            avg:m{a IN (b,c) AND NOT d:e}.rollup(avg, 60).fill(null) @60
            avg:m{!a:b,c:d}.rollup(avg, 60).fill(null) @60
            avg:m{a NOT IN (b,c)}.rollup(avg, 60).fill(null) @60
            q:8:1: `top` ranks series over the range asked for, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              top(m{a:b AND !c:d}, 5, 'max', 'asc')
              ^^^
            q:1:16: this scope mixes AND, OR, NOT or IN with `,` or `!`, which the server refuses; write AND for `,` and NOT for `!` (asked as it is); likewise lines 2, 3 and 4
        "#]],
    );
}

#[test]
fn functions_of_one_instant_are_taken() {
    check(
        "throughput(sum:m{*}.as_count())\ncount_nonzero_finite(avg:m{*} by {host})\nmax(avg:a{*}, avg:b{*})\nmin(avg:a{*}, 5)\ntime() - avg:a{*}\n\
         pow(avg:a{*}, 2)\nrollingavg_5(avg:a{*})\nmax(abs(avg:a{*}))\nmax(clamp_min(avg:a{*}, 1))\nbottom10_min(avg:a{*} by {host})",
        expect![[r#"
            throughput(sum:m{*}.as_count().rollup(sum, 60)) @60
            count_nonzero_finite(avg:m{*} by {host}.rollup(avg, 60).fill(null)) @60
            max(avg:a{*}.rollup(avg, 60).fill(null), avg:b{*}.rollup(avg, 60).fill(null)) @60
            min(avg:a{*}.rollup(avg, 60).fill(null), 5) @60
            time() - avg:a{*}.rollup(avg, 60).fill(null) @60
            pow(avg:a{*}.rollup(avg, 60).fill(null), 2) @60
            q:7:1: `rollingavg_5` smooths over neighbouring points, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              rollingavg_5(avg:a{*})
              ^^^^^^^^^^^^
            q:8:1: `max` compares queries, point by point; give two: `max(avg:a{*}, avg:b{*})`
              max(abs(avg:a{*}))
              ^^^
            q:9:1: `max` compares queries, point by point; give two: `max(avg:a{*}, avg:b{*})`
              max(clamp_min(avg:a{*}, 1))
              ^^^
            q:10:1: `bottom10_min` ranks series over the range asked for, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              bottom10_min(avg:a{*} by {host})
              ^^^^^^^^^^^^
        "#]],
    );
}
