//! Keys in the words of a server and in the lines of a list: nothing that the binary says or keeps holds nine characters of one in a row.

use crate::network::Listener;
use crate::support::{DAY_S, START_S, World, calm, exits, walk};
use std::fs;
use std::process::{Command, Output, Stdio};

/// Keys of the two usual lengths; the second with characters that JSON and headers escape.
const KEYS: [&str; 2] =
    ["a1b2c3d4e5f6f7e8d9c0bacadafaebec", "zq/wvk7hj+xqy8gr/pumk9nsz=lxhw+vjqt6kgzr"];

/// A key that looks like one of Datadog's application keys.
const APP_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0ffeeddcc";

/// So many characters of a key in a row are shown nowhere.
const SHOWN_CHARS_MAX: usize = 8;

/// What stands between the pieces of a key in a body of JSON: folded to a space, dropped, or shown as nothing.
const SEPARATORS: [&str; 17] = [
    "", " ", r"\n", r"\t", r"\r\n", r"\u0085", r"\u2028", r"\u0007", r"\u001b", r"\u202e",
    r"\u200b", r"\ufeff", r"\\n", r"\\u2028", "\u{200b}", "\u{202e}", "…",
];

/// A key as it is, in halves, and in pieces of eight around a separator.
fn pieces(key: &str) -> Vec<String> {
    let parted = |separator: &&str| {
        [key.len() / 2, 8].map(|chars| {
            let parts = key.as_bytes().chunks(chars).map(String::from_utf8_lossy);
            parts.collect::<Vec<_>>().join(separator)
        })
    };
    SEPARATORS.iter().flat_map(parted).collect()
}

/// In JSON's escapes: of a text, of one that was quoted in another, with a slash, and cut off within the last.
fn escaped(key: &str) -> Vec<String> {
    let code = |slashes: &str| {
        key.bytes().map(|byte| format!("{slashes}u{byte:04x}")).collect::<Vec<_>>().concat()
    };
    vec![
        code("\\"),
        code("\\\\"),
        code("\\\\\\\\"),
        key.replace('/', "\\/"),
        key.to_ascii_uppercase(),
        code("\\").to_ascii_uppercase().replace("\\U", "\\u"),
    ]
}

