//! The simulator on a socket: the doors to network and clock, and nothing else. Never decides what an answer is; that
//! is [`Api`]'s.

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

use crate::api::{Admitted, Api};
use crate::options::Options;
use crate::stats::Stats;
use crate::wire::{Request, Response};

/// Connections served at once; more wait in the listener's queue until one ends.
const CONNECTIONS_MAX: usize = 512;

/// A simulator that runs on its own thread until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    api: Mutex<Api>,
    clock: Clock,
}

/// The system's clock, moved to where the options want it to start.
#[derive(Debug)]
struct Clock {
    started: Duration,
    starts_at: Duration,
}

impl Clock {
    fn start(at: Option<Duration>) -> Self {
        let started = system_time();
        Self { started, starts_at: at.unwrap_or(started) }
    }

    fn now(&self) -> Duration {
        self.starts_at + system_time().saturating_sub(self.started)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the simulator's door to the clock")]
fn system_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

impl Shared {
    fn new(options: Options) -> Arc<Self> {
        let clock = Clock::start(options.now_at_start);
        Arc::new(Self { api: Mutex::new(Api::new(options)), clock })
    }

    fn with_api<T>(&self, act: impl FnOnce(&mut Api) -> T) -> T {
        act(&mut self.api.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers, computing outside the lock so that connections do not wait for each other.
    async fn answer(self: &Arc<Self>, request: Request) -> Response {
        let now = self.clock.now();
        let response = match self.with_api(|api| api.admit(now, &request)) {
            Admitted::Answer(response) => response,
            Admitted::Work(job) => match tokio::task::spawn_blocking(move || job.run()).await {
                Ok(response) => response,
                Err(panic) => {
                    Response::new(500, "text/plain", format!("the simulator failed: {panic}"))
                }
            },
        };
        self.with_api(|api| api.note(&response));
        response
    }
}

impl Simulator {
    /// Starts on a free port of the loopback interface.
    pub fn start(options: Options) -> io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options)
    }

    /// Starts on this address; port 0 is any free one.
    pub fn start_on(addr: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Shared::new(options);
        let (shutdown, stopped) = oneshot::channel::<()>();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("jindo-sim".to_owned()).spawn(move || {
            runtime.block_on(accept(listener, inside, stopped));
            // A computation may still run; nobody waits for its answer.
            runtime.shutdown_background();
        })?;
        Ok(Self { addr, shared, shutdown: Some(shutdown), thread: Some(thread) })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, for `--api-url` and its like.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

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

/// Serves on `listener` until `shutdown` is done; returns what was counted. Connections that are open then are cut.
pub async fn serve(listener: TcpListener, options: Options, shutdown: impl Future) -> Stats {
    let shared = Shared::new(options);
    accept(listener, Arc::clone(&shared), shutdown).await;
    shared.with_api(|api| api.stats())
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, shutdown: impl Future) {
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let free = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            _ = &mut shutdown => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if free => {
                // A failed accept is the client's loss (it went away) or passes (descriptors): the next one is tried.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection::run(stream, Arc::clone(&shared)));
                }
            }
        }
    }
}
