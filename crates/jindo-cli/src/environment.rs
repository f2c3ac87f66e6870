//! Environment variables: keys, site and shell, read once. Other sources of keys are in `keys`. Keys go to the client alone.

use crate::args::ConnectionArgs;
use crate::keys::named_file::certificates;
use crate::render::errors::Usage;
use crate::site::{SITE_DEFAULT, is_trusted, site};
use crate::terminal;
use jiff::SignedDuration;
use jindo::job::OtherOrganisation;
use jindo::request::{Address, Endpoint, Keys, Proxy, Transport};
use jindo::secret::{Secret, Secrets};
use std::fmt;
use std::path::PathBuf;

/// Address and keys of the API. `jindo demo` has its own.
#[derive(Debug)]
pub(crate) struct Access {
    /// Name of the site in messages and in the ledger.
    pub(crate) site: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) keys: Keys,
    /// For messages about the keys.
    pub(crate) origin: KeyOrigin,
}

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

/// Keys and site of one source.
#[derive(Debug)]
pub(crate) struct GivenKeys {
    pub(crate) api_key: Option<Secret>,
    pub(crate) app_key: Option<Secret>,
    /// Site and its source, which may differ from the source of the keys.
    pub(crate) site: Option<(String, KeyOrigin)>,
    pub(crate) origin: KeyOrigin,
}

impl GivenKeys {
    /// Returns keys and site as the environment has them.
    pub(crate) fn of_environment() -> Self {
        Self {
            api_key: variable("DD_API_KEY").map(Secret::new),
            app_key: variable("DD_APP_KEY").map(Secret::new),
            site: variable("DD_SITE").map(|site| (site, KeyOrigin::Environment)),
            origin: KeyOrigin::Environment,
        }
    }

    /// Returns the keys with the address they are for: the one on the command line, else the directory's, else the environment's.
    pub(crate) fn access(
        self,
        place: &ConnectionArgs,
        known: &KnownAddress,
        patience: SignedDuration,
    ) -> anyhow::Result<Access> {
        let (site, address) = self.address(place, known)?;
        let extra_roots = place.ca_file.as_deref().map(certificates).transpose()?;
        let patience = std::time::Duration::try_from(patience).unwrap_or_default();
        let proxy = proxy(&address)?;
        let endpoint = Endpoint { address, proxy, extra_roots, patience };
        let keys = self.keys()?;
        if endpoint.address.transport() == Transport::Open {
            terminal::remark(format!(
                "warning: keys and answers travel unencrypted to {} (--insecure-http)",
                endpoint.address.host()
            ));
        }
        Ok(Access { site, endpoint, keys, origin: self.origin })
    }

    /// Returns both keys, or an error that names the missing ones.
    fn keys(&self) -> Result<Keys, Usage> {
        match (&self.api_key, &self.app_key) {
            (api, Some(app)) if api.is_some() || Keys::are_token(app) => {
                Ok(Keys { api: api.clone(), application: app.clone() })
            }
            (api, app) => {
                let all = [("DD_API_KEY", api), ("DD_APP_KEY", app)];
                let missing = all.into_iter().filter(|(_, key)| key.is_none());
                let names: Vec<_> = missing.map(|(name, _)| name).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                Err(Usage::new(format!("{} {verb} not set {}", names.join(" and "), self.origin)).hint(
                    "reading metrics needs an API key and an application key (with the scope timeseries_query), or an access token \
                     in place of the application key; \
                     `jindo demo` needs none",
                ))
            }
        }
    }

    /// Returns the name of the site and the API's address, by precedence: `--api-url`, `--site`, the directory's, `DD_SITE`, Datadog's
    /// first site. Fails where the one that is given contradicts the directory.
    fn address(
        &self,
        place: &ConnectionArgs,
        known: &KnownAddress,
    ) -> Result<(String, Address), Usage> {
        let given = self.given_address(place)?;
        let is_other = given.as_ref().is_some_and(|given| known.contradicts(given));
        match given {
            Some(given) if is_other => known.let_go(&given).map(|()| given.place()),
            Some(given) if place.is_given() => Ok((known.name_of(&given), given.address)),
            given => match (known.address(place)?, given) {
                (Some(known), _) => Ok(known),
                (None, Some(given)) => Ok(given.place()),
                (None, None) => of_site(SITE_DEFAULT.to_owned()),
            },
        }
    }

