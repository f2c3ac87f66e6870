//! Properties over generated queries: printing and reading are inverse, and no text at all makes the reader panic.

use super::settings;
use crate::query::ast::{Aggregator, Arg, Expr, Modifier, Part, ScopePart, SeriesExpr, Tag};
use crate::query::{Span, decode, grammar, list};
use proptest::prelude::*;

fn tag() -> impl Strategy<Value = Tag> {
    let text = r"[a-z][a-z0-9_./@-]{0,6}(:[a-zA-Z0-9가-힣*_./:-]{0,8})?|\*|\$[a-z]{1,4}(\.value)?";
    let word = |text: &String| !matches!(text.as_str(), "and" | "or" | "not" | "in");
    let text = text.prop_filter("operators are no tags", word);
    text.prop_map(|text| Tag { text, span: Span::default() })
}

/// Parts with operators between them.
fn several(
    one: impl Strategy<Value = Vec<ScopePart>> + Clone + 'static,
) -> BoxedStrategy<Vec<ScopePart>> {
    let operator = prop::sample::select(vec![",", " AND ", " OR "]).prop_map(ScopePart::Operator);
    (one.clone(), prop::collection::vec((operator, one), 0..3))
        .prop_map(|(first, rest)| {
            let rest =
                rest.into_iter().flat_map(|(operator, part)| [vec![operator], part].concat());
            first.into_iter().chain(rest).collect()
        })
        .boxed()
}

fn scope() -> impl Strategy<Value = Vec<ScopePart>> {
    let values = prop::collection::vec(tag(), 1..4);
    let membership = prop_oneof![Just(" IN ("), Just(" NOT IN (")];
    let leaf = prop_oneof![
        4 => tag().prop_map(|tag| vec![ScopePart::Tag(tag)]),
        1 => (tag(), membership, values).prop_map(|(key, operator, values)| {
            let mut parts = vec![ScopePart::Member(key), ScopePart::Operator(operator)];
            for value in values {
                parts.extend([ScopePart::Member(value), ScopePart::Operator(",")]);
            }
            parts.pop();
            parts.push(ScopePart::Operator(")"));
            parts
        }),
    ];
    let item = leaf.prop_recursive(2, 8, 3, |inner| {
        let operator = prop_oneof![Just("!"), Just("NOT ")].prop_map(ScopePart::Operator);
        let unary = prop_oneof![
            3 => inner.clone(),
            1 => (operator, inner).prop_map(|(operator, inner)| [vec![operator], inner].concat()),
        ];
        let [open, close] = ["(", ")"].map(|text| vec![ScopePart::Operator(text)]);
        several(unary).prop_map(move |inner| [open.clone(), inner, close.clone()].concat())
    });
    several(item)
}

fn value() -> impl Strategy<Value = Arg> {
    prop_oneof![
        r"-?[0-9]{1,4}(\.[0-9]{1,2})?".prop_map(Arg::Number),
        r"'[a-z ,(){}가]{0,5}'".prop_map(Arg::Text),
        "[a-z_]{1,5}".prop_map(Arg::Word),
    ]
}

fn modifiers() -> impl Strategy<Value = Vec<Modifier>> {
    let arg = prop_oneof![
        4 => value(),
        1 => ("[a-z]{1,4}", value()).prop_map(|(name, value)| Arg::Named(format!("{name}={value}"))),
    ];
    let one = ("[a-z_]{1,8}", prop::collection::vec(arg, 0..3));
    let one = one.prop_map(|(name, args)| Modifier { name, args, span: Span::default() });
    prop::collection::vec(one, 0..3)
}

fn series() -> impl Strategy<Value = Part> {
    let aggregator = prop_oneof![
        Just(None),
        Just(Some(Aggregator::Avg)),
        Just(Some(Aggregator::Percentile("99.9".into()))),
        Just(Some(Aggregator::CountIf { compare: ">=".into(), bound: "-1.5".into() })),
    ];
    let by = prop::collection::btree_set("[a-z][a-z._-]{0,4}", 0..3);
    (aggregator, "[a-zA-Z][a-zA-Z0-9_.]{0,8}", scope(), by, modifiers()).prop_map(
        |(aggregator, metric, scope, by, modifiers)| {
            let by = by.into_iter().map(|text| Tag { text, span: Span::default() }).collect();
            let span = Span::default();
            Part::Series(SeriesExpr { aggregator, metric, scope, by, modifiers, span })
        },
    )
}

fn said(text: impl Into<String>) -> Vec<Part> {
    vec![Part::Text(text.into())]
}

