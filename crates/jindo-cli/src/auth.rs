//! Connection to the API: the organisation of the keys, and the wrong key if they are refused.

use crate::environment::{Access, KeyNames};
use crate::render::errors::{Failed, Usage, broken_off};
use jindo::archive::{Archive, Organisation};
use jindo::clock::entropy;
use jindo::fetch::End;
use jindo::job::ListText;
use jindo::request::{Client, ClientError, KeyCheck, KeyOwner, Keys, Proxy};

/// Attempts to reach the API: a typo in `--site` should not take ten minutes to show.
const TRIES: u32 = 3;

/// Datadog's words for keys that are good and lack a permission (reported).
const NO_PERMISSION: &str = "Failed permission authorization checks";

/// Words for a proxy's status 407.
const PROXY_ASKS: &str = "proxy authorization required";

/// Connection to the API.
pub(crate) struct Contact {
    pub(crate) client: Client,
    pub(crate) access: Access,
    /// `None` if the API key was not checked.
    api_key: Option<KeyCheck>,
    /// The server named the organisation: both keys are good.
    is_known: bool,
}

impl Contact {
    /// Makes no call yet. Fails where a key or the address cannot be sent.
    pub(crate) fn new(access: Access) -> anyhow::Result<Self> {
        let client = Client::new(&access.endpoint, &access.keys).map_err(|error| match error {
            ClientError::Setup(_) => anyhow::Error::new(error),
            ClientError::Key { name } => {
                let Access { names, origin, .. } = &access;
                let name = if name == KeyNames::default().api { names.api } else { names.app };
                Usage::new(format!("{} ({origin})", ClientError::Key { name })).into()
            }
            ClientError::Certificates(ref why) => Usage::new(format!("{error}: {why}")).into(),
        })?;
        Ok(Self { client, access, api_key: None, is_known: false })
    }

    /// Fails where a line of the list holds one of the keys, before it is kept. Those of the environment are taken out of a list when
    /// it is read, those of a file or a command are known only now.
    pub(crate) fn check_list(&self, list: &ListText) -> Result<(), Usage> {
        let secrets = self.client.secrets();
        match list.text.split('\n').position(|line| secrets.stand_in(line)) {
            Some(index) => Err(Usage::new(format!(
                "{}:{}:1: this line holds one of the keys {} and is not shown; nothing was fetched or written",
                list.name,
                index + 1,
                self.access.origin
            ))
            .hint("take the key out of the list")),
            None => Ok(()),
        }
    }

    /// Returns the organisation of the keys. If the server does not name it, the API key's salted hash identifies it.
    pub(crate) fn organisation(&mut self, archive: &Archive) -> anyhow::Result<Organisation> {
        let org_id = self.identify()?;
        let salt = archive.salt(&format!("{:016x}{:016x}", entropy(), entropy()))?;
        let Keys { api, application } = &self.access.keys;
        // A token that stands alone leaves a trace only where nothing else tells whose it is.
        let known_by = api.as_ref().or_else(|| org_id.is_none().then_some(application));
        let key_hash = known_by.map(|key| key.salted_hash(&salt));
        Ok(Organisation { site: self.access.site.clone(), org_id, key_hash })
    }

    fn identify(&mut self) -> anyhow::Result<Option<String>> {
        let mut unreachable = String::new();
        for _ in 0..TRIES {
            match self.client.key_owner() {
                KeyOwner::Organisation(id) => {
                    self.is_known = true;
                    return Ok(Some(id));
                }
                KeyOwner::Unknown => return Ok(None),
                // A token may lack what naming its owner takes; the API key beside it is not looked at.
                KeyOwner::Forbidden if self.has_token() => return Ok(None),
                // An application key that may not read users is refused here, and may still be allowed to read metrics.
                KeyOwner::Forbidden => match self.client.check_api_key() {
                    KeyCheck::Invalid => return Err(self.wrong_api_key().into()),
                    check @ (KeyCheck::Valid | KeyCheck::Unknown) => {
                        self.api_key = Some(check);
                        return Ok(None);
                    }
                },
                KeyOwner::Unreachable(why) => unreachable = why,
            }
        }
        let text = format!("{} cannot be reached: {unreachable}", self.access.endpoint.address);
        let proxy = self.access.endpoint.proxy.as_ref();
        Err(Failed::new(text, unreachable_hint(&unreachable, proxy)).into())
    }