    /// Returns the address of the command line, or else of `DD_SITE`.
    fn given_address(&self, place: &ConnectionArgs) -> Result<Option<GivenAddress>, Usage> {
        if let Some(url) = &place.api_url {
            let address = checked(url, place)?;
            let site = address.host().to_owned();
            return Ok(Some(GivenAddress { site, address, source: GivenBy::Flag("--api-url") }));
        }
        let (given, source) = match (&place.site, &self.site) {
            (Some(given), _) => (given, GivenBy::Flag("--site")),
            (None, Some((given, origin))) => (given, GivenBy::Variable(origin.clone())),
            (None, None) => return Ok(None),
        };
        let (site, address) = of_site(site(given, &source.to_string())?)?;
        Ok(Some(GivenAddress { site, address, source }))
    }
}

/// Checks the address that this run is given against the directory's, before any key is read, and returns the remembered one in words
/// where it is followed. `DD_SITE` beside the keys of a file or a command is checked once they are read.
pub(crate) fn carried_address(
    place: &ConnectionArgs,
    known: &KnownAddress,
) -> Result<Option<String>, Usage> {
    let mut given = GivenKeys::of_environment();
    if known.site.is_none() || place.key_file.is_some() || place.key_command.is_some() {
        given.site = None;
    }
    match given.given_address(place)? {
        Some(given) if known.contradicts(&given) => known.let_go(&given).map(|()| None),
        _ if place.is_given() => Ok(None),
        _ => Ok(known.in_words()),
    }
}

/// Address that a run is given, not one that the directory remembers.
#[derive(Debug)]
struct GivenAddress {
    /// Site, or host of an API's own address.
    site: String,
    address: Address,
    source: GivenBy,
}

impl GivenAddress {
    fn place(self) -> (String, Address) {
        (self.site, self.address)
    }
}

/// Source of an address.
#[derive(Debug)]
enum GivenBy {
    Flag(&'static str),
    /// `DD_SITE`, beside the keys or in the environment.
    Variable(KeyOrigin),
}

impl fmt::Display for GivenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(origin) => write!(f, "DD_SITE {origin}"),
        }
    }
}

/// Returns a site with the address of its API.
fn of_site(site: String) -> Result<(String, Address), Usage> {
    let address = Address::parse(&format!("https://api.{site}"))
        .map_err(|error| Usage::new(format!("the site {site} has no address: {error}")))?;
    Ok((site, address))
}

/// Address that a directory remembers. It may come from somebody else: keys follow it only to Datadog's sites and to this machine.
#[derive(Debug, Default)]
pub(crate) struct KnownAddress {
    /// As it was given by `--api-url`.
    pub(crate) url: Option<String>,
    /// Site of the organisation that the data is of, or host of an API's own address.
    pub(crate) site: Option<String>,
    /// Treatment of an address that contradicts it.
    pub(crate) other: OtherOrganisation,
}

impl KnownAddress {
    /// Returns true if the directory's data is of another site.
    fn contradicts(&self, given: &GivenAddress) -> bool {
        // The host of a site's API is that site.
        let of = |host: &str| match host.strip_prefix("api.") {
            Some(site) if is_trusted(host) => site.to_owned(),
            _ => host.to_owned(),
        };
        self.site.as_ref().is_some_and(|own| of(own) != of(&given.site))
    }

    /// Returns the name under which the directory keeps the site that is given, which does not contradict it.
    fn name_of(&self, given: &GivenAddress) -> String {
        self.site.as_ref().unwrap_or(&given.site).clone()
    }

