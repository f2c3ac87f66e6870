//! The simulator on a socket: the doors to network and clock, and nothing else. The answers are those of [`Api`].

mod connection;
mod http1;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::api::{Admission, Api};
use crate::options::Options;
use crate::stats::Stats;
use crate::wire::{Request, Response};

/// Connections served at once; more wait in the listener's queue until one ends.
const CONNECTIONS_MAX: usize = 512;

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
}

#[expect(clippy::disallowed_methods, reason = "this is the simulator's door to the clock")]
fn system_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

impl Shared {
    fn new(options: Options) -> Arc<Self> {
        let system_start = system_time();
        let simulated_start = options.now_at_start.unwrap_or(system_start);
        Arc::new(Self { api: Mutex::new(Api::new(options)), system_start, simulated_start })
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
        let shared = Shared::new(options);
        let (shutdown, stopped) = oneshot::channel::<()>();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let addr = listener.local_addr()?;
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
pub async fn serve(listener: TcpListener, options: Options, shutdown: impl Future) -> Stats {
    let shared = Shared::new(options);
    accept(listener, Arc::clone(&shared), shutdown).await;
    shared.with_api(|api| api.stats())
}

/// Accepts connections until `shutdown` completes; dropping the set closes them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, shutdown: impl Future) {
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let free = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            _ = &mut shutdown => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if free => {
                // A failed accept means a client that disconnected, or a passing lack of descriptors: go on.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection::run(stream, Arc::clone(&shared)));
                }
            }
        }
    }
}
