//! What goes through a proxy and what does not.

use crate::support::{DAY_S, START_S, World, calm, exits};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server of this machine that gives every request the same answer and remembers the first lines.
pub(crate) struct Listener {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    pub(crate) fn answering(status: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let line = first_line(&stream);
                heard.lock().unwrap().push(line);
                // Whoever hangs up early has heard enough.
                (&stream).write_all(answer.as_bytes()).unwrap_or_default();
            }
        });
        Self { port, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The first line of a request, which is read to the end of its headers.
fn first_line(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    first
}

const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];

#[test]
fn this_machine_is_asked_without_the_proxy() {
    let proxy = Listener::answering("502 Bad Gateway", "");
    let world = World::new(calm(), &["avg:system.cpu.user{*} by {host}"]);
    let mut command = world.command(world.export_args(START_S, START_S + DAY_S));
    exits(&command.envs(PROXIES.map(|name| (name, proxy.url()))).output().unwrap(), 0);
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn a_site_is_asked_through_the_proxy() {
    let proxy = Listener::answering("403 Forbidden", "");
    let world = World::new(calm(), &["avg:m{*}"]);
    let args = ["export", "queries.txt", "--from", "-3d", "--site", "datadoghq.eu"];
    let output = world.command(args).env("HTTPS_PROXY", proxy.url()).output().unwrap();
    exits(&output, 1);
    let asked = proxy.asked();
    assert!(
        !asked.is_empty()
            && asked.iter().all(|line| line == "CONNECT api.datadoghq.eu:443 HTTP/1.1"),
        "{asked:?}"
    );
}
