//! A peer on a raw socket: it answers as the simulated Datadog does, byte by byte as a case scripts it. What no web server
//! would send, it sends.

use crate::support::walk;
use jindo_sim::{Api, Options, Request};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often it is looked whether a wait is over.
const GLANCE: Duration = Duration::from_millis(20);

/// How a greeting in TLS begins.
const TLS_HELLO: [u8; 2] = [0x16, 0x03];

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The number of the query call, from 1; 0 for any other call.
    pub(crate) nth: u64,
    pub(crate) request: Request,
}

impl Asked {
    /// Whether the list holds this text, which needs no escaping.
    pub(crate) fn names(&self, text: &str) -> bool {
        self.request.target.contains(text)
    }

    /// Seconds from `from` to `to`.
    pub(crate) fn window_s(&self) -> i64 {
        let time = |name: &str| {
            let (_, rest) = self.request.target.split_once(name).unwrap();
            rest.split('&').next().unwrap().parse::<i64>().unwrap()
        };
        time("&to=") - time("?from=")
    }
}

/// The right answer, for a script to damage.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the peer does with a connection, in order. After the last it waits for the next request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// The same bytes again and again until the client hangs up, or so many times.
    Repeat(Vec<u8>, u64),
    /// Some bytes at a time, a pause before each.
    Drip(Vec<u8>, usize, Duration),
    /// Nothing, until the client hangs up.
    Silence,
    /// RST, by closing with a byte unread.
    Reset,
    Close,
    /// SIGSTOP for the process that asks, and SIGCONT after so long.
    Freeze(Duration),
    /// Hangs up, and nobody listens until the run's log counts so many failures.
    Away(usize),
}

/// What becomes of a request; `None` is the right answer.
pub(crate) type Script = Arc<dyn Fn(&Asked, &Truth) -> Option<Vec<Act>> + Send + Sync>;