    /// Gives the directory up for an address that contradicts it. Fails unless the user consents to that.
    fn let_go(&self, given: &GivenAddress) -> Result<(), Usage> {
        if self.other == OtherOrganisation::Accept {
            return Ok(());
        }
        let own = self.site.as_deref().unwrap_or_default();
        let GivenAddress { site, address, source } = given;
        let said = match source {
            GivenBy::Flag("--api-url") => address.to_string(),
            GivenBy::Flag(_) | GivenBy::Variable(_) => site.clone(),
        };
        let without = match source {
            GivenBy::Flag(flag) => format!("leave {flag} out"),
            GivenBy::Variable(KeyOrigin::Environment) => "unset DD_SITE".to_owned(),
            GivenBy::Variable(origin) => format!("leave out the DD_SITE {origin}"),
        };
        let kept = match &self.url {
            Some(url) => format!("{own} (asked at {url} by its last request)"),
            None => format!("{own} (kept in its ledger)"),
        };
        Err(Usage::new(format!("{source} says {said}, but the data of this directory is of {kept}")).hint(
            format!(
                "{without} to go on with {own}, or choose another directory by --out; `jindo export --rebind` gives this one to the \
                 other organisation"
            ),
        ))
    }

    /// Returns the site's name and address; `None` where the directory remembers none.
    fn address(&self, place: &ConnectionArgs) -> Result<Option<(String, Address)>, Usage> {
        let again = |address: &str| {
            Usage::new(format!(
                "this directory was last asked at {address}, which is neither a Datadog site nor this machine"
            ))
            .hint("a directory may come from somebody else: if the keys may go there, give the address again by --api-url")
        };
        if let Some(url) = &self.url {
            let address = checked(url, place).map_err(|_| again(url))?;
            let host = address.host().to_owned();
            // One that was never reached is not the one that the data came from.
            if self.site.as_ref().is_none_or(|site| *site == host) {
                let is_trusted = address.is_loopback() || is_trusted(&host);
                return if is_trusted { Ok(Some((host, address))) } else { Err(again(url)) };
            }
        }
        let Some(own) = &self.site else { return Ok(None) };
        match site(own, "the directory's") {
            Ok(site) => of_site(site).map(|(_, address)| Some((own.clone(), address))),
            // Of the host of an API's own address nothing else is known.
            Err(_) => Err(again(own)),
        }
    }

    /// Returns the address for the plan, without `https://api.` where it is a site's.
    fn in_words(&self) -> Option<String> {
        match (&self.url, &self.site) {
            (Some(url), _) => Some(format!("address {url}")),
            (None, Some(site)) => Some(format!("site {site}")),
            (None, None) => None,
        }
    }
}

/// Returns true if the address of the command line has to be given again with the next run: keys do not follow the directory there, or
/// a `DD_SITE` contradicts it, which may also stand beside the keys of a file or a command.
pub(crate) fn is_needed_again(place: &ConnectionArgs) -> bool {
    let url = place.api_url.as_deref();
    let is_followed = url.is_none_or(|url| {
        Address::parse(url).is_ok_and(|address| address.is_loopback() || is_trusted(address.host()))
    });
    if !is_followed || place.key_file.is_some() || place.key_command.is_some() {
        return place.is_given();
    }
    let keys = GivenKeys::of_environment();
    let (Some(_), Ok(Some(given))) = (&keys.site, keys.given_address(place)) else { return false };
    let known = KnownAddress { site: Some(given.site), ..KnownAddress::default() };
    let beside = ConnectionArgs { site: None, api_url: None, ..place.clone() };
    let beside = keys.given_address(&beside);
    beside.map_or(true, |beside| beside.is_some_and(|beside| known.contradicts(&beside)))
}

