//! Words about what is there: a directory of which nobody knows what was asked, a query for which the server has nothing, a copy without an
//! archive, an export that is under way, and a directory that goes away below one.

use crate::support::{DAY_S, START_S, World, calm, copy, exits, printed, said, walk};
use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};

const QUERIES: [&str; 2] = ["avg:system.cpu.user{*} by {host}", "avg:odd.values{*}"];

/// The export's own metric with a letter missing, and one that resembles none.
const ABSENT: [&str; 2] = ["avg:system.cpu.usr{*}", "avg:nothing.of.the.sort{*}"];

fn lines(output: &Output) -> Vec<String> {
    printed(output).lines().map(str::to_owned).collect()
}

#[track_caller]
fn has(output: &Output, line: &str) {
    assert!(lines(output).iter().any(|told| told == line), "{line}\n\n{}", printed(output));
}

#[test]
fn a_directory_whose_request_is_lost_is_never_called_complete() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.export(1), 0);
    let lost = |name: &str| fs::remove_file(world.out().join("archive").join(name)).unwrap();
    for name in ["ledger.db", "request.json"] {
        lost(name);
    }
    let told = [
        "what was asked is not known: neither the ledger nor archive/request.json has the",
        "last request, so nothing tells whether all of it is there. Name list and range",
        "again, what is held is not fetched twice: jindo export LIST --from T --out out",
    ];
    // The ledger is missing as well, which a repair mends; the request it cannot.
    let steps: [(&[&str], i32); 4] = [
        (&["verify", "out"], 3),
        (&["verify", "out", "--repair"], 3),
        (&["verify", "out", "--repair"], 3),
        (&["verify", "out"], 3),
    ];
    for (args, code) in steps {
        let output = world.run(args);
        exits(&output, code);
        for line in told {
            has(&output, line);
        }
        assert!(!printed(&output).contains("everything"), "{}", printed(&output));
    }
    let json = world.run(["verify", "out", "--json"]);
    exits(&json, 3);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["request_known"], false);
    let status = world.run(["status", "out"]);
    has(&status, "range      not known: the last request is lost, or none was registered yet");
    has(
        &status,
        "queries    2 queries are held; which were asked, and for which range, is not known",
    );
    has(&status, "next       jindo export LIST --from T --out out names list and range again");
    // Named again, it is complete without a call.
    let calls = world.stats().query_calls;
    exits(&world.export(1), 0);
    assert_eq!(world.stats().query_calls, calls);
    has(&world.run(["verify", "out"]), "everything that was requested is there");
}

#[test]
fn a_query_for_which_the_server_has_nothing_is_told_apart() {
    let world = World::new(calm(), &[&QUERIES[..], &ABSENT[..]].concat());
    let export = world.export(1);
    exits(&export, 0);
    let told = [
        "2 queries: asked, the server has nothing; are the names right?",
        "avg:system.cpu.usr{*} (another query has system.cpu.user)",
        "avg:nothing.of.the.sort{*}",
    ];
    has(&export, &format!("  empty        {}", told[0]));
    for line in &told[1..] {
        has(&export, &format!("               {line}"));
    }
    let status = world.run(["status", "out"]);
    has(&status, "queries    4 listed: 2 complete, 2 empty, 0 with gaps, 0 given up");
    has(&status, &format!("empty      {}", told[0]));
    for line in &told[1..] {
        has(&status, &format!("           {line}"));
    }
    let json = world.run(["status", "out", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["queries"]["complete"], &json["queries"]["empty"]), (&2.into(), &2.into()));
    assert_eq!(json["empty"], serde_json::json!(ABSENT));
    let except = "; 2 queries are empty (the server has nothing), see queries.csv";
    has(&world.run(["verify", "out"]), &format!("everything that was requested is there{except}"));
    has(
        &world.run(["extract", "out", "--out", "copy"]),
        "2 queries are empty (the server has nothing), see copy/queries.csv",
    );
    let mut table = csv::Reader::from_path(world.out().join("queries.csv")).unwrap();
    let statuses: Vec<_> = table.records().map(|row| row.unwrap()[2].to_owned()).collect();
    assert_eq!(statuses, ["complete", "complete", "empty", "empty"]);

    world.list(&ABSENT);
    has(&world.export(1), "finished: the server has nothing for any query in 0 s");
}

