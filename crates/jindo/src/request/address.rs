//! Address of the API, read once, so that keys and proxies are decided on the very host that is asked; and the calls that it
//! knows, as data: [`super::Client`] makes them. Pure.

use crate::plan::{Window, escape};
use std::cell::Cell;
use std::fmt;
use url::{Host, SyntaxViolation, Url};

/// Scheme, host and port of an API, and nothing else. Only [`Address::parse`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Protection of what is sent on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `https://`.
    Encrypted,
    /// `http://` to an address that never leaves this machine.
    Loopback,
    /// `http://` over a network.
    Open,
}

/// A text that is no address of an API. The message quotes nothing of it: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("it is no URL")]
    NoUrl,
    #[error("it begins with neither https:// nor http://")]
    Scheme,
    #[error("it holds a name or password (before @)")]
    Credentials,
    #[error("it holds a path: an address ends with its host or port")]
    Path,
    #[error("it holds a query (after ?)")]
    Query,
    #[error("it holds a fragment (after #)")]
    Fragment,
}

impl Address {
    /// Strict where browsers are lenient: what they would mend (`https:/x`, `\`, a line break) is refused.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mended = Cell::new(None);
        let note = |violation: SyntaxViolation| mended.set(Some(violation));
        let parsed = Url::options().syntax_violation_callback(Some(&note)).parse(text);
        let url = parsed.map_err(|_| AddressError::NoUrl)?;
        let credentials = !url.username().is_empty() || url.password().is_some();
        match mended.get() {
            _ if !matches!(url.scheme(), "https" | "http") => Err(AddressError::Scheme),
            _ if credentials => Err(AddressError::Credentials),
            _ if url.query().is_some() => Err(AddressError::Query),
            _ if url.fragment().is_some() => Err(AddressError::Fragment),
            Some(SyntaxViolation::EmbeddedCredentials | SyntaxViolation::UnencodedAtSign) => {
                Err(AddressError::Credentials)
            }
            Some(_) => Err(AddressError::NoUrl),
            None if url.path() != "/" => Err(AddressError::Path),
            None => Ok(Self(url)),
        }
    }

    /// The host as it is asked, `[::1]` with its brackets; without the port: a simulator or a proxy takes another every day.
    pub fn host(&self) -> &str {
        self.0.host_str().expect("a URL with such a scheme has a host")
    }

    pub fn transport(&self) -> Transport {
        match (self.0.scheme(), self.is_loopback()) {
            ("https", _) => Transport::Encrypted,
            (_, true) => Transport::Loopback,
            (_, false) => Transport::Open,
        }
    }

    /// By its spelling, never by asking a name server, which others may run; where the spelling is a name, the client looks it up
    /// nowhere else.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => names_this_machine(name),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// Returns the host where it is a name that stands for this machine: `localhost` and what lies below it (RFC 6761), also with
    /// a dot behind. A file or a name server may say otherwise, and is not asked.
    pub(super) fn loopback_name(&self) -> Option<&str> {
        self.0.domain().filter(|name| names_this_machine(name))
    }

    /// The URL of a path there. `path` begins with `/`.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

fn names_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// One call to the API, a `GET` each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCall {
    /// Points of queries: `list` is a comma list of them.
    Query { list: String, window: Window },
    /// Organisation of the keys.
    KeyOwner,
    /// Validity of the API key alone; says nothing of the application key (documented).
    CheckApiKey,
    /// Metadata of a metric: its type, and the interval at which it is submitted.
    Metadata { metric: String },
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
            Self::Metadata { .. } => "/api/v1/metrics",
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
            Self::Metadata { metric } => format!("{endpoint}/{}", escape(metric)),
            Self::KeyOwner | Self::CheckApiKey => endpoint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        for url in [
            "http://127.0.0.1:80",
            "http://127.8.8.8",
            "http://127.1",
            "http://[::1]:1",
            "http://LOCALHOST",
            "http://localhost.:80",
            "http://api.localhost",
            "http://A.B.LocalHost.",
        ] {
            assert_eq!(Address::parse(url).unwrap().transport(), Transport::Loopback, "{url}");
        }
        for url in [
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://localhost..",
            "http://notlocalhost",
            "http://localhost.localdomain",
            "http://localhost6",
            "http://10.0.0.1",
            "http://0.0.0.0:1",
            "http://[::2]:1",
        ] {
            assert_eq!(Address::parse(url).unwrap().transport(), Transport::Open, "{url}");
        }
        for url in ["https://api.datadoghq.com", "HTTPS://127.0.0.1.example.com", "https://[::1]"] {
            assert_eq!(Address::parse(url).unwrap().transport(), Transport::Encrypted, "{url}");
        }
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port_and_nothing_else() {
        for (url, error) in [
            ("http://127.0.0.2:18400/http://127.0.0.1", AddressError::Path),
            ("https://example.com/127.0.0.1", AddressError::Path),
            ("https://example.com//", AddressError::Path),
            ("evil://127.0.0.1", AddressError::Scheme),
            ("http://evil://127.0.0.1", AddressError::Path),
            ("ftp://x", AddressError::Scheme),
            ("http://127.0.0.1:80@example.com", AddressError::Credentials),
            ("https://a@example.com", AddressError::Credentials),
            ("https://@example.com", AddressError::Credentials),
            ("http://localhost?@example.com", AddressError::Query),
            ("http://localhost#@example.com", AddressError::Fragment),
            ("http://localhost\\@example.com", AddressError::NoUrl),
            ("http:/localhost", AddressError::NoUrl),
            ("http://local\nhost", AddressError::NoUrl),
            (" http://localhost", AddressError::NoUrl),
            ("https://", AddressError::NoUrl),
            ("https:///x", AddressError::NoUrl),
            ("http://:80", AddressError::NoUrl),
            ("x", AddressError::NoUrl),
        ] {
            assert_eq!(Address::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn an_address_is_shown_as_it_is_asked() {
        for (url, host, shown) in [
            ("https://api.datadoghq.com/", "api.datadoghq.com", "https://api.datadoghq.com"),
            ("http://127.1:8", "127.0.0.1", "http://127.0.0.1:8"),
            ("HTTP://[0::1]:8/", "[::1]", "http://[::1]:8"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.host(), address.to_string().as_str()), (host, shown), "{url}");
            assert_eq!(address.at("/x"), format!("{shown}/x"));
        }
    }

    #[test]
    fn a_list_is_escaped_whole() {
        let window = Window::from_secs(60, 120).unwrap();
        let call = ApiCall::Query { list: "avg:a{*},b{x:y z}".to_owned(), window };
        let expected = "/api/v1/query?from=60&to=120&query=avg%3Aa%7B%2A%7D%2Cb%7Bx%3Ay%20z%7D";
        assert_eq!(call.path(), expected);
    }
}
