//! Keys: where they may come from, and that they are found nowhere afterwards, in no spelling.

use crate::network::Listener;
use crate::support::{DAY_S, START_S, World, calm, exits, said, walk};
use jindo_sim::{API_KEY, APP_KEY, Options, built_in_queries};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

const ONE: [&str; 1] = ["avg:system.cpu.user{*} by {host}"];

/// Found by no accident, and different in every spelling.
const CANARY_API: &str = "canary+api/0123456789==&abcdef";
const CANARY_APP: &str = "canary+app/9876543210==&fedcba";

/// A day of the world's list, with keys from somewhere else than the environment.
fn export_with(world: &World, keys: &[&str]) -> Output {
    let args = world.export_args(START_S, START_S + DAY_S);
    let mut command = world.command(args.iter().map(String::as_str).chain(keys.iter().copied()));
    command.env("DD_API_KEY", "wrong").env_remove("DD_APP_KEY").output().unwrap()
}

/// The standard base64 alphabet, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        let digit = move |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        (0..=chunk.len()).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

/// A key as it is, escaped for a URL, escaped in JSON and Rust, and in base64 wherever in a longer text it stands.
fn spellings(key: &str) -> Vec<String> {
    let escaped = key.bytes().map(|byte| {
        let byte_is_plain = byte.is_ascii_alphanumeric();
        if byte_is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    let escaped: String = escaped.collect();
    let mut all = vec![key.to_owned(), escaped.to_lowercase(), escaped, key.replace('/', "\\/")];
    // The digits that hold no bit of what stands before or behind.
    for shift in 0..3 {
        let text = base64(&[&vec![0; shift][..], key.as_bytes()].concat());
        let (first, last) = ([0, 2, 3][shift], (shift + key.len()) / 3 * 4);
        all.push(text[first..last].to_owned());
    }
    all
}

#[test]
fn base64_is_what_others_write() {
    assert_eq!(
        ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
        ["", "Zg", "Zm8", "Zm9v", "Zm9vYg"]
    );
    assert!(spellings("any+key").contains(&"FueStr".to_owned()), "{:?}", spellings("any+key"));
}

/// Everything that was said, and every byte on the disk but the key file's.
fn assert_unknown(world: &World, outputs: &[Output]) {
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for (number, output) in outputs.iter().enumerate() {
        places.push((format!("stdout of run {number}"), output.stdout.clone()));
        places.push((format!("stderr of run {number}"), output.stderr.clone()));
    }
    let files = walk(world.dir.path());
    let files = files.iter().filter(|path| !path.ends_with("keys.env"));
    places.extend(files.map(|path| (path.display().to_string(), fs::read(path).unwrap())));
    let needles = [CANARY_API, CANARY_APP].map(spellings).concat();
    for (place, bytes) in places {
        let text = String::from_utf8_lossy(&bytes);
        for needle in &needles {
            assert!(!text.contains(needle.as_str()), "{needle} stands in {place}");
        }
    }
}

fn canaries() -> Options {
    let mut options = calm();
    options.api_keys = vec![CANARY_API.to_owned()];
    options.app_keys = vec![CANARY_APP.to_owned()];
    options
}

#[test]
fn keys_appear_nowhere() {
    let queries = built_in_queries();
    let queries: Vec<_> = queries.iter().map(String::as_str).take(70).collect();
    let faults = "24".parse().unwrap();
    let world = World::new(Options { faults, points_max: 300, ..canaries() }, &queries);
    let with_keys = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("DD_API_KEY", CANARY_API).env("DD_APP_KEY", CANARY_APP);
        command
    };
    let mut args = vec!["-vvv".to_owned()];
    args.extend(world.export_args(START_S, START_S + 3 * DAY_S));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let mut outputs = Vec::new();
    // Killed in the middle: what a crash leaves behind is looked at as well.
    let child = with_keys(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    while world.stats().query_calls < 4 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    outputs.push(child.wait_with_output().unwrap());
    assert_unknown(&world, &outputs);
    outputs.push(with_keys(&args).output().unwrap());
    exits(&outputs[1], 0);
    assert!(!outputs[1].stderr.is_empty(), "-vvv says something");
    for more in [&["status", "out", "--json"][..], &["verify", "out", "--json"]] {
        outputs.push(with_keys(&[&["-vvv"], more].concat()).output().unwrap());
        exits(outputs.last().unwrap(), 0);
    }
    assert_unknown(&world, &outputs);
}

/// In a refusal, and as tag, metric and unit of an answer: as it is and in JSON's escapes, also behind a mebibyte of anything.
#[test]
fn what_a_server_makes_of_the_keys_reaches_no_file() {
    let escaped =
        |key: &str| key.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat();
    let keys = [CANARY_API, CANARY_APP];
    for [api, app] in [keys.map(str::to_owned), keys.map(escaped)] {
        let pad = " ".repeat(2 << 20);
        let refusal = format!(r#"{{"pad":"{pad}","errors":["bad {api}\u0007","{app}"]}}"#);
        let series = format!(
            r#"{{"metric":"{app}","interval":60,"tag_set":["host:{api}"],"unit":[{{"name":"{app}"}}],"pointlist":[[{START_S}000,1]]}}"#
        );
        let data = format!(r#"{{"pad":"{pad}","status":"ok","series":[{series}]}}"#);
        for (status, body, code) in [
            ("400 Bad Request", &refusal, 3),
            ("400 Bad Request", &refusal.replace(&pad, ""), 3),
            ("200 OK", &refusal, 3),
            ("200 OK", &data, 0),
        ] {
            let server = Listener::answering(status, body);
            let world = World::new(calm(), &["avg:m{*} by {host}"]);
            let mut args = world.export_args(START_S, START_S + DAY_S);
            let url = args.iter().position(|arg| arg == &world.sim.url()).unwrap();
            args[url] = server.url();
            args.insert(0, "-vv".to_owned());
            let mut command = world.command(args);
            command.env("DD_API_KEY", CANARY_API).env("DD_APP_KEY", CANARY_APP);
            let output = command.output().unwrap();
            exits(&output, code);
            if code == 0 {
                let table = fs::read_to_string(world.out().join("series.csv")).unwrap();
                assert!(table.contains("host:[secret]"), "{table}");
            }
            assert_unknown(&world, &[output]);
        }
    }
}

#[test]
fn refused_keys_are_not_repeated() {
    for (api, app) in [(CANARY_API, APP_KEY), (API_KEY, CANARY_APP), (CANARY_API, "kéy\u{7f}")] {
        let world = World::new(calm(), &ONE);
        let mut args = world.export_args(START_S, START_S + DAY_S);
        args.insert(0, "-vvv".to_owned());
        let mut command = world.command(args);
        let output = command.env("DD_API_KEY", api).env("DD_APP_KEY", app).output().unwrap();
        exits(&output, 2);
        assert!(!said(&output).contains("kéy"), "{}", said(&output));
        assert_unknown(&world, &[output]);
    }
}

/// Threads and memory that are refused end in panics and aborts, with backtraces. Or never: where memory is refused within a
/// backtrace, the standard library waits for the lock that it holds itself.
#[cfg(target_os = "linux")]
#[test]
fn a_process_starved_of_memory_says_no_key() {
    let world = World::new(canaries(), &ONE);
    let mut outputs = Vec::new();
    for megabytes in [16, 32, 64, 128, 192] {
        let script =
            format!(r#"ulimit -v {} && exec timeout -s KILL 20 "$0" "$@""#, megabytes << 10);
        let mut command = world.shell(&script, world.export_args(START_S, START_S + DAY_S));
        command.env("DD_API_KEY", CANARY_API).env("DD_APP_KEY", CANARY_APP);
        outputs.push(command.env("RUST_BACKTRACE", "full").output().unwrap());
    }
    let codes: Vec<_> = outputs.iter().map(|output| output.status.code()).collect();
    assert!(codes.iter().any(|code| !matches!(code, Some(0..=3))), "none was starved: {codes:?}");
    assert_unknown(&world, &outputs);
}

/// What the other processes of the machine see, looked at while the keys are read: they come through a pipe.
#[cfg(target_os = "linux")]
#[test]
fn no_command_line_holds_keys_of_a_file() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let world = World::new(canaries(), &ONE);
    let pipe = world.path("keys.env");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.extend(["--key-file", "keys.env"].map(str::to_owned));
    let mut command = world.command(args);
    command.env_remove("DD_API_KEY").env_remove("DD_APP_KEY");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut opening = fs::File::options();
    opening.write(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    // Refused until the other side reads, which it does as long as it runs.
    let mut keys = loop {
        match opening.open(&pipe) {
            Ok(keys) => break keys,
            Err(_) => assert!(child.try_wait().unwrap().is_none(), "the file is not read"),
        }
        std::thread::yield_now();
    };
    write!(keys, "DD_API_KEY='{CANARY_API}'\nDD_APP_KEY='{CANARY_APP}'\n").unwrap();
    let of_child = |name: &str| fs::read(format!("/proc/{}/{name}", child.id()));
    // The environment is shown to root alone, and to nobody by some kernels.
    let (typed, environment) =
        (of_child("cmdline").unwrap(), of_child("environ").unwrap_or_default());
    drop(keys);
    let typed = String::from_utf8_lossy(&typed).into_owned();
    assert!(typed.contains("--key-file\0keys.env"), "{typed}");
    for place in [typed, String::from_utf8_lossy(&environment).into_owned()] {
        assert!(!place.contains("canary"), "{place}");
    }
    let output = child.wait_with_output().unwrap();
    exits(&output, 0);
    assert_unknown(&world, &[output]);
}

#[cfg(unix)]
fn key_file(world: &World, mode: u32, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = world.path("keys.env");
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn both() -> String {
    format!(
        "# of the simulated organisation\nexport DD_API_KEY={API_KEY}\nDD_APP_KEY=\"{APP_KEY}\"\n"
    )
}

#[cfg(unix)]
#[test]
fn a_key_file_goes_before_the_environment_and_must_be_the_owners_alone() {
    let world = World::new(calm(), &ONE);
    key_file(&world, 0o600, &both());
    std::os::unix::fs::symlink("keys.env", world.path("link.env")).unwrap();
    exits(&export_with(&world, &["--key-file", "link.env"]), 0);
    for mode in [0o640, 0o604, 0o660] {
        let other = World::new(calm(), &ONE);
        key_file(&other, mode, &both());
        std::os::unix::fs::symlink("keys.env", other.path("link.env")).unwrap();
        let output = export_with(&other, &["--key-file", "link.env"]);
        exits(&output, 2);
        let expected = format!(
            "error: the key file link.env is open to others (mode {mode:04o})\n\nhint: chmod 600 link.env\n"
        );
        assert_eq!(said(&output), expected);
        assert!(!other.out().exists() && other.stats().calls_by_path.is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_gives_both_keys_or_none() {
    let world = World::new(calm(), &ONE);
    key_file(&world, 0o600, &format!("DD_APP_KEY={APP_KEY}\n"));
    let output = export_with(&world, &["--key-file", "keys.env"]);
    exits(&output, 2);
    assert!(
        said(&output).starts_with("error: DD_API_KEY is not set in keys.env\n"),
        "{}",
        said(&output)
    );
    key_file(&world, 0o600, &format!("DD_API_KEY={API_KEY}\nDD_APP_KEY=c4a9"));
    let output = export_with(&world, &["--key-file", "keys.env"]);
    exits(&output, 2);
    assert!(said(&output).contains("(DD_APP_KEY in keys.env) is refused"), "{}", said(&output));
    assert!(!said(&output).contains("c4a9"));
}

#[cfg(unix)]
#[test]
fn a_key_command_is_believed_only_when_it_goes_well() {
    let world = World::new(calm(), &ONE);
    let prints =
        format!("echo opened >&2; printf 'DD_API_KEY={API_KEY}\\nDD_APP_KEY={APP_KEY}\\n'");
    let output = export_with(&world, &["--key-command", &prints]);
    exits(&output, 0);
    assert_eq!(said(&output), "opened\n", "its stderr is shown");
    let fresh = World::new(calm(), &ONE);
    for (more, expected) in [
        ("; exit 7", "error: --key-command failed: exit status: 7\n"),
        ("; kill -9 $$", "error: --key-command failed: signal: 9 (SIGKILL)\n"),
        ("; cat /dev/zero", "error: --key-command failed: it is longer than 65536 bytes\n"),
        ("; echo c4a9", "error: line 3 of the keys from --key-command is not NAME=VALUE\n"),
    ] {
        let output = export_with(&fresh, &["--key-command", &format!("{prints}{more}")]);
        exits(&output, 2);
        let said = said(&output);
        assert!(
            said.contains(expected) && !said.contains(API_KEY) && !said.contains("c4a9\n"),
            "{said}"
        );
    }
    assert!(!fresh.out().exists() && fresh.stats().calls_by_path.is_empty());
}

#[cfg(unix)]
#[test]
fn a_key_command_does_not_inherit_the_keys_of_the_environment() {
    let world = World::new(calm(), &ONE);
    let told = format!("printf 'DD_API_KEY={API_KEY}\\nDD_APP_KEY={APP_KEY}\\n'");
    let looks = format!(
        "echo \"${{DD_API_KEY-none}} ${{DD_APP_KEY-none}} ${{DATADOG_API_KEY-none}} ${{DATADOG_APP_KEY-none}} $MINE\" >&2; {told}"
    );
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.extend(["--key-command".to_owned(), looks]);
    let mut command = world.command(args);
    command.env("DD_API_KEY", CANARY_API).env("DD_APP_KEY", CANARY_APP).env("MINE", "kept");
    command.env("DATADOG_API_KEY", CANARY_API).env("DATADOG_APP_KEY", CANARY_APP);
    let output = command.output().unwrap();
    exits(&output, 0);
    assert_eq!(said(&output), "none none none none kept\n");
}

/// An export by these variables alone.
fn export_by(world: &World, variables: &[(&str, &str)]) -> Output {
    let mut command = world.command(world.export_args(START_S, START_S + DAY_S));
    command.env_remove("DD_API_KEY").env_remove("DD_APP_KEY");
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn keys_are_read_under_their_other_names_and_without_quotes() {
    let (api, app) = (format!("\"{CANARY_API}\""), format!(" \u{201c}{CANARY_APP}\u{201d} "));
    let quoted = "note: the quotes around DATADOG_API_KEY (in the environment) are left out\n\
                  note: the quotes around DD_APP_KEY (in the environment) are left out\n";
    for (variables, expected) in [
        (vec![("DATADOG_API_KEY", CANARY_API), ("DATADOG_APP_KEY", CANARY_APP)], ""),
        (
            vec![
                ("DATADOG_API_KEY", "wrong"),
                ("DD_API_KEY", CANARY_API),
                ("DD_APP_KEY", CANARY_APP),
            ],
            "",
        ),
        (vec![("DATADOG_API_KEY", &*api), ("DD_APP_KEY", &*app)], quoted),
    ] {
        let world = World::new(canaries(), &ONE);
        let output = export_by(&world, &variables);
        exits(&output, 0);
        assert_eq!(said(&output), expected);
        assert_unknown(&world, &[output]);
    }
    let world = World::new(canaries(), &ONE);
    let wrong = export_by(&world, &[("DATADOG_API_KEY", "c4a9"), ("DATADOG_APP_KEY", "c4a9")]);
    exits(&wrong, 2);
    let expected =
        "error: the API key (DATADOG_API_KEY in the environment) is not known to 127.0.0.1\n";
    assert!(said(&wrong).starts_with(expected), "{}", said(&wrong));
}

#[cfg(unix)]
#[test]
fn a_key_file_and_a_key_command_know_the_other_names_and_quotes() {
    let lines = format!("DATADOG_API_KEY=\u{201c}{API_KEY}\u{201d}\nDD_APP_KEY='\"{APP_KEY}\"'\n");
    let world = World::new(calm(), &ONE);
    key_file(&world, 0o600, &lines);
    for (source, origin) in [
        (["--key-file", "keys.env"], "in keys.env"),
        (["--key-command", "/bin/cat keys.env"], "from --key-command"),
    ] {
        let output = export_with(&world, &source);
        exits(&output, 0);
        let note = |name: &str| format!("note: the quotes around {name} ({origin}) are left out\n");
        assert_eq!(said(&output), note("DATADOG_API_KEY") + &note("DD_APP_KEY"));
        fs::remove_dir_all(world.out()).unwrap();
    }
}

#[test]
fn a_host_in_the_environment_is_followed_only_to_datadog() {
    let proxy = Listener::answering("502 Bad Gateway", "");
    let world = World::new(calm(), &ONE);
    let asked = |host: &str, more: &[&str]| {
        let args = ["export", "queries.txt", "--from", "-3d"].iter().chain(more);
        let mut command = world.command(args);
        command.env("DATADOG_HOST", host).env("HTTPS_PROXY", proxy.url()).output().unwrap()
    };
    exits(&asked("https://api.us5.datadoghq.com", &[]), 1);
    assert!(
        proxy.asked().iter().all(|line| line.starts_with("CONNECT api.us5.datadoghq.com:443 "))
    );
    let calls = proxy.asked().len();
    assert!(calls > 0);
    for host in
        ["http://api.datadoghq.com", "https://api.example.com", "api.datadoghq.com", "statsd"]
    {
        let output = asked(host, &["--progress", "none"]);
        exits(&output, 2);
        let expected = "error: DATADOG_HOST in the environment is not the https:// address of a Datadog site\n\n\
                        hint: any other address is given by --api-url https://HOST, and a site by --site or DD_SITE; else unset DATADOG_HOST\n";
        assert_eq!(said(&output), expected);
    }
    assert_eq!(proxy.asked().len(), calls);
    exits(&asked("statsd", &["--site", "datadoghq.eu"]), 1);
    let mut by_site = world.command(["export", "queries.txt", "--from", "-3d"]);
    by_site
        .envs([("DATADOG_SITE", "datadoghq.eu"), ("DATADOG_HOST", "statsd")])
        .env("HTTPS_PROXY", proxy.url());
    exits(&by_site.output().unwrap(), 1);
    assert_eq!(proxy.asked().last().unwrap(), "CONNECT api.datadoghq.eu:443 HTTP/1.1");
}

#[test]
fn an_open_network_gets_keys_only_when_the_user_insists_and_is_warned() {
    let world = World::new(Options { hosts: vec!["0.0.0.0".to_owned()], ..calm() }, &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    // The same machine by a spelling that does not show it.
    for arg in &mut args {
        *arg = arg.replace("http://127.0.0.1:", "http://0.0.0.0:");
    }
    exits(&world.run(&args), 2);
    assert!(world.stats().calls_by_path.is_empty());
    args.push("--insecure-http".to_owned());
    let output = world.run(&args);
    exits(&output, 0);
    assert_eq!(
        said(&output),
        "warning: keys and answers travel unencrypted to 0.0.0.0 (--insecure-http)\n"
    );
}

#[test]
fn no_spelling_of_another_address_passes_for_this_machine() {
    let world = World::new(calm(), &ONE);
    let url = world.sim.url().replace("127.0.0.1", "0.0.0.0");
    for disguised in [format!("{url}/http://127.0.0.1"), format!("{url}/://localhost")] {
        let args = ["export", "queries.txt", "--from", "-3d", "--api-url", &disguised];
        let output = world.run(args);
        exits(&output, 2);
        assert!(said(&output).contains("it holds a path"), "{}", said(&output));
    }
    let output =
        world.run(["export", "queries.txt", "--from", "-3d", "--api-url", "evil://127.0.0.1"]);
    exits(&output, 2);
    assert!(world.stats().calls_by_path.is_empty());
}

#[cfg(unix)]
#[test]
fn a_key_pasted_as_the_site_is_neither_asked_nor_shown() {
    let world = World::new(calm(), &ONE);
    let key = "0123456789abcdef0123456789abcdef";
    key_file(&world, 0o600, &format!("{}DD_SITE={key}\n", both()));
    let in_file = ["export", "queries.txt", "--from", "-3d", "--key-file", "keys.env"];
    let output = world.run(in_file);
    exits(&output, 2);
    assert!(said(&output).contains("error: DD_SITE in keys.env is no"), "{}", said(&output));
    assert!(!said(&output).contains(&key[..8]), "{}", said(&output));
    let output = world.command(&in_file[..4]).env("DD_SITE", key).output().unwrap();
    exits(&output, 2);
    assert!(said(&output).contains("error: DD_SITE in the environment is no"));
    assert!(!said(&output).contains(&key[..8]), "{}", said(&output));
}

/// Whether every file and folder below `path` has exactly what the umask leaves.
#[cfg(unix)]
fn assert_masked(path: &Path, umask: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(path).unwrap() {
        let (path, is) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        let most = if is.is_dir() { 0o777 } else { 0o666 };
        let mode = is.permissions().mode() & 0o777;
        assert_eq!(
            format!("{mode:o}"),
            format!("{:o}", most & !umask),
            "{} under {umask:03o}",
            path.display()
        );
        if is.is_dir() {
            assert_masked(&path, umask);
        }
    }
}

#[cfg(unix)]
#[test]
fn files_have_the_rights_that_the_umask_leaves() {
    for umask in [0o077, 0o027, 0o002] {
        let world = World::new(calm(), &ONE);
        let script = format!(r#"umask {umask:03o} && exec "$0" "$@""#);
        let args = world.export_args(START_S, START_S + DAY_S);
        exits(&world.shell(&script, args).output().unwrap(), 0);
        exits(&world.shell(&script, ["extract", "out", "--out", "copy"]).output().unwrap(), 0);
        for folder in ["out", "copy"] {
            assert_masked(&world.path(folder), umask);
        }
    }
}
