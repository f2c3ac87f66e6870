//! Names of Datadog's sites. Keys are sent to the site, so names outside Datadog's own domains are refused; a key that was pasted
//! instead of a site is not repeated. Pure.

use crate::render::errors::Usage;

/// The site of Datadog's first region.
pub(crate) const SITE_DEFAULT: &str = "datadoghq.com";

/// Datadog's own domains (documented); a site is one of them or lies below one, so that new regions need no new version.
const DOMAINS: [&str; 3] = ["datadoghq.com", "datadoghq.eu", "ddog-gov.com"];

/// Regions and their sites, for hints.
const REGIONS: [(&str, &str); 11] = [
    ("us1", SITE_DEFAULT),
    ("us3", "us3.datadoghq.com"),
    ("us5", "us5.datadoghq.com"),
    ("ap1", "ap1.datadoghq.com"),
    ("ap2", "ap2.datadoghq.com"),
    ("uk1", "uk1.datadoghq.com"),
    ("eu", "datadoghq.eu"),
    ("eu1", "datadoghq.eu"),
    ("gov", "ddog-gov.com"),
    ("us1-fed", "ddog-gov.com"),
    ("us2-fed", "us2.ddog-gov.com"),
];

/// Most wrong letters in a name that is still taken for a site.
const TYPOS_MAX: usize = 2;

/// Bytes of a name that is compared with the sites: longer names are not typos of one.
const GIVEN_BYTES_MAX: usize = 64;

/// Most letters and digits in a row that a wrong site may have to be shown: keys have more, sites fewer.
const SHOWN_RUN_MAX: usize = 15;

/// Returns the site's name, also from an address: `datadoghq.eu` from `https://app.datadoghq.eu/`. `source` names the flag or
/// variable in errors.
pub(crate) fn site(given: &str, source: &str) -> Result<String, Usage> {
    let lower = given.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("https://").unwrap_or(&lower).trim_end_matches('/');
    let bare = bare.strip_prefix("api.").or_else(|| bare.strip_prefix("app.")).unwrap_or(bare);
    if is_own(bare) && misplaced(bare).is_none() {
        return Ok(without_vanity(bare).to_owned());
    }
    let text = if looks_like_a_key(given) {
        format!("{source} is not a Datadog site (not shown: it may be a key)")
    } else {
        format!("`{given}` ({source}) is not a Datadog site")
    };
    let hint = match nearest(bare) {
        Some(site) => format!("perhaps {site}"),
        None => {
            "sites are datadoghq.com, datadoghq.eu, us3.datadoghq.com, us5.datadoghq.com, …".into()
        }
    };
    Err(Usage::new(text)
        .hint(format!("{hint}; a proxy or another address is given by --api-url https://HOST")))
}

/// Returns the site of an address that may only be one of Datadog's, as `DATADOG_HOST` holds it: `https://api.datadoghq.eu`. `source`
/// names the variable in errors, which do not show the address: there may be a password in it.
pub(crate) fn host_of_site(given: &str, source: &str) -> Result<String, Usage> {
    let lower = given.trim().to_ascii_lowercase();
    let found = lower.starts_with("https://").then(|| site(given, source).ok()).flatten();
    found.ok_or_else(|| {
        Usage::new(format!("{source} is not the https:// address of a Datadog site")).hint(format!(
            "any other address is given by --api-url https://HOST, and a site by --site or DD_SITE; else unset {}",
            source.split(' ').next().unwrap_or(source)
        ))
    })
}

/// Returns the site of a region that stands before a domain which is not its own: `us1.datadoghq.com`, `eu1.datadoghq.com`.
fn misplaced(bare: &str) -> Option<&'static str> {
    let (label, domain) = bare.split_once('.')?;
    let label = if domain == "ddog-gov.com" { format!("{label}-fed") } else { label.to_owned() };
    let (_, site) = REGIONS.iter().find(|(region, _)| *region == label)?;
    (*site != bare).then_some(site)
}

/// Returns the site of an organisation's own address (`acme.datadoghq.com`), whose API is the site's (documented). Names of regions
/// are letters and digits that end in a digit.
fn without_vanity(bare: &str) -> &str {
    let is_region = |label: &str| label.ends_with(|c: char| c.is_ascii_digit());
    match bare.split_once('.') {
        Some((label, rest)) if is_own(rest) && !is_region(label) => rest,
        _ => bare,
    }
}

/// Returns true for a site, and for the host of a site's API: keys may go there without a new word of the user.
pub(crate) fn is_trusted(host: &str) -> bool {
    is_own(host.strip_prefix("api.").unwrap_or(host))
}

fn is_own(bare: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    DOMAINS.iter().any(|domain| {
        let below = bare.strip_suffix(domain);
        below.is_some_and(|rest| {
            rest.is_empty()
                || rest.strip_suffix('.').is_some_and(|rest| rest.split('.').all(is_label))
        })
    })
}