    /// Returns the error for a first query that was refused: it names the key, or the site.
    fn which_key(&self, words: &str) -> Usage {
        let Access { origin, site, names: KeyNames { app: app_key, .. }, .. } = &self.access;
        // A 401 is of a key that is not known, whatever it was good for a moment ago.
        let is_unauthenticated = words.contains("(status 401)");
        if !is_unauthenticated && (self.is_known || words.contains(NO_PERMISSION)) {
            return Usage::new(format!("the keys {origin} are good, but may not query metrics at {site}: {words}"))
                .hint("the application key, or its owner, lacks the scope timeseries_query: allow it in Datadog, or give another key");
        }
        if self.has_token() {
            return Usage::new(format!("the token ({app_key} {origin}) is refused by {site}: {words}"))
                .hint("it may have expired, belong to another site (--site, DD_SITE), or lack the scope timeseries_query");
        }
        match self.api_key.unwrap_or_else(|| self.client.check_api_key()) {
            KeyCheck::Invalid => self.wrong_api_key(),
            KeyCheck::Valid => Usage::new(format!("the application key ({app_key} {origin}) is refused by {site}: {words}"))
                .hint("the API key is fine; give an application key of the same organisation with the scope timeseries_query"),
            KeyCheck::Unknown => Usage::new(format!("the keys {origin} are refused by {site}: {words}"))
                .hint("check both keys and the site (--site, DD_SITE): keys of one site are unknown to another"),
        }
    }

    /// Returns the error for an address that answers, but not as a metrics API does.
    fn no_api(&self, words: &str) -> Usage {
        Usage::new(format!("there is no metrics API at {}: {words}", self.access.endpoint.address))
            .hint("check --site, DD_SITE or --api-url: the API of a site is at https://api.SITE, such as https://api.datadoghq.eu")
    }

    fn has_token(&self) -> bool {
        Keys::are_token(&self.access.keys.application)
    }

    fn wrong_api_key(&self) -> Usage {
        let Access { origin, site, names: KeyNames { api: api_key, .. }, .. } = &self.access;
        Usage::new(format!("the API key ({api_key} {origin}) is not known to {site}")).hint(
            "check the key and the site (--site, DD_SITE): keys of one site are unknown to another",
        )
    }
}

/// Returns the hint for an API that cannot be reached: a lack of this machine, a refused certificate or a network problem.
fn unreachable_hint(why: &str, proxy: Option<&Proxy>) -> &'static str {
    if why.contains(PROXY_ASKS) {
        return if proxy.is_some_and(Proxy::has_credentials) {
            "the proxy (HTTPS_PROXY or the like) does not take this name and password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, \
             with % and two hexadecimal digits for each character that is no letter and no digit, such as %40 for @"
        } else {
            "the proxy wants a name and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        };
    }
    if why.contains("Too many open files") {
        "allow more open files (ulimit -n)"
    } else if why.contains("expired") || why.contains("not valid yet") {
        "check this machine's clock; if it is right, the certificate of the server, or of the proxy in between, has to be renewed"
    } else if why.contains("certificate") {
        "the server, or a company's proxy in between, shows a certificate that this machine does not trust: --ca-file FILE \
         adds one to trust (PEM)"
    } else {
        "check --site or DD_SITE, the network, and HTTPS_PROXY where a proxy is needed"
    }
}

/// Hints of a command for calls that ended early.
pub(crate) struct EndHints {
    /// For a server that does not answer any more.
    pub(crate) failed: &'static str,
    /// For keys that worked and are now refused.
    pub(crate) revoked: &'static str,
}

/// Returns the error of calls that ended in a failure; `None` where they did not, or were interrupted. It names the key or
/// the address, where calls were refused from the start.
pub(crate) fn failure(
    end: &End,
    contact: Option<&Contact>,
    hints: &EndHints,
) -> Option<anyhow::Error> {
    let (text, hint) = match (end, contact) {
        (End::Done | End::OutOfCalls | End::Interrupted, _) => return None,
        (End::Broke { cause }, _) => return Some(broken_off(cause).into()),
        (End::Failed { why }, _) => (why.clone(), hints.failed),
        (End::NotAnApi { words }, Some(contact)) => return Some(contact.no_api(words).into()),
        (End::Forbidden { words, after_success: false }, Some(contact)) => {
            return Some(contact.which_key(words).into());
        }
        (End::Forbidden { words, .. } | End::NotAnApi { words }, _) => {
            (format!("the keys worked and are now refused: {words}"), hints.revoked)
        }
    };
    Some(Failed::new(text, hint).into())
}