/// A change of a copy, and the line that tells of it.
type Change = (&'static str, fn(&Path));

const CHANGES: [Change; 8] = [
    ("csv/odd.values/values.csv: missing", |copy| {
        fs::remove_file(copy.join("csv/odd.values/values.csv")).unwrap();
    }),
    ("csv/odd.values/values.csv: 1,439 rows, and series.csv says 1,440", |copy| {
        change(copy, |rows| drop(rows.remove(700)));
    }),
    (
        "csv/odd.values/values.csv: row 701 is no time and number, or not later than the one before",
        |copy| change(copy, |rows| rows.swap(700, 701)),
    ),
    (
        "csv/odd.values/values.csv: row 9 is no time and number, or not later than the one before",
        |copy| change(copy, |rows| "2026-06-01 00:08:00,NaN".clone_into(&mut rows[9])),
    ),
    ("csv/odd.values/values.csv: its first or last time is not the one in series.csv", |copy| {
        change(copy, |rows| "2026-06-01 23:59:30,1.0".clone_into(&mut rows[1440]));
    }),
    ("csv/new.csv: named by no table, left alone", |copy| {
        fs::write(copy.join("csv/new.csv"), "").unwrap();
    }),
    ("queries.csv: series.csv has other series or points of avg:odd.values{*}", |copy| {
        let table = fs::read_to_string(copy.join("queries.csv")).unwrap();
        fs::write(copy.join("queries.csv"), table.replace(",1440,", ",1441,")).unwrap();
    }),
    ("series.csv: row 2 cannot be read", |copy| {
        let table = fs::read_to_string(copy.join("series.csv")).unwrap();
        let mut rows: Vec<_> = table.lines().map(str::to_owned).collect();
        rows[2] = rows[2].replacen("csv/", "../", 1);
        fs::write(copy.join("series.csv"), rows.join("\n")).unwrap();
    }),
];

fn change(copy: &Path, change: fn(&mut Vec<String>)) {
    let path = copy.join("csv/odd.values/values.csv");
    let text = fs::read_to_string(&path).unwrap();
    let mut rows: Vec<_> = text.lines().map(str::to_owned).collect();
    change(&mut rows);
    fs::write(path, rows.join("\n")).unwrap();
}

#[test]
fn a_copy_is_checked_against_its_own_tables() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.export(1), 0);
    // Clocks change in Paris: every row there has its offset.
    for zone in ["UTC", "Europe/Paris"] {
        exits(&world.run(["extract", "out", "--out", zone, "--timezone", zone]), 0);
        let checked = world.run(["verify", zone]);
        exits(&checked, 0);
        has(&checked, "no archive is here: this is a copy, as jindo extract --out writes it.");
        has(&checked, "everything that its tables name is there");
    }
    for (number, (line, change)) in CHANGES.into_iter().enumerate() {
        let place = number.to_string();
        copy(&world.path("UTC"), &world.path(&place));
        change(&world.path(&place));
        let checked = world.run(["verify", &place]);
        exits(&checked, i32::from(!line.ends_with("left alone")));
        has(&checked, line);
    }
    let repair = world.run(["verify", "UTC", "--repair"]);
    exits(&repair, 2);
    has(&repair, "error: UTC is a copy without an archive, and --repair needs one");
    // What is missing in the archive is missing in the copy.
    let args = ["extract", "out", "--out", "more", "--from", "2026-05-31", "--to", "2026-06-02"];
    exits(&world.run(args), 0);
    let checked = world.run(["verify", "more"]);
    exits(&checked, 3);
    has(
        &checked,
        "2 queries with gaps, see gaps.csv: the archive did not hold more when this was written",
    );
}

#[test]
fn without_a_directory_the_default_is_taken_or_missed() {
    let world = World::new(calm(), &QUERIES);
    for command in ["status", "verify", "extract"] {
        let output = world.run([command]);
        exits(&output, 2);
        assert_eq!(
            said(&output),
            format!(
                "error: no directory is named, and ./jindo-export is not there\n\n\
                 hint: name the directory of an export: jindo {command} DIR\n"
            )
        );
    }
    exits(&world.export(1), 0);
    fs::rename(world.out(), world.path("jindo-export")).unwrap();
    for command in ["status", "verify", "extract"] {
        exits(&world.run([command]), 0);
    }
}

