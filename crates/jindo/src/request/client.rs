//! The door to the network: the only file that knows HTTP.

use super::room::{BODY_BYTES_MAX, Body, BodyRoom};
use super::{Address, ApiCall, Failure, Proxy, Rate, classify};
use crate::secret::{Secret, Secrets};
use crate::text::{steers, with_causes};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, ClientBuilder, NoProxy, Response, StatusCode, redirect};
use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Of an answer that holds no points so much is read: a server's words are shorter.
const WORDS_BYTES_MAX: usize = 1 << 20;

/// Characters of a reason for which a call failed that are kept: a few causes, and no list of a certificate's hundred names.
const REASON_CHARS_MAX: usize = 300;

/// An organisation's id is a UUID of 36 characters. What is longer is none, and would stand in the footer of every object.
const ORG_ID_CHARS_MAX: usize = 128;

/// Long enough for a slow proxy's handshake, short enough to find another way in time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Silence on an open connection. The server's own limit on a query is about a minute.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// One call from the first byte to the last: what is drip-fed longer is as good as lost.
const CALL_TIMEOUT: Duration = Duration::from_mins(5);

/// Time limit of a call of the first contact, for which a person waits.
const CONTACT_TIMEOUT: Duration = Duration::from_secs(15);

/// Addresses of this machine, at the port of the call.
const LOOPBACK: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

const API_KEY: HeaderName = HeaderName::from_static("dd-api-key");
const APPLICATION_KEY: HeaderName = HeaderName::from_static("dd-application-key");

/// Keys; reading metrics needs both (documented), unless a token stands in place of the application key.
#[derive(Debug, Clone)]
pub struct Keys {
    /// `None` beside a token, which needs none.
    pub api: Option<Secret>,
    pub application: Secret,
}

impl Keys {
    /// True for a personal or service access token: whatever is refused with it says nothing of the API key (documented).
    pub fn are_token(application: &Secret) -> bool {
        ["ddpat_", "ddsat_"].iter().any(|start| application.expose().trim().starts_with(start))
    }
}

/// Address of the API and how it is reached.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub address: Address,
    /// `None`: the one that the system's settings name, if any.
    pub proxy: Option<Proxy>,
    /// PEM certificates trusted besides the system's (`--ca-file`), see [`check_roots`].
    pub extra_roots: Option<Vec<u8>>,
    /// The run's own wait for a success. No call takes more than half of it, so that there is a second.
    pub patience: Duration,
}

/// A file of certificates that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    #[error("it is empty")]
    Empty,
    #[error("it holds a private key, which is to be kept from others")]
    PrivateKey,
    #[error("it holds a certificate in binary form (DER)")]
    Binary,
    #[error("it holds no certificate in PEM form")]
    Absent,
    #[error("a certificate in it cannot be read: {0}")]
    Unreadable(String),
}

/// Reads PEM certificates to be trusted besides the system's.
///
/// # Errors
/// [`RootsError`] unless it holds at least one, each of them can be read, and no private key lies beside them.
fn roots(pem: &[u8]) -> Result<Vec<Certificate>, RootsError> {
    let holds = |word: &[u8]| pem.windows(word.len()).any(|part| part == word);
    if pem.iter().all(u8::is_ascii_whitespace) {
        return Err(RootsError::Empty);
    }
    if holds(b"PRIVATE KEY-----") {
        return Err(RootsError::PrivateKey);
    }
    let unreadable =
        |error: reqwest::Error| RootsError::Unreadable(reasons(&error, &Secrets::default()));
    let roots = Certificate::from_pem_bundle(pem).map_err(unreadable)?;
    match roots.len() {
        0 if pem.first() == Some(&ASN1_SEQUENCE) => Err(RootsError::Binary),
        0 => Err(RootsError::Absent),
        _ => Ok(roots),
    }
}

/// First byte of a certificate in DER.
const ASN1_SEQUENCE: u8 = 0x30;

/// Checks that a file's bytes are PEM certificates that can be trusted besides the system's.
///
/// # Errors
/// [`RootsError`] otherwise.
pub fn check_roots(pem: &[u8]) -> Result<(), RootsError> {
    let with = |roots: Vec<Certificate>| {
        let builder = reqwest::Client::builder().no_proxy();
        roots.into_iter().fold(builder, ClientBuilder::add_root_certificate).build()
    };
    let roots = roots(pem)?;
    match (with(Vec::new()), with(roots)) {
        // Without them there is no client either: it is not their fault.
        (Err(_), _) | (_, Ok(_)) => Ok(()),
        (Ok(_), Err(error)) => Err(RootsError::Unreadable(reasons(&error, &Secrets::default()))),
    }
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{name} holds characters that no key has (a line break, a control character, a letter that is not ASCII)"
    )]
    Key { name: &'static str },
    #[error("the certificates of the CA file cannot be used")]
    Certificates(#[source] RootsError),
    /// Of the machine: it lacks descriptors, threads or a resolver.
    #[error("no HTTP client can be made")]
    Setup(#[source] std::io::Error),
}

/// The answer to one call.
#[derive(Debug)]
pub struct Reply {
    pub body: Result<Body, Failure>,
    pub rate: Option<Rate>,
}

/// Owner of the application key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOwner {
    Organisation(String),
    /// Neither a refusal nor an organisation: this server does not say.
    Unknown,
    Forbidden,
    Unreachable(String),
}

/// Server's word on the API key alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCheck {
    Valid,
    Invalid,
    Unknown,
}

