//! The proxy that an API is asked through, read as strictly as an address: one that cannot be used must not be passed over, since the
//! keys would go another way than the user meant. Pure.

use std::cell::Cell;
use std::fmt;
use url::{SyntaxViolation, Url};

/// Proxy for HTTP, and the hosts that are asked without it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    bypass: String,
}

/// A text that is no address of a proxy. The message quotes nothing of it: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("it is no URL")]
    NoUrl,
    #[error("it begins with neither http:// nor https://, and no other proxies are known")]
    Scheme,
    #[error("it holds a path: a proxy's address ends with its host or port")]
    Path,
    #[error("it holds a query (after ?) or a fragment (after #)")]
    Query,
}

impl Proxy {
    /// Reads `http://HOST:PORT`, `https://…`, or `HOST:PORT`, which means the former; a name and a password may stand before the
    /// host. `bypass` is a list as in `NO_PROXY`.
    pub fn parse(text: &str, bypass: &str) -> Result<Self, ProxyError> {
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mended = Cell::new(false);
        let note = |violation: SyntaxViolation| {
            use SyntaxViolation::{EmbeddedCredentials, UnencodedAtSign};
            mended.set(mended.get() || !matches!(violation, EmbeddedCredentials | UnencodedAtSign));
        };
        let parsed = Url::options().syntax_violation_callback(Some(&note)).parse(&text);
        let url = parsed.map_err(|_| ProxyError::NoUrl)?;
        match url.scheme() {
            "http" | "https" if mended.get() => Err(ProxyError::NoUrl),
            "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
                Err(ProxyError::Query)
            }
            "http" | "https" if url.path() != "/" => Err(ProxyError::Path),
            "http" | "https" => Ok(Self { url, bypass: bypass.to_owned() }),
            _ => Err(ProxyError::Scheme),
        }
    }

    /// Returns true if a name or a password stands before its host.
    pub fn has_credentials(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }

    /// The address, with its password, for the network door alone.
    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn bypass(&self) -> &str {
        &self.bypass
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_with_a_port_and_what_opens_it() {
        for (text, expected) in [
            ("http://proxy:3128", "http://proxy:3128/"),
            ("https://proxy/", "https://proxy/"),
            ("proxy:3128", "http://proxy:3128/"),
            ("HTTP://10.0.0.1:80", "http://10.0.0.1/"),
            ("[::1]:3128", "http://[::1]:3128/"),
            ("http://me:pa%40ss@proxy:3128", "http://me:pa%40ss@proxy:3128/"),
            ("me:p@ss@proxy", "http://me:p%40ss@proxy/"),
        ] {
            assert_eq!(
                Proxy::parse(text, "").map(|proxy| proxy.url.to_string()).as_deref(),
                Ok(expected)
            );
        }
    }

    #[test]
    fn what_no_proxy_can_be_is_refused() {
        for (text, error) in [
            ("ftp://proxy:21", ProxyError::Scheme),
            ("socks5://proxy:1080", ProxyError::Scheme),
            ("socks5h://me:secret@proxy:1080", ProxyError::Scheme),
            ("file:///etc/passwd", ProxyError::Scheme),
            ("javascript://x", ProxyError::Scheme),
            ("http:/proxy:3128", ProxyError::Path),
            ("http//proxy:3128", ProxyError::Path),
            ("http://", ProxyError::NoUrl),
            ("http://:3128", ProxyError::NoUrl),
            ("://proxy", ProxyError::NoUrl),
            ("proxy:port", ProxyError::NoUrl),
            ("proxy:99999", ProxyError::NoUrl),
            ("http://pro xy:3128", ProxyError::NoUrl),
            ("http://proxy\n:3128", ProxyError::NoUrl),
            ("http:\\\\proxy", ProxyError::NoUrl),
            ("http://wpad/wpad.dat", ProxyError::Path),
            ("http://proxy?x", ProxyError::Query),
            ("http://proxy#x", ProxyError::Query),
            ("yes please", ProxyError::NoUrl),
        ] {
            assert_eq!(Proxy::parse(text, ""), Err(error), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let proxy = Proxy::parse("http://me:hunter2@proxy", "").unwrap();
        assert!(
            proxy.has_credentials() && !Proxy::parse("proxy:3128", "").unwrap().has_credentials()
        );
        assert_eq!(format!("{proxy:?}"), "Proxy { host: Some(\"proxy\"), .. }");
    }
}