fn looks_like_a_key(given: &str) -> bool {
    let mut runs = given.split(|c: char| !c.is_alphanumeric());
    runs.any(|run| run.chars().count() > SHOWN_RUN_MAX)
}

/// Returns the site that was probably meant.
fn nearest(bare: &str) -> Option<&'static str> {
    if let Some((_, site)) = REGIONS.iter().find(|(region, _)| *region == bare) {
        return Some(site);
    }
    if is_own(bare) {
        return misplaced(bare);
    }
    if bare.len() > GIVEN_BYTES_MAX {
        return None;
    }
    let sites = REGIONS.iter().map(|(_, site)| (strsim::levenshtein(bare, site), *site));
    let near = sites.filter(|(typos, _)| *typos <= TYPOS_MAX);
    near.min_by_key(|(typos, _)| *typos).map(|(_, site)| site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[test]
    fn sites_are_datadogs_own_in_every_usual_spelling() {
        for (given, expected) in [
            ("datadoghq.com", "datadoghq.com"),
            ("https://app.datadoghq.eu/", "datadoghq.eu"),
            ("api.us5.datadoghq.com", "us5.datadoghq.com"),
            ("US3.DataDogHQ.com", "us3.datadoghq.com"),
            ("uk1.datadoghq.com", "uk1.datadoghq.com"),
            ("ddog-gov.com", "ddog-gov.com"),
            ("us2.ddog-gov.com", "us2.ddog-gov.com"),
            ("acme.datadoghq.com", "datadoghq.com"),
            ("https://acme.us3.datadoghq.com/", "us3.datadoghq.com"),
        ] {
            assert_eq!(site(given, "--site").unwrap(), expected);
        }
    }

    fn check(given: &str, expected: &Expect) {
        let error = anyhow::Error::from(site(given, "DD_SITE in keys.env").unwrap_err());
        expected.assert_eq(&crate::render::errors::render(&error).to_string());
    }

    #[test]
    fn keys_are_sent_to_no_other_domain_and_the_site_that_was_meant_is_told() {
        for given in [
            "datadoghq.com.example.com",
            "evildatadoghq.com",
            "datadoghq.com@example.com",
            "example.com/.datadoghq.com",
            "example.com#.datadoghq.com",
            "example.com:443\\.datadoghq.com",
            "https://https://datadoghq.com",
            ".datadoghq.com",
            "x..datadoghq.com",
            "datadoghq.com:8080",
            "http://datadoghq.com",
            "us1.datadoghq.com",
            "https://api.us1.datadoghq.com",
            "eu.datadoghq.com",
            "us3.datadoghq.eu",
            "",
        ] {
            assert!(site(given, "--site").is_err(), "{given}");
        }
        check(
            "datadogh.com",
            &expect![[r"
                error: `datadogh.com` (DD_SITE in keys.env) is not a Datadog site

                hint: perhaps datadoghq.com; a proxy or another address is given by --api-url https://HOST
            "]],
        );
        let meant = |given| nearest(given);
        assert_eq!(meant("us1.datadoghq.com"), meant("us1"));
        assert_eq!(meant("eu1.datadoghq.com"), Some("datadoghq.eu"));
        assert_eq!(meant("us1.ddog-gov.com"), Some("ddog-gov.com"));
        assert_eq!(meant("us5"), Some("us5.datadoghq.com"));
        assert_eq!(meant("eu"), Some("datadoghq.eu"));
        assert_eq!(meant("ap1.datadog.com"), Some("ap1.datadoghq.com"));
        assert_eq!(meant("example.com"), None);
    }

    #[test]
    fn a_host_is_taken_where_it_is_datadogs_and_encrypted() {
        let source = "DATADOG_HOST in the environment";
        for (given, expected) in [
            ("https://api.datadoghq.eu", "datadoghq.eu"),
            ("https://app.us5.datadoghq.com/", "us5.datadoghq.com"),
            ("HTTPS://datadoghq.com", "datadoghq.com"),
        ] {
            assert_eq!(host_of_site(given, source).unwrap(), expected);
        }
        for given in [
            "http://api.datadoghq.eu",
            "api.datadoghq.eu",
            "https://api.datadoghq.eu:8443",
            "https://api.datadoghq.eu/api/v1",
            "https://api.datadoghq.eu.example.com",
            "https://me:hunter2@api.datadoghq.eu",
            "https://api.us1.datadoghq.com",
            "127.0.0.1",
        ] {
            let error = host_of_site(given, source).unwrap_err().to_string();
            assert_eq!(error, format!("{source} is not the https:// address of a Datadog site"));
        }
    }

    #[test]
    fn a_key_in_the_place_of_a_site_is_not_repeated() {
        let keys =
            ["0123456789abcdef0123456789abcdef", "eu.fedcba9876543210fedcba9876543210fedcba98"];
        for key in keys {
            let error = site(key, "DD_SITE in keys.env").unwrap_err().to_string();
            assert_eq!(
                error,
                "DD_SITE in keys.env is not a Datadog site (not shown: it may be a key)"
            );
        }
    }
}
