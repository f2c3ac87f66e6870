//! Lists as people have them: bullets, comments, monitors, placeholders of other tools, formulas of dashboards. A line in, words out.

use super::{check, settings, words};
use crate::query::list;
use expect_test::expect;

#[test]
fn bullets_are_left_out_and_noted_once() {
    check(
        "- avg:a{*} by {host}\n* avg:b{*}\n  + avg:c{*}\n12. avg:d{*}\n2) avg:e{*}\n(3) avg:f{*}\n•\tavg:g{*}\n- [ ] avg:h{*}\n\
         [x] avg:i{*}\n– avg:j{*}\n- \"avg:k{x:y,z:w}\"\n\"- avg:l{*}\"\n- 'top(m{*}, 10, ''mean'', ''desc'')'\n- `avg:n{*}`\n- (avg:o{*} / avg:p{*})",
        expect![[r#"
            avg:a{*} by {host}.rollup(avg, 60).fill(null) @60
            avg:b{*}.rollup(avg, 60).fill(null) @60
            avg:c{*}.rollup(avg, 60).fill(null) @60
            avg:d{*}.rollup(avg, 60).fill(null) @60
            avg:e{*}.rollup(avg, 60).fill(null) @60
            avg:f{*}.rollup(avg, 60).fill(null) @60
            avg:g{*}.rollup(avg, 60).fill(null) @60
            avg:h{*}.rollup(avg, 60).fill(null) @60
            avg:i{*}.rollup(avg, 60).fill(null) @60
            avg:j{*}.rollup(avg, 60).fill(null) @60
            avg:k{x:y,z:w}.rollup(avg, 60).fill(null) @60
            avg:l{*}.rollup(avg, 60).fill(null) @60
            avg:n{*}.rollup(avg, 60).fill(null) @60
            (avg:o{*}.rollup(avg, 60).fill(null) / avg:p{*}.rollup(avg, 60).fill(null)) @60
            q:13:4: `top` ranks series over the range asked for, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              - 'top(m{*}, 10, ''mean'', ''desc'')'
                 ^^^
            q:1:1: the bullet `-` is left out; the negative of a query is written `0 - avg:…`; likewise lines 8, 10, 11 and 3 more
            q:2:1: the bullet `*` is left out; likewise lines 3, 4, 5 and 3 more
        "#]],
    );
}

#[test]
fn a_list_of_bullets_gets_one_note() {
    let lines: Vec<_> = (0..500).map(|index| format!("- avg:m{index}{{*}}")).collect();
    let found = list("q", &lines.join("\n"), &settings());
    assert_eq!((found.queries.len(), found.refused.len()), (500, 0));
    let notes: Vec<_> = found.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "q:1:1: the bullet `-` is left out; the negative of a query is written `0 - avg:…`; likewise lines 2, 3, 4 and 496 more"
        ]
    );
}

