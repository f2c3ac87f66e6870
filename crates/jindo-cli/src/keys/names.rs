//! Names under which keys and a site are given: Datadog's tools have two for each. Pure.

use jindo::secret::Secret;
use std::fmt;
use std::path::PathBuf;

/// Names of the API key, of the application key and of the site, the stronger first.
pub(crate) const API_KEY: [&str; 2] = ["DD_API_KEY", "DATADOG_API_KEY"];
pub(crate) const APP_KEY: [&str; 2] = ["DD_APP_KEY", "DATADOG_APP_KEY"];
pub(crate) const SITE: [&str; 3] = ["DD_SITE", "DATADOG_SITE", HOST];

/// The name that holds an address (`https://api.datadoghq.eu`) where the others hold a site.
pub(crate) const HOST: &str = "DATADOG_HOST";

/// Source of the keys, named in messages about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyOrigin {
    Environment,
    File(PathBuf),
    Command,
    /// The demo's own keys.
    BuiltIn,
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("in the environment"),
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Command => f.write_str("from --key-command"),
            Self::BuiltIn => f.write_str("of the simulated organisation"),
        }
    }
}

/// A key or a site, with the name under which it was given.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) name: &'static str,
    pub(crate) value: T,
    /// Quotes stood around it, which belong to no key and to no site.
    pub(crate) was_quoted: bool,
}

/// Returns the first of these names that has a value.
pub(crate) fn first<const N: usize>(
    names: [&'static str; N],
    read: impl Fn(&'static str) -> Option<String>,
) -> Option<Named<String>> {
    names.into_iter().find_map(|name| {
        let given = read(name)?;
        let value = given.trim_matches(is_quote).trim().to_owned();
        let was_quoted = given.trim() != value;
        (!value.is_empty()).then_some(Named { name, value, was_quoted })
    })
}

/// Quotes of keyboards and of word processors.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
}

impl Named<String> {
    pub(crate) fn secret(self) -> Named<Secret> {
        Named { name: self.name, value: Secret::new(self.value), was_quoted: self.was_quoted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_with_a_value_counts_and_quotes_do_not() {
        let read = |name: &'static str| match name {
            "DD_API_KEY" => Some("\"\"".to_owned()),
            "DATADOG_API_KEY" => Some("'abc'".to_owned()),
            "DD_APP_KEY" => Some("a\"b".to_owned()),
            "DATADOG_APP_KEY" => Some("not asked".to_owned()),
            "DATADOG_SITE" => Some("\u{201c}datadoghq.eu\u{201d}".to_owned()),
            _ => None,
        };
        let told = |named: Option<Named<String>>| {
            named.map(|Named { name, value, was_quoted }| format!("{name}={value} {was_quoted}"))
        };
        assert_eq!(told(first(API_KEY, read)).unwrap(), "DATADOG_API_KEY=abc true");
        assert_eq!(told(first(APP_KEY, read)).unwrap(), "DD_APP_KEY=a\"b false");
        assert_eq!(told(first(SITE, read)).unwrap(), "DATADOG_SITE=datadoghq.eu true");
        assert_eq!(told(first([HOST], read)), None);
    }
}