/// An export that has its first answer, and may ask again tomorrow.
struct Waiting {
    world: World,
    child: Child,
}

impl Waiting {
    fn start() -> Self {
        let world = World::new(
            calm().with_query_limit(1, DAY_S.unsigned_abs().try_into().unwrap()),
            &QUERIES,
        );
        let args = world.export_args(START_S, START_S + 20 * DAY_S);
        let mut command = world.command(args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        loop {
            let status = world.run(["status", "out", "--json"]).stdout;
            let status: serde_json::Value = serde_json::from_slice(&status).unwrap_or_default();
            if status["calls"]["left"] == 19 {
                return Self { world, child };
            }
            assert!(child.try_wait().unwrap().is_none(), "it ended");
        }
    }

    fn ends(self) -> (World, Output) {
        (self.world, self.child.wait_with_output().unwrap())
    }
}

#[test]
fn status_says_where_an_export_stands_and_what_comes_next() {
    let Waiting { world, mut child } = Waiting::start();
    let pid = child.id();
    let status = world.run(["status", "out"]);
    exits(&status, 0);
    let now = lines(&status).into_iter().find(|line| line.starts_with("now ")).unwrap();
    assert!(now.contains("writing to out") && now.contains(&format!("process {pid} ")), "{now}");
    has(&status, "next       jindo status out again shows how far it is");
    child.kill().unwrap();
    child.wait().unwrap();
    let status = world.run(["status", "out"]);
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d");
    has(
        &status,
        &format!(
            "calls      1 of 20 done (5 %), 19 left: 456 h at 1 call a day, as stated on {today}"
        ),
    );
    has(&status, "next       jindo export --out out fetches what is missing");
}

#[test]
fn a_directory_that_goes_away_ends_the_export_at_once() {
    let gone: [fn(&World); 3] = [
        |world| fs::remove_dir_all(world.out()).unwrap(),
        |world| fs::rename(world.out(), world.path("elsewhere")).unwrap(),
        |world| {
            fs::rename(world.out(), world.path("elsewhere")).unwrap();
            copy(&world.path("elsewhere"), &world.out());
        },
    ];
    for (number, make_gone) in gone.into_iter().enumerate() {
        let waiting = Waiting::start();
        make_gone(&waiting.world);
        let before = walk(&waiting.world.out());
        let (world, output) = waiting.ends();
        exits(&output, 1);
        let told = "error: out was removed, moved or replaced while jindo wrote there\n\n\
            hint: nothing more was fetched or written; put it back, and the same command continues, or else begins anew\n";
        assert!(said(&output).ends_with(told), "{number}: {}", said(&output));
        assert_eq!(world.stats().query_calls, 1, "{number}: calls went on");
        assert_eq!(walk(&world.out()), before, "{number}: something was written");
    }
}

#[test]
fn an_estimate_is_called_a_guess_until_series_were_seen() {
    let world = World::new(calm(), &QUERIES);
    let plan = |more: &[&str]| {
        let range = ["--from", "2026-06-01", "--to", "2026-06-03", "--out", "out"];
        world.run([&["plan", "queries.txt"][..], &range, more].concat())
    };
    let guessed = plan(&[]);
    has(&guessed, "5,760 to 60,480 points, 132 kB to 2.4 MB on disk");
    has(&guessed, "  a guess: 1 query with by has 1 to 20 series each; more take more calls");
    let json = plan(&["--json"]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["is_guess"], &json["series"]["guessed_queries"]), (&true.into(), &1.into()));
    // Three hosts and a lone series of a day are held; the other day brings as many.
    exits(&world.export(1), 0);
    let known = plan(&[]);
    has(&known, "5,760 points if none is missing, 132 kB to 225 kB on disk");
    has(&known, "  by the series that 1 query with by had before");
    let json = plan(&["--json"]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["is_guess"], &json["points"]["low"]), (&false.into(), &5_760.into()));
}
