//! Files that are read by name, and the output of a key command: never without a bound, and what is wrong is told with the file's name.

#![cfg(unix)]

use crate::support::{DAY_S, START_S, World, calm, said};
use rcgen::{CertificateParams, KeyPair};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};

/// KiB of memory that a run may have: none of these files makes it need more.
const DATA_KIB_MAX: u64 = 200_000;

/// Runs an export with these arguments besides its own, under a bound on memory; standard input is endless.
fn export(world: &World, list: &str, more: &[&str]) -> Output {
    let script = format!(r#"ulimit -d {DATA_KIB_MAX} && exec "$0" "$@""#);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let place = args.iter().position(|arg| arg == "queries.txt").unwrap();
    list.clone_into(&mut args[place]);
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    world.shell(&script, args).stdin(File::open("/dev/zero").unwrap()).output().unwrap()
}

/// Writes files of all kinds that are none of those that are wanted. The first is a gibibyte, of which the disk holds nothing; keys could be read from some.
fn write_wrong_files(world: &World) {
    File::create(world.path("huge")).unwrap().set_len(1 << 30).unwrap();
    fs::create_dir(world.path("folder")).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let pem = certificate.pem();
    let of_garbage = "-----BEGIN CERTIFICATE-----\nAAAAAAAA\n-----END CERTIFICATE-----\n";
    let private = key.serialize_pem();
    let files: [(&str, Vec<u8>); 11] = [
        ("empty", Vec::new()),
        ("blank", b" \r\n\n".into()),
        ("text", b"avg:m{*}\n".into()),
        ("bytes", vec![0xff; 64]),
        ("der", certificate.der().to_vec()),
        ("both", format!("{pem}{private}").into()),
        ("key", private.into()),
        ("cut", pem.as_bytes()[..pem.len() / 2].into()),
        ("no-base64", pem.replace('M', "?").into()),
        ("one-is-none", format!("{pem}{of_garbage}").into()),
        ("no-certificate", of_garbage.into()),
    ];
    for (name, bytes) in files {
        fs::write(world.path(name), bytes).unwrap();
    }
    fs::write(world.path("good"), pem).unwrap();
    for name in ["huge", "empty", "text", "bytes"] {
        fs::set_permissions(world.path(name), own()).unwrap();
    }
}

/// A pipe into which something writes without an end, until nobody reads.
fn endless_pipe(world: &World, name: &str) -> Child {
    assert!(Command::new("mkfifo").arg(world.path(name)).status().unwrap().success());
    fs::set_permissions(world.path(name), own()).unwrap();
    let script = r#"exec cat /dev/zero > "$0" 2> /dev/null"#;
    Command::new("/bin/sh")
        .args(["-c", script])
        .arg(world.path(name))
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Rights with which keys are read.
fn own() -> fs::Permissions {
    fs::Permissions::from_mode(0o600)
}

/// An export that is given such a file.
struct Attempt {
    list: &'static str,
    more: Vec<&'static str>,
    /// Parts of what it says, besides `error: ` before the first.
    says: Vec<String>,
}

impl Attempt {
    fn certificates(file: &'static str, why: &str) -> Self {
        let convert = "hint: openssl x509 -inform der -in der -out ca.pem";
        let give = "hint: give a PEM file (-----BEGIN CERTIFICATE-----) with the certificate";
        let hint = if file == "der" { convert } else { give };
        let says = vec![format!("--ca-file {file} cannot be used: {why}"), hint.to_owned()];
        Self { list: "queries.txt", more: vec!["--ca-file", file], says }
    }

    fn keys(flag: &'static str, source: &'static str, says: &str) -> Self {
        Self { list: "queries.txt", more: vec![flag, source], says: vec![says.to_owned()] }
    }

    fn list(list: &'static str, says: &str) -> Self {
        Self { list, more: Vec::new(), says: vec![says.to_owned()] }
    }
}

fn certificates() -> Vec<Attempt> {
    let too_long = "it is longer than 2097152 bytes";
    let absent = "it holds no certificate in PEM form";
    let private = "it holds a private key, which is to be kept from others";
    let unreadable = "a certificate in it cannot be read: ";
    let all = [
        ("/dev/zero", too_long),
        ("huge", too_long),
        ("pipe-1", too_long),
        ("folder", "Is a directory (os error 21)"),
        ("nothing", "No such file or directory (os error 2)"),
        ("empty", "it is empty"),
        ("/dev/null", "it is empty"),
        ("blank", "it is empty"),
        ("text", absent),
        ("bytes", absent),
        ("der", "it holds a certificate in binary form (DER)"),
        ("key", private),
        ("both", private),
        ("cut", unreadable),
        ("no-base64", unreadable),
        ("no-certificate", unreadable),
        ("one-is-none", unreadable),
    ];
    all.map(|(file, why)| Attempt::certificates(file, why)).into()
}

fn keys() -> Vec<Attempt> {
    let file = |name, says: &str| Attempt::keys("--key-file", name, says);
    let command = |text, says: &str| Attempt::keys("--key-command", text, says);
    let printed = "--key-command failed: it is longer than 65536 bytes";
    vec![
        file("huge", "the key file huge cannot be read: it is longer than 65536 bytes"),
        file("pipe-2", "the key file pipe-2 cannot be read: it is longer than 65536 bytes"),
        file("/dev/zero", "the key file /dev/zero is open to others"),
        file("folder", "the key file folder is open to others"),
        file("nothing", "the key file nothing cannot be read: No such file"),
        file("bytes", "the key file bytes cannot be read: it is not UTF-8 text"),
        file("empty", "DD_API_KEY and DD_APP_KEY are not set in empty"),
        file("text", "line 1 of the keys in text is not NAME=VALUE"),
        command("cat /dev/zero", printed),
        command("yes", printed),
        command("cat huge", printed),
        command(":", "DD_API_KEY and DD_APP_KEY are not set from --key-command"),
    ]
}

fn lists() -> Vec<Attempt> {
    let larger = "is larger than 16 MiB, so it is no list of queries";
    let no_list = "cannot read the list of queries";
    vec![
        Attempt::list("/dev/zero", &format!("/dev/zero {larger}")),
        Attempt::list("huge", &format!("huge {larger}")),
        Attempt::list("pipe-3", &format!("pipe-3 {larger}")),
        Attempt::list("-", &format!("standard input {larger}")),
        Attempt::list("folder", &format!("{no_list} folder")),
        Attempt::list("nothing", &format!("{no_list} nothing")),
    ]
}

#[test]
fn attempts_to_give_files_that_are_none() {
    let world = World::new(calm(), &["avg:system.cpu.user{*}"]);
    write_wrong_files(&world);
    let pipes = ["pipe-1", "pipe-2", "pipe-3"].map(|name| endless_pipe(&world, name));
    let attempts: Vec<_> = [certificates(), keys(), lists()].into_iter().flatten().collect();
    for Attempt { list, more, says } in &attempts {
        let output = export(&world, list, more);
        let told = said(&output);
        assert!(told.contains(&format!("error: {}", says[0])), "{list} {more:?}: {told}");
        assert!(says.iter().all(|says| told.contains(says)), "{list} {more:?}: {told}");
        assert_eq!(output.status.code(), Some(2), "{list} {more:?}: {told}");
    }
    assert_eq!(world.stats().query_calls, 0);
    for mut pipe in pipes {
        pipe.kill().unwrap();
        pipe.wait().unwrap();
    }
    let good = export(&world, "queries.txt", &["--ca-file", "good"]);
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    jindo_testing::all_held("files named as certificates, keys or lists", attempts.len());
}