fn chain(one: BoxedStrategy<Vec<Part>>) -> BoxedStrategy<Vec<Part>> {
    let operator = prop::sample::select(vec![" + ", " - ", " * ", " / "]);
    (one.clone(), prop::collection::vec((operator, one), 0..3))
        .prop_map(|(first, rest)| {
            let rest =
                rest.into_iter().flat_map(|(operator, part)| [said(operator), part].concat());
            first.into_iter().chain(rest).collect()
        })
        .boxed()
}

fn expr() -> impl Strategy<Value = Expr> {
    let number = r"[0-9]{1,4}(\.[0-9]{1,2})?".prop_map(said);
    let leaf = prop_oneof![1 => number, 4 => series().prop_map(|series| vec![series])];
    let closed = |modifiers: Vec<Modifier>| {
        said(")").into_iter().chain(modifiers.into_iter().map(Part::Modifier)).collect::<Vec<_>>()
    };
    let factor = leaf.prop_recursive(2, 6, 3, move |inner| {
        let whole = chain(inner.clone().boxed());
        let arg = prop_oneof![value().prop_map(|value| said(value.to_string())), whole.clone()];
        let call = ("[a-z]{3,6}_x", prop::collection::vec(arg, 0..3), modifiers());
        prop_oneof![
            inner.prop_map(|inner| [said("-"), inner].concat()),
            (whole, modifiers()).prop_map(move |(inner, modifiers)| [
                said("("),
                inner,
                closed(modifiers)
            ]
            .concat()),
            call.prop_map(move |(name, args, modifiers)| {
                let function = Part::Function { name, span: Span::default() };
                [vec![function], args.join(&said(", ")[..]), closed(modifiers)].concat()
            }),
        ]
    });
    chain(factor.boxed()).prop_map(|all| {
        let mut parts: Vec<Part> = Vec::new();
        for part in all {
            match (parts.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
        Expr { parts, span: Span::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn printing_and_reading_are_inverse(expr in expr()) {
        let printed = expr.to_string();
        match grammar::parse(&printed) {
            Ok(again) => prop_assert_eq!(again, expr, "{}", printed),
            Err(refused) => prop_assert!(false, "{}: {}", printed, refused),
        }
    }

    /// Bullets, quotes and the rest of a monitor change nothing in the query.
    #[test]
    fn a_query_is_the_same_in_every_wrapping(expr in expr()) {
        let printed = expr.to_string();
        prop_assume!(!printed.starts_with('-'));
        let sent = |text: &str| {
            let found = list("q", text, &settings());
            found.queries.into_iter().map(|query| query.text).collect::<Vec<_>>()
        };
        let plain = sent(&printed);
        for wrapped in [
            format!("  - {printed}"),
            format!("12. {printed}"),
            format!("* [x] \"{}\"", printed.replace('"', "\"\"")),
            format!("change(avg(last_5m),last_1h): {printed} >= -1.5e3"),
        ] {
            prop_assert_eq!(sent(&wrapped), plain.clone(), "{}", wrapped);
        }
    }

    #[test]
    fn no_bytes_make_a_list_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let found = list("q", &decode(&bytes), &settings());
        prop_assert!(found.refused.iter().all(|complaint| complaint.line > 0 && !complaint.to_string().is_empty()));
    }

    #[test]
    fn no_soup_of_tokens_makes_a_list_panic(words in prop::collection::vec(prop::sample::select(SOUP.to_vec()), 0..24)) {
        let text = words.concat();
        let found = list("q", &text, &settings());
        prop_assert!(found.refused.iter().all(|complaint| !complaint.to_string().is_empty()));
        // What travels is in normal form, and reads back.
        for query in found.queries {
            let again = grammar::parse(&query.text.sent).map(|expr| expr.to_string());
            prop_assert_eq!(again.as_deref(), Ok(query.text.sent.as_str()));
        }
    }
}

const SOUP: [&str; 51] = [
    ": ",
    "12am",
    "/",
    "“",
    "：",
    "\u{a0}",
    ".rollup(sum, daily",
    "avg:",
    "sum:",
    "m",
    "m{*}",
    "{",
    "}",
    "*",
    "$host",
    "$",
    ":",
    "(",
    ")",
    ",",
    " by ",
    "by {",
    "a:b",
    ".rollup(",
    ".fill(",
    "'",
    "\"",
    " AND ",
    " OR ",
    "!",
    " IN (",
    "한글",
    "-",
    "1",
    ".",
    "60",
    "top(",
    "count(v: v>=",
    "\n",
    "- ",
    "1. ",
    "`",
    "avg(last_5m):",
    "anomalies(",
    " > 3",
    "{{",
    "}}",
    "@a@",
    "<%",
    "#",
    " ",
];
