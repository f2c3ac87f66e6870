//! The door to the environment: keys and site, read once. Keys come from nowhere else and go to the client alone.

use crate::args::Where;
use crate::words::Usage;
use anyhow::Context as _;
use jiff::SignedDuration;
use jindo::request::{Endpoint, Keys};
use jindo::secret::Secret;

/// The site of Datadog's first region.
const SITE_DEFAULT: &str = "datadoghq.com";

/// The job's parts that do not come from the command line: `jindo demo` brings its own.
#[derive(Debug)]
pub(crate) struct Access {
    /// How the site is called in words and in the ledger.
    pub(crate) site: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) keys: Keys,
}

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Environment {
    api_key: Option<Secret>,
    app_key: Option<Secret>,
    site: Option<String>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        Self {
            api_key: variable("DD_API_KEY").map(Secret::new),
            app_key: variable("DD_APP_KEY").map(Secret::new),
            site: variable("DD_SITE"),
        }
    }

    /// Both keys, or a sentence that says which is missing.
    pub(crate) fn keys(&self) -> Result<Keys, Usage> {
        match (&self.api_key, &self.app_key) {
            (Some(api), Some(app)) => Ok(Keys { api: api.clone(), application: app.clone() }),
            (api, app) => {
                let missing: Vec<_> = [("DD_API_KEY", api), ("DD_APP_KEY", app)]
                    .into_iter()
                    .filter(|(_, key)| key.is_none())
                    .collect();
                let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                Err(Usage::new(format!("{} {verb} not set", names.join(" and "))).hint(
                    "reading metrics needs an API key and an application key (with the scope timeseries_query); \
                     `jindo demo` needs none",
                ))
            }
        }
    }

    /// Where the API is: `--api-url`, `--site`, `DD_SITE`, or Datadog's first site.
    pub(crate) fn endpoint(
        &self,
        place: &Where,
        patience: SignedDuration,
    ) -> anyhow::Result<(String, Endpoint)> {
        let patience = std::time::Duration::try_from(patience).unwrap_or_default();
        let site = place.site.as_ref().or(self.site.as_ref()).map_or(SITE_DEFAULT, String::as_str);
        let (site, url) = match &place.api_url {
            Some(url) => (host_name(url), checked(url)?),
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
    host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned()
}

/// An address that keys may be sent to: https, or http on this machine alone.
fn checked(url: &str) -> Result<String, Usage> {
    let trimmed = url.trim().trim_end_matches('/');
    if let Some(rest) = trimmed.strip_prefix("https://") {
        if !rest.is_empty() && !rest.contains('@') {
            return Ok(trimmed.to_owned());
        }
    } else if let Some(rest) = trimmed.strip_prefix("http://") {
        let host = rest.split('/').next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.chars().all(|c| c.is_ascii_digit()) { name } else { host }
        });
        if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
            return Ok(trimmed.to_owned());
        }
        return Err(Usage::new(format!(
            "`{url}` would send the keys unencrypted over the network"
        ))
        .hint("use https://; http:// is for this machine's own addresses"));
    }
    Err(Usage::new(format!("`{url}` is no address of an API"))
        .hint("write https://HOST or http://127.0.0.1:PORT"))
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