#[test]
fn a_minus_is_no_bullet() {
    check(
        "-avg:a{*}\n–avg:b{*}\n- -avg:c{*}\n-abs(d{*}) + e{*}\n-1 * avg:f{*}\n- 1 * avg:g{*}\n(-avg:h{*} + 1)\n( - avg:i{*})\n\
         avg:j{*}, -avg:k{*}\n0 - avg:l{*}\n1. * avg:m{*}\n(1) + avg:n{*}\n-",
        expect![[r#"
            -1 * avg:f{*}.rollup(avg, 60).fill(null) @60
            1 * avg:g{*}.rollup(avg, 60).fill(null) @60
            (-avg:h{*}.rollup(avg, 60).fill(null) + 1) @60
            (-avg:i{*}.rollup(avg, 60).fill(null)) @60
            avg:j{*}.rollup(avg, 60).fill(null) @60
            -avg:k{*}.rollup(avg, 60).fill(null) @60
            0 - avg:l{*}.rollup(avg, 60).fill(null) @60
            1. * avg:m{*}.rollup(avg, 60).fill(null) @60
            (1) + avg:n{*}.rollup(avg, 60).fill(null) @60
            q:1:1: `-` may be a bullet or a minus here; leave it out, or write `0 - avg:a{*}`
              -avg:a{*}
              ^
            q:2:1: `–` may be a bullet or a minus here; leave it out, or write `0 - avg:b{*}`
              –avg:b{*}
              ^
            q:3:3: `-` may be a bullet or a minus here; leave it out, or write `0 - avg:c{*}`
              - -avg:c{*}
                ^
            q:4:1: `-` may be a bullet or a minus here; leave it out, or write `0 - abs(d{*}) + e{*}`
              -abs(d{*}) + e{*}
              ^
            q:13:2: expected a query such as `avg:metric{*}`, found the end
              -
               ^
            q:6:1: the bullet `-` is left out; the negative of a query is written `0 - avg:…`
        "#]],
    );
}

#[test]
fn comments_of_other_notations_are_passed_over() {
    check(
        "-- avg:a{*}\n--avg:a{*}\n---\n// avg:a{*}\n  ; avg:a{*}\n- # avg:a{*}\n\"# avg:a{x,y}\"\n#avg:a{*}\navg:b{*} # avg:a{*}",
        expect![[r#"
            avg:b{*}.rollup(avg, 60).fill(null) @60
        "#]],
    );
}

#[test]
fn monitors_give_their_query() {
    check(
        "avg(last_5m):avg:a{*} by {host} > 3\nchange(avg(last_5m),last_1h):avg:b{*}.rollup(max, 300) > 25\n\
         \"pct_change(min(last_1d), 5m_ago):sum:c{x:y,z:\"\"w\"\"}.as_count() <= -1e3\"\n- percentile(last_5m):p95:d{$env} >= 0.5\n\
         avg(last_4h):anomalies(avg:e{*}, 'agile', 2, direction='both') >= 1\navg(last_5m):avg:f{*\navg(last_5m):top(g{*}, 10, 'mean', 'desc') > 1\n\
         avg:h{*}, avg(last_5m):avg:i{*} > 1\navg:j{*} > 5\navg(last_5m):avg:k > 3",
        expect![[r#"
            avg:a{*} by {host}.rollup(avg, 60).fill(null) @60
            avg:b{*}.rollup(max, 300).fill(null) @300
            sum:c{x:y,z:"w"}.as_count().rollup(sum, 60) @60
            p95:d{env:prod}.rollup(60).fill(null) @60
            avg:e{*}.rollup(avg, 60).fill(null) @60
            q:6:19: `{` is never closed
              avg(last_5m):avg:f{*
                                ^
            q:7:14: `top` ranks series over the range asked for, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              avg(last_5m):top(g{*}, 10, 'mean', 'desc') > 1
                           ^^^
            q:8:11: this is a monitor; its query is what follows the first `:`, without the comparison at the end
              avg:h{*}, avg(last_5m):avg:i{*} > 1
                        ^^^^^^^^^^^^^
            q:9:10: a comparison belongs to a monitor and to no query; leave `> 5` out
              avg:j{*} > 5
                       ^^^
            q:10:14: this is no query yet; did you mean `avg:k{*}`?
              avg(last_5m):avg:k > 3
                           ^^^^^
            q:1:1: the query of this monitor is exported, without `avg(last_5m):` and `> 3`; likewise lines 2, 3, 4 and 1 more
            q:4:1: the bullet `-` is left out; the negative of a query is written `0 - avg:…`
        "#]],
    );
}

#[test]
fn what_asks_no_metric_is_named() {
    for (line, kind) in [
        (r#"logs("service:shop").index("*").rollup("count").last("5m") > 3"#, "a log monitor"),
        (r#""logs(\"service:shop\").rollup(\"count\").last(\"5m\")""#, "a log monitor"),
        ("events('sources:shop').rollup('count').last('1d') >= 1", "an event monitor"),
        (r#""shop.up".over("*").last(2).count_by_status()"#, "a service check monitor"),
        (r#"- "\"shop.up\".over(\"*\").last(2).count_by_status()""#, "a service check monitor"),
        ("processes('shop').over('*').rollup('count').last('10m') < 1", "a process monitor"),
        (r#"rum("@type:error").rollup("count").last("5m") > 1"#, "a RUM monitor"),
        (r#"trace-analytics("a:b").rollup("count").last("5m") > 1"#, "a trace analytics monitor"),
        ("no_query", "a synthetics monitor"),
        (r#"audit("@x:{{y}}").rollup("count").last("5m") > 1"#, "an audit monitor"),
        (r#"ci-tests("type:test").rollup("count").last("5m") > 1"#, "a CI monitor"),
        (r#"error-tracking-rum("a").last("1h") >= 1"#, "an error tracking monitor"),
        (r#"error_budget("0a1b").over("7d") > 10"#, "an SLO monitor"),
        (r#"burn_rate("0a1b").over("30d").long_window("1h") > 14"#, "an SLO monitor"),
        (r#"shop-things("a").rollup("count").last("5m") > 1"#, "a monitor of `shop-things`"),
    ] {
        let found = list("q", line, &settings());
        let reasons: Vec<_> = found.refused.iter().map(|one| one.reason.to_string()).collect();
        let expected = format!(
            "this is {kind}, which asks for no metric; jindo exports metrics: delete the line"
        );
        assert_eq!(reasons, [expected], "{line}");
    }
}

#[test]
fn monitors_of_what_stands_elsewhere_say_so() {
    check(
        "formula(\"query1 / query2 * 100\").last(\"15m\") >= 0.8\n12345 && !(67890 || 2)\n1 + 2\nfrobnicate(\"a\")",
        expect![[r#"
            q:1:1: this is the formula of a monitor (of logs, RUM, costs, …), whose queries stand elsewhere in it; write those that are metric queries here
              formula("query1 / query2 * 100").last("15m") >= 0.8
              ^^^^^^^
            q:2:1: this is a composite monitor: it combines other monitors by their numbers; write their queries here
              12345 && !(67890 || 2)
              ^^^^^^^^^^^^^^^^^^^^^^
            q:3:1: nothing is asked here: there is no metric in it
              1 + 2
              ^^^^^
            q:4:1: jindo does not know the function `frobnicate`, nor whether its value depends on the range; export what is within it, or give --allow-range-functions
              frobnicate("a")
              ^^^^^^^^^^
        "#]],
    );
}

#[test]
fn placeholders_are_named_by_their_tool() {
    check(
        "avg:m{e:<%= env %>} by {host}\navg:m{e:<YOUR_ENV>}\navg:m{e:[[env]]}\navg:m{e:@env@,h:x-@h@}\navg:m{e:${var.env}}\navg:m{e:${AWS::Region}}\n\
         avg:m{${scope}}\navg:m{e:{{ env }}}\navg:m{{{host}}}\navg:m{{e:prod}} by {{host}}",
        expect![[r#"
            q:1:9: `<%= env %>` is a placeholder of ERB; write its value in its place
              avg:m{e:<%= env %>} by {host}
                      ^^^^^^^^^^
            q:2:9: `<YOUR_ENV>` is a placeholder; write its value in its place
              avg:m{e:<YOUR_ENV>}
                      ^^^^^^^^^^
            q:3:9: `[[env]]` is a placeholder of Grafana; write its value in its place
              avg:m{e:[[env]]}
                      ^^^^^^^
            q:4:9: `@env@` is a placeholder of Ant, Maven or CMake; write its value in its place
              avg:m{e:@env@,h:x-@h@}
                      ^^^^^
            q:5:9: `${var.env}` is a placeholder of Terraform; write its value in its place
              avg:m{e:${var.env}}
                      ^^^^^^^^^^
            q:6:9: `${AWS::Region}` is a placeholder of CloudFormation; write its value in its place
              avg:m{e:${AWS::Region}}
                      ^^^^^^^^^^^^^^
            q:7:7: `${scope}` is a placeholder of a shell, Grafana or Terraform; write its value in its place
              avg:m{${scope}}
                    ^^^^^^^^
            q:8:9: `{{ env }}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg:m{e:{{ env }}}
                      ^^^^^^^^^
            q:9:7: `{{host}}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg:m{{{host}}}
                    ^^^^^^^^
            q:10:6: each brace of `{{e:prod}}` stands twice, as in a template; write it once
              avg:m{{e:prod}} by {{host}}
                   ^^^^^^^^^^
        "#]],
    );
}

#[test]
fn placeholders_of_programs_and_within_lines_are_named() {
    check(
        "avg:m{e:%s}\navg:m{e:%(env)s}\navg:m{e:%ENV%}\n\
         avg:m{e:#{env}}\navg:m{e:$(ENV)}\navg:m{e:{env},h:{0}}\n{% for m in all %}\navg:{{ metric }}{*}\n<%= query %>\n[[agg]]:m{*}\n\
         avg:m{*} by {[[group]]}\navg:m{*}.rollup(avg, ${var.s})\navg:m{e:\"{{ env }}\"}\navg(last_5m):avg:m{e:{{env}}} > 3",
        expect![[r#"
            q:1:9: `%s` is a placeholder of C, Go or Python; write its value in its place
              avg:m{e:%s}
                      ^^
            q:2:9: `%(env)s` is a placeholder of Python; write its value in its place
              avg:m{e:%(env)s}
                      ^^^^^^^
            q:3:9: `%ENV%` is a placeholder of a Windows shell; write its value in its place
              avg:m{e:%ENV%}
                      ^^^^^
            q:4:9: `#{env}` is a placeholder of Ruby or Octopus; write its value in its place
              avg:m{e:#{env}}
                      ^^^^^^
            q:5:9: `$(ENV)` is a placeholder of a shell, Make or a pipeline; write its value in its place
              avg:m{e:$(ENV)}
                      ^^^^^^
            q:6:9: `{env}` is a placeholder of Python, C# or Rust; write its value in its place
              avg:m{e:{env},h:{0}}
                      ^^^^^
            q:7:1: `{% for m in all %}` is a placeholder of a template (Jinja, Liquid); write its value in its place
              {% for m in all %}
              ^^^^^^^^^^^^^^^^^^
            q:8:5: `{{ metric }}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg:{{ metric }}{*}
                  ^^^^^^^^^^^^
            q:9:1: `<%= query %>` is a placeholder of ERB; write its value in its place
              <%= query %>
              ^^^^^^^^^^^^
            q:10:1: `[[agg]]` is a placeholder of Grafana; write its value in its place
              [[agg]]:m{*}
              ^^^^^^^
            q:11:14: `[[group]]` is a placeholder of Grafana; write its value in its place
              avg:m{*} by {[[group]]}
                           ^^^^^^^^^
            q:12:22: `${var.s}` is a placeholder of Terraform; write its value in its place
              avg:m{*}.rollup(avg, ${var.s})
                                   ^^^^^^^^
            q:13:10: `{{ env }}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg:m{e:"{{ env }}"}
                       ^^^^^^^^^
            q:14:22: `{{env}}` is a placeholder of a template (Jinja, Helm, Go); write its value in its place
              avg(last_5m):avg:m{e:{{env}}} > 3
                                   ^^^^^^^
        "#]],
    );
}

#[test]
fn what_datadog_takes_is_no_placeholder() {
    check(
        "avg:m{$env,e:$env.value,u:a@b.c,v:d@e,w:@f}\navg:m{errors:>5 OR d:<3,x:>=1}\navg:m{u:100%,v:%free,p:/a%20b}\navg:m{*} # <todo> {{x}}\n\
         avg:m{e:__prod__,f:[a],g:~x~}\ncount(v: v<5):m{*}, count(v: v>5):m{*}\navg:m{e:a*b?}",
        expect![[r#"
            avg:m{env:prod,e:prod,u:a@b.c,v:d@e,w:@f}.rollup(avg, 60).fill(null) @60
            avg:m{errors:>5 OR d:<3,x:>=1}.rollup(avg, 60).fill(null) @60
            avg:m{u:100%,v:%free,p:/a%20b}.rollup(avg, 60).fill(null) @60
            avg:m{*}.rollup(avg, 60).fill(null) @60
            avg:m{e:__prod__,f:[a],g:~x~}.rollup(avg, 60).fill(null) @60
            count(v: v<5):m{*}.rollup(60).fill(null) @60
            count(v: v>5):m{*}.rollup(60).fill(null) @60
            avg:m{e:a*b?}.rollup(avg, 60).fill(null) @60
            q:2:25: this scope mixes AND, OR, NOT or IN with `,` or `!`, which the server refuses; write AND for `,` and NOT for `!` (asked as it is)
        "#]],
    );
}

#[test]
fn names_of_queries_are_told_from_metrics() {
    check(
        "query1 / query2 * 100\na + b\n(a / b) * 100\nquery1\nquery1-query2\ndefault_zero(query1)\nabs(system.load) / query2\nerrors / hits\n\
         errors\nsystem.load.1 / system.load.5\nmy-metric\nquery1 / avg:m{*}\nQuery\nCPU and memory:\navg:",
        expect![[r#"
            q:1:1: `query1` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              query1 / query2 * 100
              ^^^^^^
            q:2:1: `a` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              a + b
              ^
            q:3:2: `a` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              (a / b) * 100
               ^
            q:4:1: `query1` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              query1
              ^^^^^^
            q:5:1: `query1` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              query1-query2
              ^^^^^^
            q:6:14: `query1` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              default_zero(query1)
                           ^^^^^^
            q:7:20: `query2` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              abs(system.load) / query2
                                 ^^^^^^
            q:8:1: `errors` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              errors / hits
              ^^^^^^
            q:9:1: this is no query yet; did you mean `avg:errors{*}`?
              errors
              ^^^^^^
            q:10:1: this is no query yet; did you mean `avg:system.load.1{*}`?
              system.load.1 / system.load.5
              ^^^^^^^^^^^^^
            q:11:1: Datadog reads the `-` in `my-metric` as minus; metric names hold letters, digits, `_` and `.` only
              my-metric
              ^^^^^^^^^
            q:12:1: `query1` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              query1 / avg:m{*}
              ^^^^^^
            q:13:1: this looks like a heading; begin the line with `#`, or delete it
              Query
              ^^^^^
            q:14:1: this looks like a heading; begin the line with `#`, or delete it
              CPU and memory:
              ^^^^^^^^^^^^^^^
            q:15:5: expected a metric's name, found the end
              avg:
                  ^
        "#]],
    );
}

#[test]
fn a_note_names_the_first_lines_of_which_it_holds() {
    let of = |lines: usize| words(&list("q", &"m{*}\n".repeat(lines), &settings()));
    let tail = |text: String| text.trim_end().rsplit_once("once").unwrap().1.to_owned();
    let tails = [2, 3, 4, 5, 9].map(|lines| tail(of(lines)));
    assert_eq!(
        tails,
        [
            "",
            "; likewise line 3",
            "; likewise lines 3 and 4",
            "; likewise lines 3, 4 and 5",
            "; likewise lines 3, 4, 5 and 4 more"
        ]
    );
}