/// Client of the API on threads of its own: its user needs no async.
#[derive(Debug)]
pub struct Client {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    http: reqwest::Client,
    address: Address,
    patience: Duration,
    /// Texts that no answer may bring into words that are shown and kept.
    secrets: Secrets,
    room: BodyRoom,
}

/// Ends without waiting: a name that is being looked up would hold the end of the process for a minute.
impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    pub fn new(endpoint: &Endpoint, keys: &Keys) -> Result<Self, Error> {
        let secrets = Secrets::new(keys.api.iter().chain([&keys.application]).cloned());
        let mut headers = HeaderMap::new();
        let api = keys.api.iter().map(|key| (API_KEY, "DD_API_KEY", key));
        let application = (APPLICATION_KEY, "DD_APP_KEY", &keys.application);
        for (header, name, key) in api.chain([application]) {
            let mut value =
                HeaderValue::from_str(key.expose().trim()).map_err(|_| Error::Key { name })?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("jindo/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none()) // a redirect would carry the keys to another host
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT.min(endpoint.patience / 2))
            .timeout(CALL_TIMEOUT.min(endpoint.patience / 2));
        if let Some(pem) = &endpoint.extra_roots {
            let roots = roots(pem).map_err(Error::Certificates)?;
            builder = roots.into_iter().fold(builder, ClientBuilder::add_root_certificate);
        }
        let setup = |error| Error::Setup(std::io::Error::other(reasons(&error, &secrets)));
        let http = routed(builder, endpoint).and_then(ClientBuilder::build).map_err(setup)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = Some(runtime.map_err(Error::Setup)?);
        let address = endpoint.address.clone();
        let (patience, room) = (endpoint.patience, BodyRoom::new());
        Ok(Self { runtime, http, address, patience, secrets, room })
    }

    /// Returns what no text of an answer may show.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until it is dropped")
    }

    /// Makes a call. Returns at once; `done` gets the reply on another thread.
    pub fn send(&self, call: &ApiCall, done: impl FnOnce(Reply) + Send + 'static) {
        let reader = ReplyReader {
            bytes_max: bytes_max(call),
            room: self.room.clone(),
            secrets: self.secrets.clone(),
        };
        let call = self.http.get(self.address.at(&call.path()));
        self.runtime().spawn(async move { done(reader.reply(call.send().await).await) });
    }

    /// Asks for the organisation of the keys, and waits for it. Not counted as a query call.
    pub fn key_owner(&self) -> KeyOwner {
        let response = match self.wait(&ApiCall::KeyOwner) {
            Ok(response) => response,
            Err(error) => return KeyOwner::Unreachable(reasons(&error, &self.secrets)),
        };
        match response.status() {
            StatusCode::OK => {
                let body = self.runtime().block_on(head(response)).unwrap_or_default();
                let owner = organisation(&body, &self.secrets);
                owner.map_or(KeyOwner::Unknown, KeyOwner::Organisation)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => KeyOwner::Forbidden,
            // Of the proxy, in words like those for an address with TLS.
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                KeyOwner::Unreachable("proxy authorization required (status 407)".to_owned())
            }
            _ => KeyOwner::Unknown,
        }
    }

    /// Checks the API key alone, and waits for the answer.
    pub fn check_api_key(&self) -> KeyCheck {
        match self.wait(&ApiCall::CheckApiKey).map(|response| response.status()) {
            Ok(StatusCode::OK) => KeyCheck::Valid,
            Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => KeyCheck::Invalid,
            _ => KeyCheck::Unknown,
        }
    }

    fn wait(&self, call: &ApiCall) -> reqwest::Result<Response> {
        let url = self.address.at(&call.path());
        let call = self.http.get(url).timeout(CONTACT_TIMEOUT.min(self.patience));
        // Not `block_on(call.send())`: a call must begin on the runtime.
        self.runtime().block_on(async { call.send().await })
    }
}

/// Says over which addresses the API is asked.
fn routed(
    builder: ClientBuilder,
    Endpoint { address, proxy, .. }: &Endpoint,
) -> reqwest::Result<ClientBuilder> {
    if let Some(name) = address.loopback_name() {
        // Keys may go there in the clear, because the name stands for this machine, whatever a file or a name server says.
        return Ok(builder.no_proxy().resolve_to_addrs(name, &LOOPBACK));
    }
    // A proxy reaches its own loopback, not ours. `NO_PROXY` is often not set for it.
    if address.is_loopback() {
        return Ok(builder.no_proxy());
    }
    let Some(proxy) = proxy else { return Ok(builder) };
    let bypass = NoProxy::from_string(proxy.bypass());
    Ok(builder.proxy(reqwest::Proxy::all(proxy.url())?.no_proxy(bypass)))
}

