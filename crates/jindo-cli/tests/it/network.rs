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
        Self::at("127.0.0.1:0", status, body)
    }

    fn at(address: &str, status: &str, body: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
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

    pub(crate) fn asked(&self) -> Vec<String> {
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

/// A setting that names a proxy, and is none: the keys would go past it.
const NO_PROXIES: [&str; 17] = [
    "ftp://proxy:21",
    "ftp://me:hunter2@proxy:21",
    "socks5://me:hunter2@proxy:1080",
    "socks4://proxy:1080",
    "file:///hunter2",
    "http://",
    "http://:3128",
    "http:///hunter2",
    "://hunter2",
    "http://me:hunter2@",
    "me:hunter2@proxy:port",
    "http://me:hunter2@proxy:99999",
    "http://me:hunter2@pro xy:3128",
    "http://proxy/hunter2.dat",
    "http://proxy:3128?hunter2",
    "yes hunter2",
    "/usr/bin/hunter2",
];

/// The variables that decide for an `https://` and for an `http://` address.
const DECIDING: [(&str, [&str; 4]); 2] = [
    ("https://api.invalid", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
    ("http://api.invalid", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
];

fn export_at<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["export", "queries.txt", "--from", "-3d", "--insecure-http", "--api-url", url];
    args.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn attempts_to_get_past_a_proxy_by_a_setting_that_names_none() {
    let world = World::new(calm(), &["avg:m{*}"]);
    let mut count = 0;
    for (url, names) in DECIDING {
        for name in names {
            for value in NO_PROXIES {
                // Nor does a list of hosts make it good, or a wish to be called by a web server.
                for more in [("LANG", "C"), ("NO_PROXY", "api.invalid"), ("REQUEST_METHOD", "GET")]
                {
                    count += 1;
                    let mut command = world.command(export_at(url, &["-vv"]));
                    let output = command.env(name, value).envs([more]).output().unwrap();
                    exits(&output, 2);
                    let said = String::from_utf8(output.stderr).unwrap();
                    let told = format!(
                        "\nerror: {name} in the environment is not the address of a proxy: it "
                    );
                    assert!(said.contains(&told), "{said}");
                    assert!(
                        said.contains(&format!(
                            "\nhint: write {name}=http://HOST:PORT, or unset it"
                        )),
                        "{said}"
                    );
                    assert!(!said.contains("hunter2"), "{said}");
                }
            }
        }
    }
    jindo_testing::all_held("settings of a proxy that name none", count);
}

/// The first that is not blank decides, and is used whatever stands in the others; a call of a web server (`REQUEST_METHOD`) or a
/// list of other hosts changes nothing.
#[test]
fn a_proxy_is_used_wherever_it_is_named() {
    let proxy = Listener::answering("407 Proxy Authentication Required", "");
    let (address, port) = (proxy.url(), proxy.port);
    let world = World::new(calm(), &["avg:m{*}"]);
    let bare = format!("127.0.0.1:{port}");
    let with_password = format!("http://me:hunter2@127.0.0.1:{port}/");
    let blank_first =
        |name: &'static str, other: &'static str| vec![(name, " "), (other, &*address)];
    let settings: Vec<Vec<(&str, &str)>> = vec![
        vec![("HTTPS_PROXY", &address)],
        vec![("https_proxy", &bare)],
        vec![("ALL_PROXY", &with_password)],
        vec![("all_proxy", &address), ("HTTP_PROXY", "ftp://not-asked")],
        vec![("HTTPS_PROXY", &address), ("ALL_PROXY", "socks5://not-asked")],
        vec![("HTTPS_PROXY", &with_password), ("REQUEST_METHOD", "GET")],
        vec![("HTTPS_PROXY", &address), ("NO_PROXY", "api.invalid.example, ,.valid,10.0.0.0/8")],
        vec![("HTTPS_PROXY", &address), ("NO_PROXY", "pi.invalid")],
        blank_first("HTTPS_PROXY", "https_proxy"),
        blank_first("https_proxy", "ALL_PROXY"),
    ];
    for setting in settings {
        let before = proxy.asked().len();
        let mut command = world.command(export_at("https://api.invalid", &["-vv"]));
        let output = command.envs(setting.iter().copied()).output().unwrap();
        exits(&output, 1);
        let asked = proxy.asked();
        assert!(asked.len() > before, "{setting:?} went past it");
        assert!(asked.iter().all(|line| line == "CONNECT api.invalid:443 HTTP/1.1"), "{asked:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("hunter2"), "{said}");
    }
    for no_proxy in ["api.invalid", ".invalid", "*", "x, invalid"] {
        let before = proxy.asked().len();
        let mut command = world.command(export_at("https://api.invalid", &[]));
        command.env("HTTPS_PROXY", &address).env("no_proxy", no_proxy);
        exits(&command.output().unwrap(), 1);
        assert_eq!(proxy.asked().len(), before, "{no_proxy} names the host");
    }
}

/// Over TLS it refuses a tunnel, without it the call itself.
#[test]
fn a_proxy_that_wants_a_password_is_told_one_by_its_address() {
    let proxy = Listener::answering("407 Proxy Authentication Required", "");
    let world = World::new(calm(), &["avg:m{*}"]);
    for (url, name) in
        [("https://api.invalid", "HTTPS_PROXY"), ("http://api.invalid", "HTTP_PROXY")]
    {
        let hint = |password: &str| {
            let address = format!("http://{password}127.0.0.1:{}", proxy.port);
            let output = world.command(export_at(url, &[])).env(name, address).output().unwrap();
            exits(&output, 1);
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("cannot be reached: ") && !said.contains("hunter2"), "{said}");
            said.lines().last().unwrap().to_owned()
        };
        assert_eq!(
            hint(""),
            "hint: the proxy wants a name and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        );
        assert!(
            hint("me:hunter2@").contains(" does not take this name and password: HTTPS_PROXY=")
        );
    }
}

/// Names that stand for this machine, whatever is said of them elsewhere.
const OWN_NAMES: [&str; 6] = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "api.localhost",
    "a.b.localhost.",
    "mallory.localhost",
];

/// Addresses by these names, two of them with TLS, and the exit code: the listeners speak no TLS.
fn own_addresses() -> impl Iterator<Item = (String, i32)> {
    let open = OWN_NAMES.into_iter().map(|name| (format!("http://{name}"), 2));
    let encrypted = ["localhost", "mallory.localhost."].map(|name| (format!("https://{name}"), 1));
    open.chain(encrypted)
}

/// Those that no file and no name server knows are reached all the same, so they are looked up nowhere.
#[test]
fn attempts_to_send_keys_elsewhere_by_a_name_of_this_machine() {
    let proxy = Listener::answering("502 Bad Gateway", "");
    for (name, code) in own_addresses() {
        let server = Listener::answering("403 Forbidden", "");
        let world = World::new(calm(), &["avg:m{*}"]);
        let url = format!("{name}:{}", server.port);
        let args =
            ["export", "queries.txt", "--from", "-3d", "--give-up-after", "1s", "--api-url", &url];
        let mut command = world.command(args);
        let output = command.envs(PROXIES.map(|name| (name, proxy.url()))).output().unwrap();
        exits(&output, code);
        assert!(!server.asked().is_empty(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(proxy.asked(), [""; 0]);
    let kind = "names of this machine that a proxy or a name server could answer";
    jindo_testing::all_held(kind, own_addresses().count());
}

/// In a namespace with a file of its own, which calls another address by these names.
#[cfg(target_os = "linux")]
#[test]
fn attempts_to_send_keys_elsewhere_by_a_hosts_file() {
    let world = World::new(calm(), &["avg:m{*}"]);
    let names = OWN_NAMES.map(|name| format!("127.0.0.2 {name}\n")).concat();
    std::fs::write(world.path("hosts"), names).unwrap();
    let unshare = |script: &str, args: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]);
        command.arg(env!("CARGO_BIN_EXE_jindo")).args(args).current_dir(world.dir.path());
        command.env("DD_API_KEY", "a-key").env("DD_APP_KEY", "another-key").output()
    };
    let led = unshare("mount --bind hosts /etc/hosts && getent hosts mallory.localhost", &[]);
    if !led.is_ok_and(|output| output.stdout.starts_with(b"127.0.0.2")) {
        return; // This machine gives nobody a namespace of his own.
    }
    for (name, code) in own_addresses() {
        // Both listen on one port: whoever is asked is the one that the name leads to.
        let own = Listener::answering("403 Forbidden", "");
        let other = Listener::at(&format!("127.0.0.2:{}", own.port), "403 Forbidden", "");
        let url = format!("{name}:{}", own.port);
        let script = "mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"";
        let args =
            ["export", "queries.txt", "--from", "-3d", "--give-up-after", "1s", "--api-url", &url];
        exits(&unshare(script, &args).unwrap(), code);
        assert_eq!((other.asked(), own.asked().is_empty()), (Vec::new(), false), "{url}");
    }
    let kind = "names of this machine that a hosts file gives to another";
    jindo_testing::all_held(kind, own_addresses().count());
}
