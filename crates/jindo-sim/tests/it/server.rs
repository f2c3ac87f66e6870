//! What arrives on a raw connection: keep-alive, concurrency, and every way in which an answer breaks.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use jindo_sim::{Fault, Faults, Options, Simulator};

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
    let target = target(NOW_S);
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: sim\r\nDD-API-KEY: sim-api-key\r\nDD-APPLICATION-KEY: sim-app-key\r\n{extra}\r\n"
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
    stream.write_all(b"GET /sim/stats HTTP/1.1\r\n\r\n").unwrap();
    let (_, body) = receive(&mut stream).unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(stats["faults"], 8);
}
