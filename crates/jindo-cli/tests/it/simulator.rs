//! Clients of a simulator that are none of its own: pages in a browser under names of their own, and connections that say nothing.

use crate::support::calm;
use jindo_sim::{Patience, Simulator};
use jindo_testing::all_held;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

fn connect(sim: &Simulator) -> TcpStream {
    let stream = TcpStream::connect(sim.addr()).unwrap();
    // Longer than any answer takes: a test that waits longer fails.
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// Returns the status of the answer to a raw request.
fn status(sim: &Simulator, request: &str) -> String {
    let mut stream = connect(sim);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A page in a browser has its own name for the port, which a name server of its own leads here.
#[test]
fn attempts_to_read_the_simulator_under_another_name() {
    let sim = Simulator::start(calm()).unwrap();
    let port = sim.addr().port();
    let refused = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.nip.io:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("localhost:{port}.evil.example"),
        format!("a@localhost:{port}"),
        format!("localhost:{}", port - 1),
        "localhost".to_owned(),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("127.0.0.1:{port}, evil.example"),
        String::new(),
    ];
    let mut count = 0;
    for path in ["/sim/stats", "/api/v1/query?from=0&to=60&query=avg:m%7B*%7D"] {
        for host in &refused {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(status(&sim, &request), "HTTP/1.1 421 Misdirected Request", "{host}");
            count += 1;
        }
        // The host of a whole URL counts, not the header's.
        let request =
            format!("GET http://evil.example{path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        assert_eq!(status(&sim, &request), "HTTP/1.1 421 Misdirected Request");
        let nameless = format!("GET {path} HTTP/1.1\r\n\r\n");
        assert_eq!(status(&sim, &nameless), "HTTP/1.1 400 Bad Request");
        count += 2;
    }
    for host in [format!("127.0.0.1:{port}"), format!("LOCALHOST:{port}"), format!("[::1]:{port}")]
    {
        let request =
            format!("GET /sim/stats HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&sim, &request), "HTTP/1.1 200 OK", "{host}");
    }
    assert_eq!(sim.stats().query_calls, 0);
    all_held("other names of the simulator", count);
}

/// Beginnings of a request, and one that is whole but for its body.
const BEGINNINGS: [&str; 5] = [
    "",
    "G",
    "GET /sim/stats HTTP/1.1\r\n",
    "GET /sim/stats HTTP/1.1\r\nHost: localhost\r\nA: ",
    "POST /api/v2/query/timeseries HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
];

#[test]
fn attempts_to_keep_the_simulator_busy_with_connections() {
    let connections_max = Patience::DEFAULT.connections_max;
    let mut count = 0;
    for beginning in BEGINNINGS {
        let sim = Simulator::start(calm()).unwrap();
        let mut held: Vec<_> = (0..connections_max).map(|_| connect(&sim)).collect();
        for stream in &mut held {
            stream.write_all(beginning.as_bytes()).unwrap();
        }
        // As many again as there may be, one after the other, each answered at the cost of the one that waits longest.
        let host = sim.addr();
        for _ in 0..2 {
            let request =
                format!("GET /sim/stats HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            assert_eq!(status(&sim, &request), "HTTP/1.1 200 OK", "{beginning:?}");
        }
        count += held.len();
        // The first was closed, with what it had sent unread or read.
        let mut first = held.remove(0);
        let closed = first.read(&mut [0]);
        let is_closed = matches!(&closed, Ok(0))
            || closed.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(is_closed, "{beginning:?}: {closed:?}");
    }
    all_held("connections that keep the simulator busy", count);
}
