//! The grammar by data: what is read, and how what is not read is refused.

use expect_test::{Expect, expect};

use super::*;

fn check(text: &str, expected: &Expect) {
    let found = match parse_list(text) {
        Ok(queries) => {
            queries.iter().map(|query| short(&query.expr)).collect::<Vec<_>>().join("\n")
        }
        Err(e) => e.to_string(),
    };
    expected.assert_eq(&found);
}

/// An expression with everything that was understood, unambiguously.
fn short(expr: &Expr) -> String {
    match expr {
        Expr::Number(n) => format!("{n}"),
        Expr::Negate(inner) => format!("(-{})", short(inner)),
        Expr::Binary { operator, left, right } => {
            format!("({} {} {})", short(left), operator.symbol(), short(right))
        }
        Expr::Call { function, args } => {
            let args: Vec<String> = args
                .iter()
                .map(|arg| match arg {
                    Arg::Expr(inner) => short(inner),
                    Arg::Text(text) => format!("{text:?}"),
                })
                .collect();
            format!("{function}({})", args.join(", "))
        }
        Expr::Series(s) => format!(
            "{:?} {} {} by {:?} {:?} {:?} {:?}",
            s.aggregator,
            s.metric,
            filter(&s.filter),
            s.by,
            s.rollup.map(|r| (r.method, r.interval_s)),
            s.counting,
            s.fill
        ),
    }
}

fn filter(f: &Filter) -> String {
    let join = |parts: &[Filter], word: &str| {
        format!("({})", parts.iter().map(filter).collect::<Vec<_>>().join(word))
    };
    match f {
        Filter::All => "*".to_owned(),
        Filter::Tag(pattern) => pattern.clone(),
        Filter::Not(inner) => format!("!{}", filter(inner)),
        Filter::And(parts) => join(parts, " & "),
        Filter::Or(parts) => join(parts, " | "),
    }
}

#[test]
fn series() {
    check(
        "avg:aws.ec2.cpuutilization{*} by {az, role}",
        &expect![[r#"Some(Avg) aws.ec2.cpuutilization * by ["az", "role"] None None None"#]],
    );
    check(
        "sum:m.95percentile{bar:baz}by{host}.as_count().rollup(sum, 60)",
        &expect![[
            r#"Some(Sum) m.95percentile bar:baz by ["host"] Some((Some(Sum), Some(60))) Some(AsCount) None"#
        ]],
    );
    check(
        "count(v: v>=0):data_streams.latency{type:rabbitmq AND (topic:a )} by {start}.as_rate().rollup(10)",
        &expect![[
            r#"Some(CountIf([Greater, Equal], 0.0)) data_streams.latency (type:rabbitmq & topic:a) by ["start"] Some((None, Some(10))) Some(AsRate) None"#
        ]],
    );
    check(
        "p99.99:m{*}.rollup(60).fill(last, 600).weighted()",
        &expect![
            "Some(Percentile(99.99)) m * by [] Some((None, Some(60))) None Some(Last { limit_s: 600 })"
        ],
    );
    check("powerdns.questions{*}", &expect!["None powerdns.questions * by [] None None None"]);
}

#[test]
fn scopes() {
    check(
        "avg:m{!az:*a, !az:*b,*}",
        &expect!["Some(Avg) m (!az:*a & !az:*b) by [] None None None"],
    );
    check(
        "avg:m{(kind IN (HelmChart,b)) AND code NOT IN (4, 5) or NOT x:2*}",
        &expect![
            "Some(Avg) m (((kind:helmchart | kind:b) & !(code:4 | code:5)) | !x:2*) by [] None None None"
        ],
    );
    check(
        "avg:m{image_name:k8s.gcr.io/kube:1.2,certificatearn:arn:aws:acm:x,한글:값}",
        &expect![
            "Some(Avg) m (image_name:k8s.gcr.io/kube:1.2 & certificatearn:arn:aws:acm:x & 한글:값) by [] None None None"
        ],
    );
}

#[test]
fn lists_and_arithmetic() {
    check(
        "avg:a{*},top(sum:b{x,y} by {h}, 10, 'mean', 'desc') , 1 + 2*-avg:c{*}/4",
        &expect![[r#"
            Some(Avg) a * by [] None None None
            top(Some(Sum) b (x & y) by ["h"] None None None, 10, "mean", "desc")
            (1 + ((2 * (-Some(Avg) c * by [] None None None)) / 4))"#]],
    );
    check("sum:a{*} by {t}*-1", &expect![[r#"(Some(Sum) a * by ["t"] None None None * (-1))"#]]);
}

#[test]
fn refusals_are_worded_as_the_server_words_them() {
    check(
        "avg:kubernetes.cpu.user.total",
        &expect![[r#"
            Error parsing query: 
            unable to parse avg:kubernetes.cpu.user.total: Rule 'scope_expr' didn't match at '' (line 1, column 30)."#]],
    );
    let bad = [
        "",
        "avg:m{*",
        "avg:m{}",
        "avg:m{$env}",
        "avg:m{host:$h}",
        "foo:m{*}",
        "p101:m{*}",
        "p99.999:m{*}",
        "sum:m{*}.as_count() by {x}",
        "avg:m{*}.rollup(sum, monthly)",
        "avg:m{*}.rollup(avg,0)",
        "avg:m{*}.rollup(avg,60).rollup(max,300)",
        "avg:m{*}.nonsense()",
        "avg:m{*} by {}",
        "avg:m{*},",
        "avg:m{*} avg:n{*}",
        "my-metric{*}",
        "anomalies(avg:m{*}, basic, 2)",
        "1e",
        ".",
    ];
    for text in bad {
        assert!(parse_list(text).is_err(), "{text}");
    }
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(parse_list(&deep).is_err(), "nesting is bounded");
    let deep = format!("avg:m{{{}a{}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(parse_list(&deep).is_err(), "nesting in scopes is bounded");
    assert!(parse_list(&"-".repeat(100_000)).is_err(), "negation is bounded");
}

#[test]
fn filters_choose_by_tags() {
    let tags: Vec<String> = ["env:prod", "az:ap-2a", "lone"].map(str::to_owned).to_vec();
    let selects = |scope: &str| {
        let parsed = parse_list(&format!("avg:m{{{scope}}}")).unwrap();
        let Expr::Series(selector) = &parsed[0].expr else { panic!("a series") };
        selector.filter.matches(&tags)
    };
    for yes in [
        "*",
        "env:prod",
        "env:*",
        "az:*a",
        "az:*-*a",
        "lone",
        "!env:dev",
        "env IN (dev,prod)",
        "ENV:PROD",
    ] {
        assert!(selects(yes), "{yes}");
    }
    for no in
        ["env:dev", "env:pro", "az:*b", "!lone", "env:prod,env:dev", "env NOT IN (prod)", "prod"]
    {
        assert!(!selects(no), "{no}");
    }
}
