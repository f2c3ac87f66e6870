//! The door to the environment: keys, site and shell, read once. Other sources of keys are behind the door `keys`; whatever
//! their source, they go to the client alone.

use crate::args::Where;
use crate::screen;
use crate::words::Usage;
use anyhow::Context as _;
use jiff::SignedDuration;
use jindo::request::{Endpoint, Keys};
use jindo::secret::Secret;
use std::fmt;
use std::path::PathBuf;

/// The site of Datadog's first region.
const SITE_DEFAULT: &str = "datadoghq.com";

/// The job's parts that do not come from the command line: `jindo demo` brings its own.
#[derive(Debug)]
pub(crate) struct Access {
    /// How the site is called in words and in the ledger.
    pub(crate) site: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) keys: Keys,
    /// For words about the keys.
    pub(crate) origin: Origin,
}

/// Where the keys came from. Shown behind their names where something is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Environment,
    File(PathBuf),
    Command,
    /// The demo's own, which nobody gave.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("in the environment"),
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Command => f.write_str("from --key-command"),
            Self::BuiltIn => f.write_str("of the simulated organisation"),
        }
    }
}

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) given: Given,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let given = Given {
            api_key: variable("DD_API_KEY").map(Secret::new),
            app_key: variable("DD_APP_KEY").map(Secret::new),
            site: variable("DD_SITE"),
            origin: Origin::Environment,
        };
        Self { given }
    }
}

/// What one source of keys gives.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) api_key: Option<Secret>,
    pub(crate) app_key: Option<Secret>,
    pub(crate) site: Option<String>,
    pub(crate) origin: Origin,
}

impl Given {
    /// Keys and the place they are for.
    pub(crate) fn access(self, place: &Where, patience: SignedDuration) -> anyhow::Result<Access> {
        let (site, endpoint) = self.endpoint(place, patience)?;
        let keys = self.keys()?;
        if endpoint.url.starts_with("http://") && !is_this_machine(&endpoint.url) {
            screen::remark(&format!(
                "warning: keys and answers travel unencrypted to {} (--insecure-http)\n",
                host_name(&endpoint.url)
            ));
        }
        Ok(Access { site, endpoint, keys, origin: self.origin })
    }

    /// Both keys, or a sentence that says which is missing.
    fn keys(&self) -> Result<Keys, Usage> {
        match (&self.api_key, &self.app_key) {
            (Some(api), Some(app)) => Ok(Keys { api: api.clone(), application: app.clone() }),
            (api, app) => {
                let missing: Vec<_> = [("DD_API_KEY", api), ("DD_APP_KEY", app)]
                    .into_iter()
                    .filter(|(_, key)| key.is_none())
                    .collect();
                let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                Err(Usage::new(format!("{} {verb} not set {}", names.join(" and "), self.origin)).hint(
                    "reading metrics needs an API key and an application key (with the scope timeseries_query); \
                     `jindo demo` needs none",
                ))
            }
        }
    }

    /// Where the API is: `--api-url`, `--site`, `DD_SITE`, or Datadog's first site.
    fn endpoint(
        &self,
        place: &Where,
        patience: SignedDuration,
    ) -> anyhow::Result<(String, Endpoint)> {
        let patience = std::time::Duration::try_from(patience).unwrap_or_default();
        let site = place.site.as_ref().or(self.site.as_ref()).map_or(SITE_DEFAULT, String::as_str);
        let (site, url) = match &place.api_url {
            Some(url) => (host_name(url), checked(url, place)?),
            None => (site.to_owned(), format!("https://api.{}", site_host(site)?)),
        };
        let extra_roots = match &place.ca_file {
            Some(path) => {
                std::fs::read(path).with_context(|| format!("while reading {}", path.display()))?
            }
            None => Vec::new(),
        };
        Ok((site, Endpoint { url, extra_roots, patience }))
    }
}