/// A server of one case.
pub(crate) struct Peer {
    scheme: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    api: Mutex<Api>,
    script: Script,
    asked: Mutex<Vec<Asked>>,
    connections: Mutex<u64>,
    /// Who asks, for [`Act::Freeze`], and where it keeps its files, for [`Act::Away`].
    client: Mutex<Option<(u32, PathBuf)>>,
    /// Failures to wait for before listening again.
    away: AtomicUsize,
    /// Nobody listens any more.
    deaf: AtomicBool,
    ended: AtomicBool,
    botched: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl Peer {
    pub(crate) fn start(options: Options, script: Script) -> Self {
        Self::listen(options, script, None)
    }

    pub(crate) fn with_tls(options: Options, script: Script, tls: Arc<ServerConfig>) -> Self {
        Self::listen(options, script, Some(tls))
    }

    fn listen(options: Options, script: Script, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            address,
            api: Mutex::new(Api::new(options)),
            script,
            asked: Mutex::default(),
            connections: Mutex::new(0),
            client: Mutex::new(None),
            away: AtomicUsize::new(0),
            deaf: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            botched: AtomicBool::new(false),
            tls,
        });
        let of_all = Arc::clone(&shared);
        thread::spawn(move || of_all.listen(listener));
        Self { scheme, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.shared.address)
    }

    pub(crate) fn is_asked_by(&self, process: u32, out: &Path) {
        *self.shared.client.lock().unwrap() = Some((process, out.to_owned()));
    }

    /// Whether a script panicked: its case proves nothing.
    pub(crate) fn is_botched(&self) -> bool {
        self.shared.botched.load(Ordering::Relaxed)
    }

    /// Query calls that arrived whole.
    pub(crate) fn calls(&self) -> u64 {
        self.shared.asked.lock().unwrap().iter().filter(|asked| asked.nth > 0).count() as u64
    }

    /// Connections that were made to it, whatever was said on them.
    pub(crate) fn connections(&self) -> u64 {
        *self.shared.connections.lock().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the listening thread; where that fails it ends with the process.
        drop(TcpStream::connect(self.shared.address));
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, mut listener: TcpListener) {
        loop {
            let stream = listener.accept();
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let failures = self.away.swap(0, Ordering::Relaxed);
            if failures > 0 {
                drop((stream, listener));
                self.deaf.store(true, Ordering::Relaxed);
                self.await_failures(failures);
                listener = TcpListener::bind(self.address).expect("the port is still free");
            } else if let Ok((stream, _)) = stream {
                *self.connections.lock().unwrap() += 1;
                let shared = Arc::clone(self);
                thread::spawn(move || shared.serve(stream));
            }
        }
    }

    fn await_failures(&self, failures: usize) {
        let (_, out) = self.client.lock().unwrap().clone().expect("the case said who asks");
        let failed = || {
            let logs = walk(&out.join("runs"));
            let lines = logs.iter().map(|log| std::fs::read_to_string(log).unwrap());
            lines.map(|text| text.matches(r#""outcome":"transient""#).count()).sum::<usize>()
        };
        while failed() < failures && !self.ended.load(Ordering::Relaxed) {
            thread::sleep(GLANCE);
        }
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap_or_default();
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).unwrap();
                self.converse(StreamOwned::new(session, stream));
            }
        }
    }

    /// Answers requests until one side has enough.
    fn converse(&self, mut stream: impl Read + Write) {
        while let Some(request) = read(&mut stream) {
            let asked = self.note(request);
            let truth = self.truth(&asked.request);
            let acts = panic::catch_unwind(AssertUnwindSafe(|| (self.script)(&asked, &truth)));
            let Ok(acts) = acts else {
                self.botched.store(true, Ordering::Relaxed);
                return;
            };
            let acts = acts.unwrap_or_else(|| vec![whole(&truth)]);
            for act in acts {
                if self.perform(&mut stream, act).is_err() {
                    return;
                }
            }
            // The byte that was left for a reset.
            if stream.read_exact(&mut [0]).is_err() {
                return;
            }
        }
    }

    fn note(&self, request: Request) -> Asked {
        let mut all = self.asked.lock().unwrap();
        let is_query = request.target.starts_with("/api/v1/query?");
        let before = all.iter().filter(|asked| asked.nth > 0).count() as u64;
        let asked = Asked { nth: if is_query { before + 1 } else { 0 }, request };
        all.push(asked.clone());
        asked
    }

    /// Computed once for all cases: they ask the same organisation, with the same keys.
    fn truth(&self, request: &Request) -> Truth {
        static KNOWN: Mutex<BTreeMap<String, Truth>> = Mutex::new(BTreeMap::new());
        if let Some(truth) = KNOWN.lock().unwrap().get(&request.target) {
            return truth.clone();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let answer = self.api.lock().unwrap().answer(now, request);
        let body = String::from_utf8(answer.body).unwrap();
        let truth = Truth { status: answer.status, headers: answer.headers, body };
        KNOWN.lock().unwrap().insert(request.target.clone(), truth.clone());
        truth
    }

    fn perform(&self, stream: &mut (impl Read + Write), act: Act) -> std::io::Result<()> {
        let enough = || Err(std::io::ErrorKind::ConnectionAborted.into());
        match act {
            Act::Send(bytes) => stream.write_all(&bytes),
            Act::Repeat(bytes, times) => (0..times).try_for_each(|_| stream.write_all(&bytes)),
            Act::Drip(bytes, some, pause) => bytes.chunks(some).try_for_each(|piece| {
                thread::sleep(pause);
                stream.write_all(piece)?;
                stream.flush()
            }),
            Act::Silence => {
                while !self.ended.load(Ordering::Relaxed) {
                    thread::sleep(GLANCE);
                }
                enough()
            }
            Act::Reset => enough(),
            Act::Close => {
                stream.read_exact(&mut [0])?;
                enough()
            }
            Act::Away(failures) => {
                self.away.store(failures, Ordering::Relaxed);
                drop(TcpStream::connect(self.address));
                // Only then may the client find out, and come back.
                while !self.deaf.load(Ordering::Relaxed) {
                    thread::sleep(GLANCE);
                }
                enough()
            }
            Act::Freeze(length) => {
                self.freeze(length);
                Ok(())
            }
        }
    }

    #[cfg(unix)]
    fn freeze(&self, length: Duration) {
        use rustix::process::{Pid, Signal, kill_process};
        let (process, _) = self.client.lock().unwrap().clone().expect("the case said who asks");
        let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        kill_process(process, Signal::STOP).unwrap();
        thread::sleep(length);
        kill_process(process, Signal::CONT).unwrap();
    }

    #[cfg(not(unix))]
    fn freeze(&self, length: Duration) {
        thread::sleep(length);
    }
}

/// Reads a request up to its last byte but one: a connection that is closed with a byte unread is reset.
fn read(stream: &mut (impl Read + Write)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
        if head == TLS_HELLO {
            // As nginx does when a plain port is greeted by TLS: 400, and gone.
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        // The script damages plain bodies, and compresses where a case is about that.
        .filter(|(name, _)| !name.eq_ignore_ascii_case("accept-encoding"))
        .collect();
    Some(Request { method, target, headers, body: Vec::new() })
}

/// The whole answer, as any server would send it.
pub(crate) fn whole(truth: &Truth) -> Act {
    framed(&format!("{} OK", truth.status), &truth.headers, truth.body.as_bytes())
}

/// Status line, headers, `Content-Length`, body.
pub(crate) fn framed(status: &str, headers: &[(String, String)], body: &[u8]) -> Act {
    let mut bytes = head(status, headers);
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    Act::Send(bytes)
}

/// Status line and headers, without the empty line that ends them.
pub(crate) fn head(status: &str, headers: &[(String, String)]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.into_bytes()
}
