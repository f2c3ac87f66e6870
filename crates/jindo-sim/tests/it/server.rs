//! What arrives on a raw connection: keep-alive, concurrency, and every way in which an answer breaks.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use jindo_sim::{Fault, Faults, Options, Patience, Simulator};
use std::time::Duration;

/// A query for a day of minutes, well within retention.
fn target(sim_now_s: i64) -> String {
    let to_s = sim_now_s / 86_400 * 86_400;
    format!(
        "/api/v1/query?from={}&to={to_s}&query=avg:odd.values%7B*%7D.rollup(avg,60)",
        to_s - 86_400
    )
}

/// 2026-03-01T00:00:00Z: the simulated present, so that no test depends on today.
const NOW_S: i64 = 1_772_323_200;

fn start(change: impl Fn(&mut Options)) -> Simulator {
    let mut options = Options::new(3);
    options.now_at_start = Some(std::time::Duration::from_secs(NOW_S.unsigned_abs()));
    change(&mut options);
    Simulator::start(options).unwrap()
}

fn send(stream: &mut TcpStream, extra: &str) {
    let (target, host) = (target(NOW_S), stream.peer_addr().unwrap());
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nDD-API-KEY: sim-api-key\r\nDD-APPLICATION-KEY: sim-app-key\r\n{extra}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
}

/// Head and body of one answer with a `Content-Length`.
fn receive(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; line.parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

fn connect(sim: &Simulator) -> TcpStream {
    TcpStream::connect(sim.addr()).unwrap()
}

#[test]
fn one_connection_carries_many_requests_even_pipelined() {
    let sim = start(|_| {});
    let mut stream = connect(&sim);
    send(&mut stream, "");
    send(&mut stream, "");
    let (first, body) = receive(&mut stream).unwrap();
    let (_, again) = receive(&mut stream).unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK"), "{first}");
    assert_eq!(body, again);
    send(&mut stream, "Connection: close\r\n");
    receive(&mut stream).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed as asked");
    assert_eq!(sim.stats().query_calls, 3);
}

#[test]
fn sixteen_connections_at_once_get_the_same_answer() {
    let sim = start(|_| {});
    let ask = || {
        let mut stream = connect(&sim);
        send(&mut stream, "");
        receive(&mut stream).unwrap().1
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        let bodies: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        assert!(bodies.windows(2).all(|two| two[0] == two[1]));
    });
    assert_eq!(sim.stats().query_calls, 16);
}

#[test]
fn broken_deliveries_break_as_named_and_the_next_answer_is_whole() {
    for (fault, kind) in [
        (Fault::Reset, ErrorKind::ConnectionReset),
        (Fault::ResetBody, ErrorKind::ConnectionReset),
        (Fault::HalfBody, ErrorKind::UnexpectedEof),
    ] {
        let sim = start(|o| o.script = [(1, fault)].into());
        let mut stream = connect(&sim);
        send(&mut stream, "");
        assert_eq!(receive(&mut stream).unwrap_err().kind(), kind, "{}", fault.name());
        let mut stream = connect(&sim);
        send(&mut stream, "");
        receive(&mut stream).unwrap();
    }
}

#[test]
fn a_dripping_answer_arrives_and_an_endless_one_does_not_end() {
    let sim =
        start(|o| o.script = [(1, Fault::Drip), (2, Fault::Endless), (3, Fault::Hang)].into());
    let mut stream = connect(&sim);
    send(&mut stream, "");
    assert!(receive(&mut stream).unwrap().1.starts_with(b"{"));
    send(&mut stream, "");
    let mut much = vec![0; 1_000_000];
    stream.read_exact(&mut much).unwrap();
    let mut hanging = connect(&sim);
    send(&mut hanging, "");
    hanging.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(hanging.read(&mut [0]).unwrap(), 0, "nothing comes");
}

#[test]
fn faults_are_counted_where_tests_can_read_them() {
    let sim = start(|o| o.faults = "8".parse::<Faults>().unwrap());
    let mut whole = 0;
    for _ in 0..40 {
        let mut stream = connect(&sim);
        send(&mut stream, "Accept-Encoding: gzip\r\n");
        whole += usize::from(receive(&mut stream).is_ok_and(|(head, _)| head.contains("200 OK")));
    }
    assert_eq!(sim.stats().faults(), 8);
    // The truncated gzip and the empty body come with a 200.
    assert_eq!(whole, 40 - 6);
    let mut stream = connect(&sim);
    write!(stream, "GET /sim/stats HTTP/1.1\r\nHost: {}\r\n\r\n", sim.addr()).unwrap();
    let (_, body) = receive(&mut stream).unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(stats["faults"], 8);
}

/// Beginnings of a request, and one that is whole but for its body.
const BEGINNINGS: [&str; 5] = [
    "",
    "G",
    "GET /sim/stats HTTP/1.1\r\n",
    "GET /sim/stats HTTP/1.1\r\nHost: localhost\r\nA: ",
    "POST /api/v2/query/timeseries HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
];

/// While all are served there is none to close, and the next client is told so at once.
#[test]
fn one_client_too_many_is_told() {
    let sim = start(|o| {
        o.patience.connections_max = 1;
        o.script = [(1, Fault::Hang)].into();
    });
    let mut hanging = connect(&sim);
    send(&mut hanging, "");
    while sim.stats().query_calls == 0 {
        std::thread::yield_now();
    }
    let mut stream = connect(&sim);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
}

#[test]
fn a_client_that_keeps_it_waiting_is_let_go_of() {
    let brief = Duration::from_millis(1);
    for beginning in BEGINNINGS {
        let sim =
            start(|o| o.patience = Patience { idle: brief, request: brief, ..Patience::DEFAULT });
        let mut stream = connect(&sim);
        stream.write_all(beginning.as_bytes()).unwrap();
        let mut answer = String::new();
        // A reset where bytes came after the server had closed.
        let read = stream.read_to_string(&mut answer);
        assert!(read.is_ok() || !beginning.is_empty(), "{read:?}");
        let told = answer.is_empty() || answer.starts_with("HTTP/1.1 408 Request Timeout\r\n");
        assert!(told, "{answer}");
    }
}

/// One that asks and takes no answer.
#[test]
fn a_client_that_takes_nothing_is_let_go_of() {
    let sim = start(|o| {
        o.patience.taking = Duration::from_millis(1);
        o.patience.connections_max = 1;
        o.script = [(1, Fault::Endless)].into();
    });
    let mut stream = connect(&sim);
    send(&mut stream, "");
    // Answered once there is room again.
    let mut is_told = false;
    while !is_told {
        let mut next = connect(&sim);
        send(&mut next, "Connection: close\r\n");
        is_told = receive(&mut next).is_ok_and(|(head, _)| head.contains("200 OK"));
    }
    drop(stream);
}