/// `datadoghq.eu`, also when somebody gives `https://app.datadoghq.eu/`.
fn site_host(site: &str) -> Result<String, Usage> {
    let bare = site.trim().trim_start_matches("https://").trim_end_matches('/');
    let bare = bare.strip_prefix("api.").or_else(|| bare.strip_prefix("app.")).unwrap_or(bare);
    let fine =
        !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if fine && bare.contains('.') {
        return Ok(bare.to_owned());
    }
    Err(Usage::new(format!("`{site}` is no Datadog site"))
        .hint("sites look like datadoghq.com, datadoghq.eu, us5.datadoghq.com, ap1.datadoghq.com"))
}

/// What an address is called in words and in the ledger. Without the port: a simulator or a proxy takes another every day.
fn host_name(url: &str) -> String {
    let host =
        url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    host.rsplit_once(':')
        .filter(|(_, port)| is_port(port))
        .map_or(host, |(name, _)| name)
        .to_owned()
}

/// An address that keys may be sent to: https, or http on this machine alone unless `--insecure-http` is given.
fn checked(url: &str, place: &Where) -> Result<String, Usage> {
    let trimmed = url.trim().trim_end_matches('/');
    let secure = trimmed.strip_prefix("https://");
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '?' | '#' | '\\');
    let Some(rest) = secure.or_else(|| trimmed.strip_prefix("http://")).filter(|rest| {
        !rest.is_empty() && !rest.starts_with(['/', ':']) && rest.chars().all(plain)
    }) else {
        return Err(Usage::new(format!("`{url}` is no address of an API"))
            .hint("write https://HOST or http://127.0.0.1:PORT"));
    };
    if secure.is_some() || is_this_machine(rest) || place.insecure_http {
        return Ok(trimmed.to_owned());
    }
    Err(Usage::new(format!("`{url}` would send the keys unencrypted over the network")).hint(
        "use https://; http:// is for this machine's own addresses, \
         or for a network that you trust with the keys: --insecure-http",
    ))
}

/// Whether an address, with or without its scheme, is this machine's own by its very spelling.
fn is_this_machine(url: &str) -> bool {
    matches!(host_name(url).as_str(), "localhost" | "127.0.0.1" | "[::1]")
}

/// The shell that the user works with, which runs what the user wrote for it.
#[cfg(unix)]
pub(crate) fn shell() -> String {
    variable("SHELL").unwrap_or_else(|| "/bin/sh".to_owned())
}

/// The name of this machine, for whoever finds a directory in use.
#[cfg(unix)]
pub(crate) fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of this machine, for whoever finds a directory in use.
#[cfg(not(unix))]
pub(crate) fn machine() -> String {
    variable("COMPUTERNAME").unwrap_or_else(|| "this machine".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn place(more: &[&str]) -> Where {
        let typed = ["jindo", "export"].into_iter().chain(more.iter().copied());
        let arguments = crate::Arguments::try_parse_from(typed).unwrap();
        let crate::args::Command::Export(export) = arguments.command else { unreachable!() };
        export.place
    }

    #[test]
    fn keys_go_in_the_clear_to_this_machine_alone_unless_the_user_insists() {
        for url in [
            "https://api.datadoghq.com",
            "http://localhost:80",
            "http://[::1]:1/",
            "http://127.0.0.1",
        ] {
            assert!(checked(url, &place(&[])).is_ok(), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.nip.io:80",
            "http://[::2]:1",
        ] {
            assert!(checked(url, &place(&[])).is_err(), "{url}");
            assert!(checked(url, &place(&["--insecure-http"])).is_ok(), "{url}");
        }
        let disguised = [
            "http://127.0.0.1:80@example.com",
            "http://localhost?@example.com",
            "https://a@example.com",
            "http://localhost\\@example.com",
            "http://localhost#@example.com",
            "https://",
            "https:///x",
            "http://:80",
            "ftp://x",
            "x",
        ];
        for url in disguised {
            assert!(checked(url, &place(&["--insecure-http"])).is_err(), "{url}");
        }
    }
}
