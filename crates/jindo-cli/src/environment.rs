//! Environment variables: keys, site and shell, read once. Other sources of keys are in `keys`. Keys go to the client alone.

use crate::args::ConnectionArgs;
use crate::keys::address::{GivenAddress, GivenBy, KnownAddress, checked, of_site};
use crate::keys::named_file::certificates;
use crate::keys::names::{self, KeyOrigin, Named};
use crate::render::errors::Usage;
use crate::site::{SITE_DEFAULT, host_of_site, is_trusted, site};
use crate::terminal::{self, Charset};
use jiff::SignedDuration;
use jindo::request::{Address, Endpoint, Keys, Proxy, Transport};
use jindo::secret::{Secret, Secrets};

/// Address and keys of the API. `jindo demo` has its own.
#[derive(Debug)]
pub(crate) struct Access {
    /// Name of the site in messages and in the ledger.
    pub(crate) site: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) keys: Keys,
    pub(crate) names: KeyNames,
    /// For messages about the keys.
    pub(crate) origin: KeyOrigin,
}

/// Names under which the keys were given, for messages about them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyNames {
    pub(crate) api: &'static str,
    pub(crate) app: &'static str,
}

impl Default for KeyNames {
    fn default() -> Self {
        Self { api: names::API_KEY[0], app: names::APP_KEY[0] }
    }
}

/// Keys and site of one source.
#[derive(Debug)]
pub(crate) struct GivenKeys {
    pub(crate) api_key: Option<Named<Secret>>,
    pub(crate) app_key: Option<Named<Secret>>,
    pub(crate) site: Option<GivenSite>,
    pub(crate) origin: KeyOrigin,
}

/// Site and its source, which may differ from the source of the keys.
#[derive(Debug, Clone)]
pub(crate) struct GivenSite {
    pub(crate) named: Named<String>,
    pub(crate) origin: KeyOrigin,
}

impl GivenKeys {
    /// Returns keys and site as the environment has them.
    pub(crate) fn of_environment() -> Self {
        Self::of(KeyOrigin::Environment, variable)
    }

    /// Returns keys and site as a source has them, of which `read` returns the value of a name.
    pub(crate) fn of(origin: KeyOrigin, read: impl Fn(&'static str) -> Option<String>) -> Self {
        let site = names::first(names::SITE, &read);
        Self {
            api_key: names::first(names::API_KEY, &read).map(Named::secret),
            app_key: names::first(names::APP_KEY, &read).map(Named::secret),
            site: site.map(|named| GivenSite { named, origin: origin.clone() }),
            origin,
        }
    }

    fn names(&self) -> KeyNames {
        let usual = KeyNames::default();
        KeyNames {
            api: self.api_key.as_ref().map_or(usual.api, |key| key.name),
            app: self.app_key.as_ref().map_or(usual.app, |key| key.name),
        }
    }

    /// Says which values stand in quotes, and shows none of them.
    fn tell_of_quotes(&self) {
        let keys = [&self.api_key, &self.app_key].into_iter().flatten();
        let keys = keys.filter(|key| key.was_quoted).map(|key| (key.name, &self.origin));
        let site = self.site.iter().filter(|site| site.named.was_quoted);
        for (name, origin) in keys.chain(site.map(|site| (site.named.name, &site.origin))) {
            terminal::remark(format!("note: the quotes around {name} ({origin}) are left out"));
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
        self.tell_of_quotes();
        if endpoint.address.transport() == Transport::Open {
            terminal::remark(format!(
                "warning: keys and answers travel unencrypted to {} (--insecure-http)",
                endpoint.address.host()
            ));
        }
        Ok(Access { site, endpoint, keys, names: self.names(), origin: self.origin })
    }

    /// Returns both keys, or an error that names the missing ones.
    fn keys(&self) -> Result<Keys, Usage> {
        match (&self.api_key, &self.app_key) {
            (api, Some(app)) if api.is_some() || Keys::are_token(&app.value) => Ok(Keys {
                api: api.as_ref().map(|key| key.value.clone()),
                application: app.value.clone(),
            }),
            (api, app) => {
                let usual = KeyNames::default();
                let all = [(usual.api, api), (usual.app, app)];
                let missing = all.into_iter().filter(|(_, key)| key.is_none());
                let names: Vec<_> = missing.map(|(name, _)| name).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                Err(Usage::new(format!("{} {verb} not set {}", names.join(" and "), self.origin)).hint(
                    "reading metrics needs an API key and an application key (with the scope timeseries_query), or an access token \
                     in place of the application key; DATADOG_API_KEY and DATADOG_APP_KEY are read as well; \
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
            (None, Some(GivenSite { named, origin })) => {
                (&named.value, GivenBy::Variable(named.name, origin.clone()))
            }
            (None, None) => return Ok(None),
        };
        let read =
            if matches!(source, GivenBy::Variable(names::HOST, _)) { host_of_site } else { site };
        let (site, address) = of_site(read(given, &source.to_string())?)?;
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
    let keys = names::API_KEY.into_iter().chain(names::APP_KEY);
    let keys = keys.filter_map(|name| names::first([name], variable));
    Secrets::new(keys.map(|key| key.secret().value))
}

/// Returns the characters that the locale has.
#[cfg(unix)]
pub(crate) fn charset() -> Charset {
    Charset::of_locale(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable))
}

/// Returns all characters: other systems have no locale of a terminal.
#[cfg(not(unix))]
pub(crate) fn charset() -> Charset {
    Charset::Unicode
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
