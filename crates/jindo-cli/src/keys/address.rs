//! Address of the API: given to this run, or remembered by the directory, which may come from somebody else. Opens no connection.

use super::names::KeyOrigin;
use crate::args::ConnectionArgs;
use crate::render::errors::Usage;
use crate::site::{is_trusted, site};
use jindo::job::OtherOrganisation;
use jindo::request::{Address, Transport};
use std::fmt;

/// Address that a run is given, not one that the directory remembers.
#[derive(Debug)]
pub(crate) struct GivenAddress {
    /// Site, or host of an API's own address.
    pub(crate) site: String,
    pub(crate) address: Address,
    pub(crate) source: GivenBy,
}

impl GivenAddress {
    pub(crate) fn place(self) -> (String, Address) {
        (self.site, self.address)
    }
}

/// Source of an address.
#[derive(Debug)]
pub(crate) enum GivenBy {
    Flag(&'static str),
    /// `DD_SITE` or another name of it, beside the keys or in the environment.
    Variable(&'static str, KeyOrigin),
}

impl fmt::Display for GivenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name, origin) => write!(f, "{name} {origin}"),
        }
    }
}

/// Returns a site with the address of its API.
pub(crate) fn of_site(site: String) -> Result<(String, Address), Usage> {
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
    pub(crate) fn contradicts(&self, given: &GivenAddress) -> bool {
        // The host of a site's API is that site.
        let of = |host: &str| match host.strip_prefix("api.") {
            Some(site) if is_trusted(host) => site.to_owned(),
            _ => host.to_owned(),
        };
        self.site.as_ref().is_some_and(|own| of(own) != of(&given.site))
    }

    /// Returns the name under which the directory keeps the site that is given, which does not contradict it.
    pub(crate) fn name_of(&self, given: &GivenAddress) -> String {
        self.site.as_ref().unwrap_or(&given.site).clone()
    }

    /// Gives the directory up for an address that contradicts it. Fails unless the user consents to that.
    pub(crate) fn let_go(&self, given: &GivenAddress) -> Result<(), Usage> {
        if self.other == OtherOrganisation::Accept {
            return Ok(());
        }
        let own = self.site.as_deref().unwrap_or_default();
        let GivenAddress { site, address, source } = given;
        let said = match source {
            GivenBy::Flag("--api-url") => address.to_string(),
            GivenBy::Flag(_) | GivenBy::Variable(..) => site.clone(),
        };
        let without = match source {
            GivenBy::Flag(flag) => format!("leave {flag} out"),
            GivenBy::Variable(name, KeyOrigin::Environment) => format!("unset {name}"),
            GivenBy::Variable(name, origin) => format!("leave out the {name} {origin}"),
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
    pub(crate) fn address(
        &self,
        place: &ConnectionArgs,
    ) -> Result<Option<(String, Address)>, Usage> {
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
    pub(crate) fn in_words(&self) -> Option<String> {
        match (&self.url, &self.site) {
            (Some(url), _) => Some(format!("address {url}")),
            (None, Some(site)) => Some(format!("site {site}")),
            (None, None) => None,
        }
    }
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
