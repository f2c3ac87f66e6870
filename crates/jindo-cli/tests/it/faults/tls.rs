//! Certificates made on the spot, and who shows them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::{Arc, OnceLock};

/// What a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Good, by an authority that only `--ca-file` makes known.
    Good,
    /// Good until 2020.
    Expired,
    /// Good for another host.
    OtherHost,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// One authority for all cases: making keys takes time.
fn authority() -> &'static Authority {
    static ONE: OnceLock<Authority> = OnceLock::new();
    ONE.get_or_init(|| {
        let key = KeyPair::generate().unwrap();
        let mut about = CertificateParams::new([]).unwrap();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        about.distinguished_name.push(DnType::CommonName, "A company's own authority");
        let pem = about.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(about, key), pem }
    })
}

/// The authority as `--ca-file` takes it.
pub(crate) fn authority_pem() -> &'static str {
    &authority().pem
}

/// A server that shows this certificate.
pub(crate) fn server(identity: Identity) -> Arc<ServerConfig> {
    let host = if identity == Identity::OtherHost { "elsewhere.example" } else { "127.0.0.1" };
    let mut about = CertificateParams::new([host.to_owned()]).unwrap();
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if identity == Identity::Expired {
        (about.not_before, about.not_after) =
            (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    }
    let key = KeyPair::generate().unwrap();
    let certificate = about.signed_by(&key, &authority().issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = vec![CertificateDer::from(certificate)];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Arc::new(config.unwrap())
}