/// Decoded bytes of an answer of that kind, at most.
fn bytes_max(call: &ApiCall) -> usize {
    match call {
        ApiCall::Query { .. } => BODY_BYTES_MAX,
        ApiCall::KeyOwner | ApiCall::CheckApiKey | ApiCall::Metadata { .. } => WORDS_BYTES_MAX,
    }
}

/// Reader of the answer to one call.
struct ReplyReader {
    bytes_max: usize,
    room: BodyRoom,
    secrets: Secrets,
}

impl ReplyReader {
    async fn reply(&self, response: reqwest::Result<Response>) -> Reply {
        let secrets = &self.secrets;
        let response = match response {
            Ok(response) => response,
            Err(error) => return Reply { body: Err(broken(&error, secrets)), rate: None },
        };
        let header = |name: &str| {
            let values = response.headers().get_all(name).iter().map(HeaderValue::to_str);
            let values: Vec<_> = values.collect::<Result<_, _>>().ok()?;
            (!values.is_empty()).then(|| values.join(","))
        };
        let (rate, wait) = (Rate::read(header), Rate::wait(header));
        let status = response.status();
        if let Some(place) = header("location").filter(|_| status.is_redirection()) {
            return Reply {
                body: Err(Failure::redirected(status.as_u16(), &place, secrets)),
                rate,
            };
        }
        let body = if status == StatusCode::OK {
            self.body(response).await
        } else {
            // The status is known, even where the body breaks off.
            let words = head(response).await.unwrap_or_default();
            let failure = classify(status.as_u16(), &words, rate.clone(), secrets);
            Err(if let Failure::Limited { rate, .. } = failure {
                Failure::Limited { rate, retry_after: wait }
            } else {
                failure
            })
        };
        Reply { body, rate }
    }

    /// The body, decoded; whatever length the headers promise.
    async fn body(&self, mut response: Response) -> Result<Body, Failure> {
        let secrets = &self.secrets;
        let mut body = Body::default();
        loop {
            let len = body.bytes().len();
            match response.chunk().await {
                Ok(Some(chunk)) if len + chunk.len() > self.bytes_max => {
                    return Err(Failure::TooLarge);
                }
                Ok(Some(chunk)) => body.add(&chunk, &self.room).await,
                Ok(None) => return Ok(body),
                // It came, but too slowly: less of it may come in time.
                Err(error) if error.is_timeout() && len > 0 => {
                    let what = format!("only {len} bytes came in time");
                    return Err(Failure::TimedOut { what });
                }
                Err(error) => return Err(broken(&error, secrets)),
            }
        }
    }
}

/// The beginning of the body, as far as words go; what comes after is not waited for. `None` where it breaks off.
async fn head(mut response: Response) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < WORDS_BYTES_MAX {
        let Some(chunk) = response.chunk().await.ok()? else { break };
        head.extend_from_slice(&chunk[..chunk.len().min(WORDS_BYTES_MAX - head.len())]);
    }
    Some(head)
}

/// The organisation's id in the answer of `current_user` (JSON:API). What cannot be one is none: it would be kept.
fn organisation(body: &[u8], secrets: &Secrets) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let id = json.pointer("/data/relationships/org/data/id")?.as_str()?;
    let fits = !id.is_empty() && id.chars().count() <= ORG_ID_CHARS_MAX;
    let harmless = !id.contains(steers) && !secrets.stand_in(id);
    (fits && harmless).then(|| id.to_owned())
}

fn broken(error: &reqwest::Error, secrets: &Secrets) -> Failure {
    Failure::Transient { what: reasons(error, secrets) }
}

/// The error with its causes. Without the URL: it holds the whole list, and is of no help. The libraries beneath quote what a server
/// sent, such as the names of its certificate.
fn reasons(error: &reqwest::Error, secrets: &Secrets) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the call failed"
    };
    match error.source() {
        Some(cause) => secrets.words(&format!("{kind}: {}", with_causes(cause)), REASON_CHARS_MAX),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_known_by_a_short_plain_id_that_holds_no_key() {
        let secrets = Secrets::new([Secret::new("0123456789abcdef")]);
        let of = |id: &str| {
            let body =
                serde_json::json!({"data": {"relationships": {"org": {"data": {"id": id}}}}});
            organisation(body.to_string().as_bytes(), &secrets)
        };
        for id in ["00000000-1111-2222-3333-444444444444", "2", &"x".repeat(ORG_ID_CHARS_MAX)] {
            assert_eq!(of(id).as_deref(), Some(id));
        }
        let long = "x".repeat(ORG_ID_CHARS_MAX + 1);
        for id in ["", &long, "org 0123456789ABCDEF", "\u{1b}]0;org\u{7}"] {
            assert_eq!(of(id), None, "{id:?}");
        }
        assert_eq!(organisation(b"{}", &secrets), None);
    }
}
