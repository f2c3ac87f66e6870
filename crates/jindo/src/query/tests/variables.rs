//! Template variables: one value, several, none.

use super::{check, settings, words};
use crate::query::{RewriteOptions, list};
use expect_test::{Expect, expect};

#[test]
fn variables_become_what_dashboards_make_of_them() {
    check(
        "m{$host,!$env}\nm{h:$host,e:$env.value,$host.key:x} by {$host.key}\nm{$kong.service}\nm{$all,x:$all}\n\
         m{$Scope AND x:$Scope.value}\nm{env IN ($env,$env.value)}\nm{url:$env.value-$host.value/x}\nm{$hosts,$nope.value}\nm{p:$pod.value-*,q:x-$team.key-*,r:$zone-*,s:$k.values.value}\nm{$evil}\nm{$empty}\n$host",
        expect![[r#"
            m{host:web-1,!env:prod}.rollup(avg, 60).fill(null) @60
            m{h:web-1,e:prod,host:x} by {host}.rollup(avg, 60).fill(null) @60
            m{kong.service:api}.rollup(avg, 60).fill(null) @60
            m{*,x:*}.rollup(avg, 60).fill(null) @60
            m{team:a:b AND x:a:b}.rollup(avg, 60).fill(null) @60
            m{env IN (prod,prod)}.rollup(avg, 60).fill(null) @60
            m{url:prod-web-1/x}.rollup(avg, 60).fill(null) @60
            q:8:3: give --var hosts=VALUE --var nope=VALUE for `$hosts`, `$nope`
              m{$hosts,$nope.value}
                ^^^^^^
            q:9:3: give --var pod=VALUE --var team=VALUE --var zone=VALUE --var k.values=VALUE for `$pod`, `$team`, `$zone`, `$k.values`
              m{p:$pod.value-*,q:x-$team.key-*,r:$zone-*,s:$k.values.value}
                ^^^^^^^^^^^^^^
            q:10:3: the value `a} by {b` of --var evil cannot stand in a scope; a value is that of a tag, `KEY:VALUE` or `*`, without spaces, braces, quotes or `$`; several have a comma between them
              m{$evil}
                ^^^^^
            q:11:3: the value `` of --var empty cannot stand in a scope; a value is that of a tag, `KEY:VALUE` or `*`, without spaces, braces, quotes or `$`; several have a comma between them
              m{$empty}
                ^^^^^^
            q:12:1: a variable can stand within braces only; write its value here
              $host
              ^
        "#]],
    );
}

/// The settings of the other tests with these variables.
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_given(given: &[(&str, &str)], lines: &str, expected: Expect) {
    let variables = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = RewriteOptions { variables: variables.collect(), ..settings() };
    let found = list("q", lines, &settings);
    // What is shown of a query, typed, is that query.
    for query in &found.queries {
        let typed = list("q", &query.text.written, &settings);
        assert_eq!(typed.queries, std::slice::from_ref(query));
    }
    let written = found.queries.iter().map(|query| format!("{}\n", query.text.written));
    expected.assert_eq(&(written.collect::<String>() + &words(&found)));
}

#[test]
fn several_values_of_a_variable_make_several_queries() {
    check_given(
        &[("env", "prod, staging"), ("host", "a,b,a"), ("one", "x:y"), ("key", "k1:v,k2:w")],
        "avg:m{ $env , $one } / avg:n{env: $env.value}\nsum:m{$host AND $env}\nm{$one}\nm{*} by { z, $key.key }",
        expect![[r#"
            avg:m{ env:prod , x:y } / avg:n{env:prod}
            avg:m{ env:staging , x:y } / avg:n{env:staging}
            sum:m{host:a AND env:prod}
            sum:m{host:a AND env:staging}
            sum:m{host:b AND env:prod}
            sum:m{host:b AND env:staging}
            m{$one}
            m{*} by { z, k1 }
            m{*} by { z, k2 }
            avg:m{env:prod,x:y}.rollup(avg, 60).fill(null) / avg:n{env:prod}.rollup(avg, 60).fill(null) @60
            avg:m{env:staging,x:y}.rollup(avg, 60).fill(null) / avg:n{env:staging}.rollup(avg, 60).fill(null) @60
            sum:m{host:a AND env:prod}.rollup(avg, 60).fill(null) @60
            sum:m{host:a AND env:staging}.rollup(avg, 60).fill(null) @60
            sum:m{host:b AND env:prod}.rollup(avg, 60).fill(null) @60
            sum:m{host:b AND env:staging}.rollup(avg, 60).fill(null) @60
            m{x:y}.rollup(avg, 60).fill(null) @60
            m{*} by {k1,z}.rollup(avg, 60).fill(null) @60
            m{*} by {k2,z}.rollup(avg, 60).fill(null) @60
        "#]],
    );
}

#[test]
fn values_that_are_none_and_too_many_combinations_are_told() {
    let many = (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    check_given(
        &[("env", "prod,,staging"), ("bad", "a b,c"), ("x", &many), ("y", &many)],
        "m{$env}\nm{$bad}\nm{$x,$y}",
        expect![[r#"
            q:1:3: the value `` of --var env cannot stand in a scope; a value is that of a tag, `KEY:VALUE` or `*`, without spaces, braces, quotes or `$`; several have a comma between them
              m{$env}
                ^^^^
            q:2:3: the value `a b` of --var bad cannot stand in a scope; a value is that of a tag, `KEY:VALUE` or `*`, without spaces, braces, quotes or `$`; several have a comma between them
              m{$bad}
                ^^^^
            q:3:1: the values of `$x`, `$y` make more than 1000 queries of this one; give fewer, or `*` for all
              m{$x,$y}
              ^^^^^^^^
        "#]],
    );
}

#[test]
fn a_list_made_long_by_values_ends_at_the_bound() {
    let many = (0..1_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let settings = RewriteOptions { variables: [("x".to_owned(), many)].into(), ..settings() };
    let lines = "m{$x}\n".repeat(102);
    let found = list("q", &lines, &settings);
    assert_eq!(found.queries.len(), 1_000);
    let told = found.refused.iter().map(|complaint| complaint.reason.to_string());
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["the list holds more than 100000 queries; split it into several lists"]
    );
}
