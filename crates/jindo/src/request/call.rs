//! Calls that the API knows, as data. Pure: [`super::Client`] makes them.

use crate::plan::{Window, escape};

/// One call to the API, a `GET` each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCall {
    /// Points of queries: `list` is a comma list of them.
    Query { list: String, window: Window },
    /// Organisation of the keys.
    KeyOwner,
    /// Validity of the API key alone; says nothing of the application key (documented).
    CheckApiKey,
}

impl ApiCall {
    /// Endpoint of [`ApiCall::Query`].
    pub const QUERY: &'static str = "/api/v1/query";

    /// Returns the path without its parameters: calls of one endpoint count against the same limits.
    pub fn endpoint(&self) -> &'static str {
        match self {
            Self::Query { .. } => Self::QUERY,
            Self::KeyOwner => "/api/v2/current_user",
            Self::CheckApiKey => "/api/v1/validate",
        }
    }

    /// Returns the path with its parameters, escaped. Times are seconds; `to` is the window's end.
    pub fn path(&self) -> String {
        let endpoint = self.endpoint();
        match self {
            Self::Query { list, window } => {
                let (from, to) = (window.start_s(), window.end_s());
                format!("{endpoint}?from={from}&to={to}&query={}", escape(list))
            }
            Self::KeyOwner | Self::CheckApiKey => endpoint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_escaped_whole() {
        let window = Window::from_secs(60, 120).unwrap();
        let call = ApiCall::Query { list: "avg:a{*},b{x:y z}".to_owned(), window };
        let expected = "/api/v1/query?from=60&to=120&query=avg%3Aa%7B%2A%7D%2Cb%7Bx%3Ay%20z%7D";
        assert_eq!(call.path(), expected);
    }
}