/// Returns an address that keys may be sent to: https, or http on this machine; any http with `--insecure-http`.
pub(crate) fn checked(url: &str, place: &ConnectionArgs) -> Result<Address, Usage> {
    let address = Address::parse(url.trim()).map_err(|error| {
        Usage::new(format!("--api-url is not the address of an API: {error}"))
            .hint("write https://HOST or http://127.0.0.1:PORT")
    })?;
    if address.transport() != Transport::Open || place.insecure_http {
        return Ok(address);
    }
    Err(Usage::new(format!("`{address}` would send the keys unencrypted over the network")).hint(
        "use https://; http:// is for this machine's own addresses, \
         or for a network that you trust with the keys: --insecure-http",
    ))
}

/// Variables that name the proxy for `https://`, and for `http://`, the stronger first.
const PROXIES: [(&str, [&str; 4]); 2] = [
    ("https://", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
    ("http://", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
];

/// Returns the proxy that the environment names for this address; `None` where it names none, and for this machine, which no proxy
/// reaches. A blank variable is as good as none. One that cannot be used is an error, whatever `NO_PROXY` says: passed over, it would
/// send the keys another way than was meant.
fn proxy(address: &Address) -> Result<Option<Proxy>, Usage> {
    let url = address.to_string();
    let names =
        PROXIES.iter().find(|(scheme, _)| url.starts_with(scheme) && !address.is_loopback());
    let set = |name: &'static str| text(name).map(|value| (name, value));
    let Some((name, value)) = names.and_then(|(_, names)| names.iter().find_map(|name| set(name)))
    else {
        return Ok(None);
    };
    let bypass = ["NO_PROXY", "no_proxy"].into_iter().find_map(text).unwrap_or_default();
    let proxy = Proxy::parse(&value, &bypass).map_err(|error| {
        Usage::new(format!("{name} in the environment is not the address of a proxy: {error}"))
            .hint(format!("write {name}=http://HOST:PORT, or unset it to go without a proxy"))
    });
    proxy.map(Some)
}

/// Returns a variable that is not blank. What is no UTF-8 in it is replaced, so that it is not taken for absent.
fn text(name: &str) -> Option<String> {
    let text = std::env::var_os(name)?.to_string_lossy().trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Returns the keys of the environment, by which a list is looked through, whatever keys a run takes.
pub(crate) fn secrets() -> Secrets {
    let GivenKeys { api_key, app_key, .. } = GivenKeys::of_environment();
    Secrets::new([api_key, app_key].into_iter().flatten())
}

/// Returns the user's shell, which runs `--key-command`.
pub(crate) fn shell() -> String {
    let given = variable("SHELL").filter(|_| cfg!(unix));
    given.unwrap_or_else(|| if cfg!(unix) { "/bin/sh" } else { "cmd" }.to_owned())
}

/// Returns the name of this machine, which the lock of a directory shows to other processes.
#[cfg(unix)]
pub(crate) fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns the name of this machine, which the lock of a directory shows to other processes.
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

    fn place(more: &[&str]) -> ConnectionArgs {
        let typed = ["jindo", "export"].into_iter().chain(more.iter().copied());
        let arguments = crate::Arguments::try_parse_from(typed).unwrap();
        let crate::args::Command::Export(export) = arguments.command else { unreachable!() };
        export.connection
    }

    #[test]
    fn keys_go_in_the_clear_to_this_machine_alone_unless_the_user_insists() {
        for url in [
            "https://api.datadoghq.com",
            "http://localhost:80",
            "http://[::1]:1/",
            "http://127.0.0.1",
            "http://127.0.0.2:18400",
            "http://LOCALHOST/",
            " https://api.datadoghq.com/ ",
        ] {
            assert!(checked(url, &place(&[])).is_ok(), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.nip.io:80",
            "http://[::2]:1",
            "HTTP://0.0.0.0",
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
            "http://127.0.0.2:18400/http://127.0.0.1",
            "http://evil.example/://127.0.0.1",
            "evil://127.0.0.1",
            "http://evil://127.0.0.1",
            "https://api.datadoghq.com/api/v1",
            "https://api.datadoghq.com?x",
        ];
        for url in disguised {
            assert!(checked(url, &place(&["--insecure-http"])).is_err(), "{url}");
        }
    }
}
