//! Properties over generated queries: printing and reading are inverse, and no text at all makes the reader panic.

use super::settings;
use crate::query::ast::{Aggregator, Arg, Expr, Modifier, Node, ScopeExpr, SeriesExpr, Tag, Value};
use crate::query::{Span, decode, grammar, list};
use proptest::prelude::*;

fn tag() -> impl Strategy<Value = Tag> {
    let text = r"[a-z][a-z0-9_./@-]{0,6}(:[a-zA-Z0-9가-힣*_./:-]{0,8})?|\*|\$[a-z]{1,4}(\.value)?";
    let word = |text: &String| !matches!(text.as_str(), "and" | "or" | "not" | "in");
    let text = text.prop_filter("operators are no tags", word);
    text.prop_map(|text| Tag { text, span: Span::default() })
}

fn several<T: std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + 'static,
    many: fn(Vec<T>) -> T,
) -> BoxedStrategy<T> {
    let several = prop::collection::vec(one, 1..3);
    several
        .prop_map(move |mut parts| if parts.len() == 1 { parts.remove(0) } else { many(parts) })
        .boxed()
}

/// Each level of precedence holds only what binds tighter.
fn scope() -> impl Strategy<Value = ScopeExpr> {
    let values = prop::collection::vec(tag(), 1..4);
    let membership = prop_oneof![Just("IN"), Just("NOT IN")];
    let leaf = prop_oneof![
        4 => tag().prop_map(ScopeExpr::Tag),
        1 => (tag(), membership, values)
            .prop_map(|(key, operator, values)| ScopeExpr::In { key, operator, values }),
    ];
    let item = leaf.prop_recursive(2, 8, 3, |inner| {
        let operator = prop_oneof![Just("!"), Just("NOT ")];
        let unary = prop_oneof![
            3 => inner.clone(),
            1 => (operator, inner)
                .prop_map(|(operator, inner)| ScopeExpr::Not { operator, inner: Box::new(inner) }),
        ];
        let or = several(several(unary, ScopeExpr::And), ScopeExpr::Or);
        several(or, ScopeExpr::Commas).prop_map(|inner| ScopeExpr::Group(Box::new(inner)))
    });
    several(several(several(item, ScopeExpr::And), ScopeExpr::Or), ScopeExpr::Commas)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        r"-?[0-9]{1,4}(\.[0-9]{1,2})?".prop_map(Value::Number),
        r"'[a-z ,(){}가]{0,5}'".prop_map(Value::Text),
        "[a-z_]{1,5}".prop_map(Value::Word),
    ]
}

fn modifiers() -> impl Strategy<Value = Vec<Modifier>> {
    let arg = prop_oneof![
        4 => value().prop_map(Arg::Value),
        1 => ("[a-z]{1,4}", value()).prop_map(|(name, value)| Arg::Named(name, value)),
    ];
    let one = ("[a-z_]{1,8}", prop::collection::vec(arg, 0..3));
    let one = one.prop_map(|(name, args)| Modifier { name, args, span: Span::default() });
    prop::collection::vec(one, 0..3)
}

fn series() -> impl Strategy<Value = Node> {
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
            Node::Series(SeriesExpr { aggregator, metric, scope, by, modifiers })
        },
    )
}

fn at(node: Node) -> Expr {
    Expr { node, span: Span::default() }
}

fn chain(one: BoxedStrategy<Expr>, operators: [char; 2]) -> BoxedStrategy<Expr> {
    let operator = prop::sample::select(operators.to_vec());
    (one.clone(), prop::collection::vec((operator, one), 0..2))
        .prop_map(|(first, rest)| match rest.len() {
            0 => first,
            _ => at(Node::Chain { first: Box::new(first), rest }),
        })
        .boxed()
}

fn sum(factor: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let product = chain(factor, ['*', '/']);
    chain(product, ['+', '-'])
}

/// As an argument a number with or without sign is a value.
fn argument(expr: Expr) -> Arg {
    let unsigned = |expr: &Expr| matches!(expr.node, Node::Number(_));
    let number = unsigned(&expr) || matches!(&expr.node, Node::Negate(inner) if unsigned(inner));
    let group = |expr| at(Node::Group { inner: Box::new(expr), modifiers: Vec::new() });
    Arg::Expr(if number { group(expr) } else { expr })
}

fn expr() -> impl Strategy<Value = Expr> {
    let number = r"[0-9]{1,4}(\.[0-9]{1,2})?".prop_map(Node::Number);
    let leaf = prop_oneof![1 => number, 4 => series()].prop_map(at);
    let factor = leaf.prop_recursive(2, 6, 3, |inner| {
        let whole = sum(inner.clone().boxed());
        let arg = prop_oneof![value().prop_map(Arg::Value), whole.clone().prop_map(argument)];
        let call = ("[a-z]{3,6}_x", prop::collection::vec(arg, 0..2), modifiers());
        prop_oneof![
            inner.prop_map(|inner| Node::Negate(Box::new(inner))),
            (whole, modifiers())
                .prop_map(|(inner, modifiers)| Node::Group { inner: Box::new(inner), modifiers }),
            call.prop_map(|(name, args, modifiers)| Node::Call { name, args, modifiers }),
        ]
        .prop_map(at)
    });
    sum(factor.boxed())
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

const SOUP: [&str; 34] = [
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
    "#",
    " ",
];
