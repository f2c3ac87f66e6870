//! First calls: the organisation of the keys, and the wrong key if they are refused.

use crate::environment::Access;
use crate::render::errors::{Failed, Usage};
use jindo::archive::{Archive, Organisation};
use jindo::clock::entropy;
use jindo::request::{Client, KeyCheck, KeyOwner};

/// Attempts to reach the API: a typo in `--site` should not take ten minutes to show.
const TRIES: u32 = 3;

/// Result of the first calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyFacts {
    /// `None` if the server named the organisation, so that the key needed no check.
    api_key: Option<KeyCheck>,
}

/// Returns the organisation of the keys. If the server does not name it, the API key's salted hash identifies it.
pub(crate) fn organisation(
    client: &Client,
    access: &Access,
    archive: &Archive,
) -> anyhow::Result<(Organisation, KeyFacts)> {
    let (org_id, api_key) = identify(client, access)?;
    let salt = archive.salt(&format!("{:016x}{:016x}", entropy(), entropy()))?;
    let key_hash = Some(access.keys.api.salted_hash(&salt));
    Ok((Organisation { site: access.site.clone(), org_id, key_hash }, KeyFacts { api_key }))
}

fn identify(
    client: &Client,
    access: &Access,
) -> anyhow::Result<(Option<String>, Option<KeyCheck>)> {
    let mut unreachable = String::new();
    for _ in 0..TRIES {
        match client.key_owner() {
            KeyOwner::Organisation(id) => return Ok((Some(id), None)),
            KeyOwner::Unknown => return Ok((None, None)),
            // An application key that may not read users is refused here, and may still be allowed to read metrics.
            KeyOwner::Forbidden => match client.check_api_key() {
                KeyCheck::Invalid => return Err(wrong_api_key(access).into()),
                check @ (KeyCheck::Valid | KeyCheck::Unknown) => return Ok((None, Some(check))),
            },
            KeyOwner::Unreachable(why) => unreachable = why,
        }
    }
    let hint = unreachable_hint(&unreachable);
    Err(Failed::new(format!("{} cannot be reached: {unreachable}", access.endpoint.address), hint)
        .into())
}

/// Returns the hint for an API that cannot be reached: a refused certificate or a network problem.
fn unreachable_hint(why: &str) -> &'static str {
    if why.contains("expired") || why.contains("not valid yet") {
        "check this machine's clock; if it is right, the certificate of the server, or of the proxy in between, has to be renewed"
    } else if why.contains("certificate") {
        "the server, or a company's proxy in between, shows a certificate that this machine does not trust: --ca-file FILE \
         adds one to trust (PEM)"
    } else {
        "check --site or DD_SITE, the network, and HTTPS_PROXY where a proxy is needed"
    }
}

/// Returns the error for a first query that was refused: it names the key, or the site.
pub(crate) fn which_key(
    client: &Client,
    access: &Access,
    known: KeyFacts,
    words: &str,
) -> anyhow::Error {
    match known.api_key.unwrap_or_else(|| client.check_api_key()) {
        KeyCheck::Invalid => wrong_api_key(access).into(),
        KeyCheck::Valid => Usage::new(format!("the application key (DD_APP_KEY {}) is refused by {}: {words}", access.origin, access.site))
            .hint("the API key is fine; give an application key of the same organisation with the scope timeseries_query")
            .into(),
        KeyCheck::Unknown => Usage::new(format!("the keys {} are refused by {}: {words}", access.origin, access.site))
            .hint("check both keys and the site (--site, DD_SITE): keys of one site are unknown to another")
            .into(),
    }
}

/// Returns the error for an address that answers, but not as a metrics API does.
pub(crate) fn no_api(access: &Access, words: &str) -> anyhow::Error {
    Usage::new(format!("there is no metrics API at {}: {words}", access.endpoint.address))
        .hint("check --site, DD_SITE or --api-url: the API of a site is at https://api.SITE, such as https://api.datadoghq.eu")
        .into()
}

fn wrong_api_key(access: &Access) -> Usage {
    Usage::new(format!(
        "the API key (DD_API_KEY {}) is not known to {}",
        access.origin, access.site
    ))
    .hint("check the key and the site (--site, DD_SITE): keys of one site are unknown to another")
}
