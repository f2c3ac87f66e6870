//! Names of lists, directories and files below them, as their maker likes them.

use super::{assert_within_its_line, forged};
use crate::support::{DAY_S, START_S, World, calm, exits};
use std::fs;
use std::process::{Output, Stdio};

const ONE: [&str; 1] = ["avg:system.cpu.user{*} by {host}"];

/// The exit code, and the words of a command whose argument `{}` is the text.
type Step = (&'static str, i32);

/// Runs one command after the other, each of which names the text.
fn follow(world: &World, text: &str, steps: &[Step]) -> usize {
    for (line, code) in steps {
        let output = run(world, text, line);
        exits(&output, *code);
        assert_within_its_line(line, text, &output);
    }
    steps.len()
}

fn run(world: &World, text: &str, line: &str) -> Output {
    let url = world.sim.url();
    let time = |secs: i64| jiff::Timestamp::from_second(secs).unwrap().to_string();
    let range = format!("--from,{},--to,{}", time(START_S), time(START_S + DAY_S));
    let line = line.replace("URL", &format!("--api-url,{url}")).replace("RANGE", &range);
    world.run(line.split(',').map(|word| word.replace("{}", text)))
}

#[test]
fn attempts_to_forge_a_line_by_a_name() {
    let mut count = 0;
    for text in forged() {
        let world = World::new(calm(), &ONE);
        fs::write(world.path(&text), "avg:m\n").unwrap();
        count += follow(
            &world,
            &text,
            &[("plan,{},--from,-1d", 2), ("export,{},--from,-1d,--out,o", 2)],
        );
        fs::remove_file(world.path(&text)).unwrap();

        // The list has that name, and is carried over.
        let list = world.path(&format!("{text}.txt"));
        fs::copy(world.path("queries.txt"), &list).unwrap();
        exits(&run(&world, &text, "export,{}.txt,RANGE,--out,out,URL"), 0);
        count += follow(
            &world,
            &text,
            &[("export,--out,out", 0), ("plan,--out,out,--resolution,5m", 0)],
        );

        // The directory has that name.
        count += follow(
            &world,
            &text,
            &[
                ("export,queries.txt,RANGE,--out,{},URL", 0),
                ("extract,{}", 0),
                ("extract,out,--out,{}-copy", 0),
                ("extract,{},--query,none,--out,copy", 2),
            ],
        );
        let dir = world.path(&text);
        fs::remove_file(dir.join("queries.csv")).unwrap();
        count += follow(&world, &text, &[("verify,{}", 1), ("verify,{},--json,--refetch,{}", 2)]);
        exits(&run(&world, &text, "verify,{},--repair"), 0);

        // So have files within it: a stranger among files, one among objects, a link in its place.
        fs::create_dir_all(dir.join("csv").join(&text)).unwrap();
        fs::write(dir.join("csv").join(&text).join("a.csv"), "").unwrap();
        let objects = dir.join("archive/data/2026-06-01");
        fs::write(objects.join(format!("{text}.parquet")), "PAR1").unwrap();
        count += follow(&world, &text, &[("verify,{}", 1)]);
        fs::remove_file(objects.join(format!("{text}.parquet"))).unwrap();
        count += follow(&world, &text, &[("verify,{}", 0), ("verify,{},--json", 0)]);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", objects.join(&text)).unwrap();
            count += follow(&world, &text, &[("verify,{}", 1)]);
            fs::rename(dir.join("archive"), dir.join("moved")).unwrap();
            std::os::unix::fs::symlink("moved", dir.join("archive")).unwrap();
            count += follow(
                &world,
                &text,
                &[("status,{}", 2), ("export,queries.txt,RANGE,--out,{},URL", 2)],
            );
        }
    }
    jindo_testing::all_held("lines and controls in names of lists, directories and files", count);
}