/// Fails where something that was said, or a file, holds a part of a key. The user's own files are `own`.
#[track_caller]
fn assert_hidden(world: &World, outputs: &[&Output], own: &[&str], attempt: &str) {
    let mut places = Vec::new();
    for output in outputs {
        places.push(("stdout".to_owned(), output.stdout.clone()));
        places.push(("stderr".to_owned(), output.stderr.clone()));
    }
    for path in walk(world.dir.path()) {
        if !own.iter().any(|own| path.ends_with(own)) {
            places.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    for (place, mut bytes) in places {
        bytes.make_ascii_lowercase();
        // Databases and objects hold texts in UTF-8, whatever is around them.
        let text = String::from_utf8_lossy(&bytes);
        for key in [KEYS[0], KEYS[1], APP_KEY] {
            for at in 0..key.len() - SHOWN_CHARS_MAX {
                let part = &key[at..=at + SHOWN_CHARS_MAX];
                assert!(!text.contains(part), "{attempt}: {part} stands in {place}");
            }
        }
    }
}

fn keyed(command: &mut Command) -> &mut Command {
    command.env("DD_API_KEY", KEYS[0]).env("DD_APP_KEY", KEYS[1])
}

/// An answer with `@` where a key stands, and the exit code of an export that gets nothing else.
struct Place {
    name: &'static str,
    /// Status line and headers.
    head: &'static str,
    body: &'static str,
    code: i32,
}

const POINT: &str = r#""pointlist":[[1780272000000,1]]"#;

const PLACES: [Place; 12] = [
    Place {
        name: "a refusal",
        head: "400 Bad Request",
        body: r#"{"errors":["bad @ !"]}"#,
        code: 3,
    },
    Place {
        name: "a refusal of one error in pieces",
        head: "400 Bad Request",
        body: r#"{"errors":[{"title":"x","detail":"@"}]}"#,
        code: 3,
    },
    Place {
        name: "half a refusal",
        head: "400 Bad Request",
        body: r#"{"errors":["bad @"#,
        code: 3,
    },
    Place { name: "a text", head: "400 Bad Request", body: "bad @ !", code: 3 },
    Place { name: "a page", head: "400 Bad Request", body: "<h1>@</h1><p>b@d", code: 3 },
    Place {
        name: "a refusal within 200",
        head: "200 OK",
        body: r#"{"status":"error","error":"bad @"}"#,
        code: 3,
    },
    Place { name: "a status", head: "200 OK", body: r#"{"status":"@"}"#, code: 3 },
    Place {
        name: "a remark",
        head: "200 OK",
        body: r#"{"status":"ok","message":"@","series":[{"metric":"m","interval":60,"tag_set":[],POINT}]}"#,
        code: 0,
    },
    Place {
        name: "names",
        head: "200 OK",
        body: r#"{"status":"ok","series":[{"metric":"@","interval":60,"tag_set":["host:@"],"scope":"@","expression":"m{@}","unit":[{"name":"@"}],POINT}]}"#,
        code: 0,
    },
    Place {
        name: "a value of another type",
        head: "200 OK",
        body: r#"{"status":"ok","series":[{"metric":"m","interval":"@","tag_set":[],POINT}]}"#,
        code: 1,
    },
    Place {
        name: "names of series that contradict each other",
        head: "200 OK",
        body: r#"{"status":"ok","series":[{"metric":"@","interval":60,"tag_set":["a:@"],"pointlist":[[1,1]]}]}"#,
        code: 1,
    },
    Place { name: "keys refused", head: "403 Forbidden", body: r#"{"errors":["no: @"]}"#, code: 2 },
];

impl Place {
    /// An export of one query, which this server answers; waits between attempts would be most of the test.
    fn command(&self, world: &World, written: &str) -> (Listener, Command) {
        let body = self.body.replace("POINT", POINT).replace('@', written);
        asking(world, Listener::answering(self.head, &body))
    }
}

fn asking(world: &World, server: Listener) -> (Listener, Command) {
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let url = args.iter().position(|arg| arg == &world.sim.url()).unwrap();
    args[url] = server.url();
    args.insert(0, "-vvv".to_owned());
    args.extend(["--give-up-after", "1s"].map(str::to_owned));
    (server, world.command(args))
}

#[test]
fn attempts_to_bring_keys_into_what_the_binary_says_and_keeps() {
    let mut attempts = 0;
    let written: Vec<Vec<String>> =
        KEYS.iter().map(|key| [pieces(key), escaped(key)].concat()).collect();
    for (turn, place) in PLACES.iter().enumerate() {
        // Each place meets some spellings of each key, the slow ones fewer; the library's own attempts are of all.
        let (first, step) = if place.code == 1 { (4, 40) } else { (turn % 6, 6) };
        let picked = written.iter().flat_map(|all| all.iter().skip(first).step_by(step));
        for written in picked {
            let world = World::new(calm(), &["avg:m{*} by {host}"]);
            let (_server, mut command) = place.command(&world, written);
            let output = keyed(&mut command).output().unwrap();
            let attempt = format!("{} with {written}", place.name);
            assert_eq!(output.status.code(), Some(place.code), "{attempt}: {output:?}");
            assert_hidden(&world, &[&output], &[], &attempt);
            attempts += 1;
        }
    }
    jindo_testing::all_held("keys in a server's words, by the binary", attempts);
}

/// Headers that are shown, read, or named: a key stands in each as it is, and around what a header may hold.
#[test]
fn attempts_to_bring_keys_into_words_by_headers() {
    let data = r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":[],POINT}]}"#;
    let data = data.replace("POINT", POINT);
    let limits = "x-ratelimit-limit: 100\r\nx-ratelimit-period: 1\r\nx-ratelimit-remaining: 9\r\nx-ratelimit-reset: 1";
    let mut attempts = 0;
    for key in KEYS {
        let halves = [" ", "\t"].map(|between| [&key[..16], &key[16..]].join(between));
        for written in [key.to_owned(), key.to_ascii_uppercase()].into_iter().chain(halves) {
            for (head, body, code) in [
                ("302 Found\r\nlocation: https://@.example/@?@", "", 2),
                ("307 Temporary Redirect\r\nlocation: @", "", 2),
                ("200 OK\r\ncontent-type: @\r\nretry-after: @\r\nx-ratelimit-name: @", &*data, 0),
                ("200 OK\r\nLIMITS\r\nx-ratelimit-name: @", &*data, 0),
                (
                    "200 OK\r\nx-ratelimit-limit: @\r\nx-ratelimit-remaining: @\r\nx-ratelimit-reset: @",
                    &*data,
                    0,
                ),
                ("200 OK\r\ncontent-encoding: @", &*data, 0),
                ("400 @\r\ncontent-type: @", "", 3),
            ] {
                // No line break stands in a header, and what is asked again takes its time.
                if code == 2 && written.contains([' ', '\t']) {
                    continue;
                }
                let world = World::new(calm(), &["avg:m{*} by {host}"]);
                let head = head.replace("LIMITS", limits).replace('@', &written);
                let (_server, mut command) = asking(&world, Listener::answering(&head, body));
                let output = keyed(&mut command).output().unwrap();
                assert_eq!(output.status.code(), Some(code), "{head}: {output:?}");
                assert_hidden(&world, &[&output], &[], &head);
                attempts += 1;
            }
        }
    }
    jindo_testing::all_held("keys in a server's headers", attempts);
}

/// The journal of the ledger holds what no later page does: it is looked at as a crash leaves it.
#[test]
fn a_crash_leaves_no_key_in_the_journal() {
    let halves = format!(r"{}\n{}", &KEYS[0][..16], &KEYS[0][16..]);
    let queries: Vec<String> = (0..40).map(|number| format!("avg:m{number}{{*}}")).collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let world = World::new(calm(), &queries);
    let (server, mut command) = PLACES[0].command(&world, &halves);
    let mut child =
        keyed(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.asked().len() < 20 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let journal = world.out().join("archive/ledger.db-wal");
    assert!(
        fs::metadata(journal).is_ok_and(|journal| journal.len() > 0),
        "killed too early or late"
    );
    assert_hidden(&world, &[&output], &[], "a crash");
}

/// What a key file or a careless paste brings into a list. `@` and `&` stand for the keys of the environment.
const LINES: [&str; 27] = [
    "DD_API_KEY=@",
    "export DD_APP_KEY=\"&\"",
    "DD_API_KEY = '@'",
    "set DD_APP_KEY=&",
    "api_key: @",
    "\"app_key\": \"&\",",
    "{\"api_key\":\"@\",\"app_key\":\"&\"}",
    "[api_key]\t@",
    "DD-API-KEY: @",
    "curl -H 'DD-APPLICATION-KEY: &' https://api.datadoghq.com",
    "Authorization: Bearer &",
    "# DD_API_KEY=@",
    "  # &",
    "@",
    "&",
    "  \"@\"  ",
    "- @",
    "avg:m{host:@}",
    "avg:m{host:@",
    "avg:m{*}, sum:n{key:@} by {host}",
    "avg:@{*}",
    "avg:m{*} / &",
    "a1b2c3d4e5f6f7e8 d9c0bacadafaebec",
    "a1b2c3d4\u{200b}e5f6f7e8\u{2028}d9c0baca\u{b}dafaebec",
    "A1B2C3D4E5F6F7E8D9C0BACADAFAEBEC",
    "abs(@)",
    "@ # mine",
];

#[test]
fn attempts_to_bring_keys_into_a_list() {
    let mut attempts = 0;
    for line in LINES {
        for key_source in ["in the environment", "elsewhere"] {
            let is_ours = key_source == "in the environment";
            let app_key = if is_ours { KEYS[1] } else { APP_KEY };
            let written = line.replace('@', KEYS[0]).replace('&', app_key);
            // Keys of others are known by their looks alone, and a tag may have any.
            if !is_ours && line.starts_with("avg:") && line.ends_with(['}', '&']) {
                continue;
            }
            if !is_ours && line.contains(['\u{200b}', ' ']) && !line.contains(['@', '&']) {
                continue;
            }
            let world =
                World::new(calm(), &["avg:system.cpu.user{*}", &written, "avg:system.load.1{*}"]);
            let run = |args: &[&str]| {
                let mut command = world.command(args);
                if is_ours {
                    keyed(&mut command);
                }
                command.output().unwrap()
            };
            let range = ["--from", "2026-06-01", "--to", "2026-06-02"];
            let plan = run(&[&["plan", "queries.txt"][..], &range].concat());
            let url = world.sim.url();
            let export = ["-vv", "export", "queries.txt", "--out", "out", "--api-url", &url];
            let stopped = run(&[&export[..], &range].concat());
            let is_comment = line.trim_start().starts_with('#');
            if !is_comment {
                exits(&plan, 2);
                exits(&stopped, 2);
                let said = String::from_utf8_lossy(&stopped.stderr).into_owned();
                assert!(
                    said.starts_with(
                        "error: queries.txt:2:1: this line looks like a key and is not shown; "
                    ),
                    "{written}: {said}"
                );
                assert!(!world.out().exists(), "nothing is kept");
            }
            assert_hidden(&world, &[&plan, &stopped], &["queries.txt"], &written);
            // The simulator knows no such keys: what is kept before the first call is what counts.
            let kept =
                run(&[&export[..], &range, &["--keep-going", "--give-up-after", "1s"]].concat());
            let again = run(&["plan", "--out", "out"]);
            let status = run(&["status", "out", "--json"]);
            assert_hidden(&world, &[&kept, &again, &status], &["queries.txt"], &written);
            if !is_ours {
                exits(&kept, 0);
                let request = fs::read_to_string(world.out().join("archive/request.json")).unwrap();
                assert!(request.contains("[a line that looks like a key]"), "{request}");
                let table = fs::read_to_string(world.out().join("queries.csv")).unwrap();
                assert_eq!(
                    table.contains("[a line that looks like a key]"),
                    !is_comment,
                    "{table}"
                );
                exits(&again, 0);
            }
            attempts += 1;
        }
    }
    jindo_testing::all_held("keys in a list", attempts);
}

/// Keys of a file are known when calls are made, and not before: a list that holds them is refused then, before it is kept.
#[cfg(unix)]
#[test]
fn a_key_of_a_key_file_in_the_list_is_refused_before_it_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(calm(), &["avg:m{*}", &format!("avg:m{{host:{}}}", KEYS[0])]);
    let file = world.path("keys.env");
    fs::write(&file, format!("DD_API_KEY={}\nDD_APP_KEY={}\n", KEYS[0], KEYS[1])).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.extend(["--key-file", "keys.env"].map(str::to_owned));
    let output = world.run(&args);
    exits(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "error: queries.txt:2:1: this line holds one of the keys in keys.env and is not shown; nothing was fetched or \
                    written\n\nhint: take the key out of the list\n";
    assert!(said.ends_with(expected), "{said}");
    assert!(!world.out().exists() && world.stats().calls_by_path.is_empty());
    assert_hidden(&world, &[&output], &["queries.txt", "keys.env"], "a key file");
}
