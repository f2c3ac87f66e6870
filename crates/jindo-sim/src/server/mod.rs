//! The simulator on a socket: the doors to network and clock, and nothing else. The answers are those of [`Api`].

mod connection;
mod http1;
mod waiting;

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::api::{Admission, Api};
use crate::options::{Options, Patience};
use crate::stats::Stats;
use crate::wire::{Request, Response};
use waiting::Waiting;

/// Answer to a connection that is one too many while all others are being served.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A simulator on its own thread. Dropping it closes all connections and waits for the thread.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The state that all connections share.
#[derive(Debug)]
struct Shared {
    api: Mutex<Api>,
    /// System time at the start, since the epoch.
    system_start: Duration,
    /// Simulated time at the start, since the epoch.
    simulated_start: Duration,
    patience: Patience,
    waiting: Waiting,
    /// Names and addresses under which it answers, in small letters, without a port.
    hosts: Vec<String>,
    port: u16,
}

/// Names of this machine's loopback in a `Host` header.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Port of an address that names none.
const HTTP_PORT: u16 = 80;

#[expect(clippy::disallowed_methods, reason = "this is the simulator's door to the clock")]
fn system_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

impl Shared {
    /// `port` is where it listens.
    fn new(options: Options, port: u16) -> Arc<Self> {
        let system_start = system_time();
        let simulated_start = options.now_at_start.unwrap_or(system_start);
        let of_loopback = LOOPBACK.map(str::to_owned);
        let hosts = options.hosts.iter().map(|host| host.to_ascii_lowercase());
        let hosts = of_loopback.into_iter().chain(hosts).collect();
        let (patience, waiting) = (options.patience, Waiting::default());
        let api = Mutex::new(Api::new(options));
        Arc::new(Self { api, system_start, simulated_start, patience, waiting, hosts, port })
    }

    /// Returns true for a host and port under which it answers.
    fn answers_as(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(HTTP_PORT)),
        };
        port == Some(self.port) && self.hosts.contains(&name.to_ascii_lowercase())
    }

    /// Runs `act` under the lock; a panic elsewhere does not block later calls.
    fn with_api<T>(&self, act: impl FnOnce(&mut Api) -> T) -> T {
        act(&mut self.api.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers, computing outside the lock so that connections do not wait for each other.
    async fn answer(self: &Arc<Self>, request: Request) -> Response {
        let now = self.simulated_start + system_time().saturating_sub(self.system_start);
        let response = match self.with_api(|api| api.admit(now, &request)) {
            Admission::Answer(response) => response,
            Admission::Compute(call) => match tokio::task::spawn_blocking(|| call.run()).await {
                Ok(response) => response,
                Err(panic) => {
                    Response::new(500, "text/plain", format!("the simulator failed: {panic}"))
                }
            },
        };
        self.with_api(|api| api.record(&response));
        response
    }
}

impl Simulator {
    /// Starts on a free port of the loopback interface. To be called outside asynchronous code.
    ///
    /// # Errors
    /// A failure to listen, or to start a thread.
    pub fn start(options: Options) -> io::Result<Self> {
        let (shutdown, stopped) = oneshot::channel::<()>();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let addr = listener.local_addr()?;
        let shared = Shared::new(options, addr.port());
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("jindo-sim".to_owned()).spawn(move || {
            runtime.block_on(accept(listener, inside, stopped));
            // A computation may still run; its answer is not needed.
            runtime.shutdown_background();
        })?;
        Ok(Self { addr, shared, shutdown: Some(shutdown), thread: Some(thread) })
    }

    /// Returns the address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns `http://127.0.0.1:PORT`, the base URL for a client.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> Stats {
        self.shared.with_api(|api| api.stats())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Serves on `listener` until `shutdown` completes, then closes all connections and returns the counts.
///
/// # Errors
/// A listener without an address.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future,
) -> io::Result<Stats> {
    let shared = Shared::new(options, listener.local_addr()?.port());
    accept(listener, Arc::clone(&shared), shutdown).await;
    Ok(shared.with_api(|api| api.stats()))
}

/// Accepts connections until `shutdown` completes; dropping the set closes them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, shutdown: impl Future) {
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            _ = &mut shutdown => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                let is_full = connections.len() >= shared.patience.connections_max;
                // A failed accept means a client that disconnected, or a lack of descriptors.
                let has_room = !(is_full || accepted.is_err()) || shared.waiting.close_first();
                match accepted {
                    Ok((stream, _)) if has_room => {
                        connections.spawn(connection::run(stream, Arc::clone(&shared)));
                    }
                    Ok((stream, _)) => refuse(stream),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        }
    }
}

/// Answers without waiting for a client that takes no answer.
fn refuse(stream: TcpStream) {
    // It is closed in any case.
    stream.into_std().and_then(|mut stream| stream.write_all(NO_ROOM)).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let options = Options { hosts: vec!["sim".to_owned()], ..Options::new(1) };
        let shared = Shared::new(options.clone(), 18_400);
        for host in
            ["127.0.0.1:18400", "localhost:18400", "LocalHost:18400", "[::1]:18400", "sim:18400"]
        {
            assert!(shared.answers_as(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:18400",
            "localhost",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost.evil.example:18400",
            "127.0.0.1.nip.io:18400",
            "localhost:18400:18400",
            "localhost:18400.evil.example",
            "a@localhost:18400",
            "[::1]",
            "[::2]:18400",
            ":18400",
            "",
        ] {
            assert!(!shared.answers_as(host), "{host}");
        }
        assert!(Shared::new(options, HTTP_PORT).answers_as("localhost"));
    }
}