/// A second writer is told who the first one is, in the words of a file that anybody may have written.
#[test]
fn attempts_to_forge_a_line_by_the_holder_of_a_lock() {
    let world = World::new(calm(), &ONE);
    exits(&world.export(1), 0);
    let lock = world.out().join("archive/lock");
    // A run that waits for a server, which never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut args = world.export_args(START_S, START_S + 2 * DAY_S);
    args.iter_mut().filter(|word| **word == world.sim.url()).for_each(|word| word.clone_from(&url));
    let mut first = world.command(args).stderr(Stdio::null()).spawn().unwrap();
    // It writes its number once it holds the lock.
    let named = format!("\"pid\":{},", first.id());
    while !fs::read_to_string(&lock).unwrap().contains(&named) {
        assert!(first.try_wait().unwrap().is_none(), "it ended before it held the lock");
    }
    let texts = forged();
    for text in &texts {
        let holder = serde_json::json!({ "pid": 7, "host": text, "since": "2026-06-01T00:00:00Z" });
        fs::write(&lock, holder.to_string()).unwrap();
        let output = world.export(2);
        exits(&output, 4);
        assert_within_its_line("the lock", text, &output);
    }
    first.kill().unwrap();
    first.wait().unwrap();
    jindo_testing::all_held("lines and controls in the holder of a lock", texts.len());
}

/// Runs the command that stands between two texts of what was said, as a person would paste it.
#[cfg(unix)]
fn pasted(world: &World, said: &Output, before: &str, after: &str) -> Output {
    let said = String::from_utf8(said.stdout.clone()).unwrap();
    let (_, rest) = said.split_once(before).unwrap_or_else(|| panic!("no {before:?}: {said}"));
    let (line, _) = rest.split_once(after).unwrap_or_else(|| panic!("no {after:?}: {said}"));
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_jindo")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", line]).current_dir(world.dir.path()).env("PATH", path);
    shell.output().unwrap()
}

#[cfg(unix)]
#[test]
fn suggested_command_lines_can_be_pasted_whatever_a_directory_is_called() {
    use std::os::unix::ffi::OsStrExt as _;
    let names = forged().into_iter().map(String::into_bytes);
    for name in names.chain([b"-\xff'$(false)!`\\".to_vec()]) {
        let dir = std::ffi::OsStr::from_bytes(&name);
        let world = World::new(calm(), &ONE);
        let mut args: Vec<_> = world
            .export_args(START_S, START_S + DAY_S)
            .into_iter()
            .map(std::ffi::OsString::from)
            .collect();
        let mut out = std::ffi::OsString::from("--out=");
        out.push(dir);
        args.splice(2..4, [out]);
        let exported = world.run(args);
        exits(&exported, 0);
        exits(&pasted(&world, &exported, "Next: ", " checks every file"), 0);
        fs::remove_file(world.dir.path().join(dir).join("queries.csv")).unwrap();
        let verified = world.run([std::ffi::OsStr::new("verify"), std::ffi::OsStr::new("--"), dir]);
        exits(&verified, 1);
        let repaired =
            pasted(&world, &verified, "1 thing is wrong\n", " repairs what needs no call");
        exits(&repaired, 0);
        assert!(world.dir.path().join(dir).join("queries.csv").exists());
    }
}

/// An object whose texts make the reader of Parquet panic: that is an error of the object, and the text of the panic is not shown.
#[test]
fn a_panic_of_the_reader_of_objects_says_nothing() {
    let world = World::new(calm(), &ONE);
    let folder = world.out().join("archive/data/2021-12-12");
    fs::create_dir_all(&folder).unwrap();
    let fixture =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/breaks-its-encoding.parquet");
    fs::copy(fixture, folder.join("0123456789abcdef0123456789abcdef.parquet")).unwrap();
    let output = world.command(["verify", "out"]).env("RUST_BACKTRACE", "1").output().unwrap();
    exits(&output, 1);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("Parquet error: a page breaks its own encoding\n"), "{said}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
