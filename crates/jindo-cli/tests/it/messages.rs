//! Messages and exit codes of the binary.

use crate::support::{DAY_S, START_S, World, calm, exits};
use expect_test::{Expect, expect};
use jindo_sim::Options;
use std::fs;
use std::process::Output;

const ONE: [&str; 1] = ["avg:system.cpu.user{*} by {host}"];

/// stderr, with what differs from run to run replaced.
fn said(world: &World, output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr)
        .replace(&world.sim.url(), "[URL]")
        .replace(&world.dir.path().display().to_string(), "[DIR]")
}

#[track_caller]
fn check(world: &World, output: &Output, code: i32, expected: &Expect) {
    exits(output, code);
    expected.assert_eq(&said(world, output));
}

#[test]
fn a_bad_list_is_told_all_at_once_and_costs_nothing() {
    let list = [
        "avg:system.cpu.user",
        "system.load.1",
        "avg:m{*",
        "sum:m{*}.rollup(sum, 37)",
        "top(avg:m{*}, 10, 'mean', 'desc')",
    ];
    let world = World::new(calm(), &list);
    check(
        &world,
        &world.export(1),
        2,
        &expect![[r#"
            error: queries.txt:1:1: this is no query yet; did you mean `avg:system.cpu.user{*}`?
              avg:system.cpu.user
              ^^^^^^^^^^^^^^^^^^^
            queries.txt:2:1: this is no query yet; did you mean `avg:system.load.1{*}`?
              system.load.1
              ^^^^^^^^^^^^^
            queries.txt:3:6: `{` is never closed
              avg:m{*
                   ^
            queries.txt:4:9: an interval of 37 s is not offered; take 30 s or 60 s
              sum:m{*}.rollup(sum, 37)
                      ^^^^^^^^^^^^^^^^
            queries.txt:5:1: `top` ranks series over the range asked for, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              top(avg:m{*}, 10, 'mean', 'desc')
              ^^^
            5 lines are not understood; nothing was fetched or written

            hint: correct the list, or leave these lines out with --keep-going
        "#]],
    );
    assert_eq!(world.stats().query_calls, 0);
    assert!(!world.out().exists(), "nothing was written");
}

#[test]
fn missing_keys_are_named() {
    let world = World::new(calm(), &ONE);
    let args = world.export_args(START_S, START_S + DAY_S);
    let output = world.command(args).env_remove("DD_APP_KEY").output().unwrap();
    check(
        &world,
        &output,
        2,
        &expect![[r#"
            error: DD_APP_KEY is not set in the environment

            hint: reading metrics needs an API key and an application key (with the scope timeseries_query), or an access token in place of the application key; DATADOG_API_KEY and DATADOG_APP_KEY are read as well; `jindo demo` needs none
        "#]],
    );
    assert!(!world.out().exists(), "nothing was written");
}

#[test]
fn wrong_keys_end_with_the_key_to_check_and_few_calls() {
    for (name, expected) in [
        (
            "DD_API_KEY",
            expect![[r#"
                error: the API key (DD_API_KEY in the environment) is not known to 127.0.0.1

                hint: check the key and the site (--site, DD_SITE): keys of one site are unknown to another
            "#]],
        ),
        (
            "DD_APP_KEY",
            expect![[r#"
                error: the application key (DD_APP_KEY in the environment) is refused by 127.0.0.1: Forbidden (status 403)

                hint: the API key is fine; give an application key of the same organisation with the scope timeseries_query
            "#]],
        ),
    ] {
        let world = World::new(calm(), &ONE);
        let args = world.export_args(START_S, START_S + DAY_S);
        let output = world.command(args).env(name, "0123456789abcdef").output().unwrap();
        check(&world, &output, 2, &expected);
        let calls: u64 = world.stats().calls_by_path.values().sum();
        assert!(calls <= 3, "{name}: {calls} calls");
    }
}

#[test]
fn an_api_that_cannot_be_reached_is_told_soon() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = "http://127.0.0.1:9".to_owned();
    check(
        &world,
        &world.run(args),
        1,
        &expect![[r#"
        error: http://127.0.0.1:9 cannot be reached: no connection: client error (Connect): tcp connect error: Connection refused (os error 111)

        hint: check --site or DD_SITE, the network, and HTTPS_PROXY where a proxy is needed
    "#]],
    );
}

#[test]
fn keys_are_sent_to_no_open_network() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = "http://api.example.com".to_owned();
    check(
        &world,
        &world.run(args),
        2,
        &expect![[r#"
        error: `http://api.example.com` would send the keys unencrypted over the network

        hint: use https://; http:// is for this machine's own addresses, or for a network that you trust with the keys: --insecure-http
    "#]],
    );
}

#[test]
fn keys_of_another_organisation_are_refused_before_any_query() {
    let world = World::new(calm(), &ONE);
    exits(&world.export(1), 0);
    let mut options = calm();
    options.org_id = "another-organisation".to_owned();
    let other = jindo_sim::Simulator::start(options).unwrap();
    let mut args = world.export_args(START_S, START_S + 2 * DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = other.url();
    check(
        &world,
        &world.run(&args),
        2,
        &expect![[r#"
            error: this directory belongs to organisation 5f3c1a52-0d0e-11ec-8a1b-da7ad0900002 on 127.0.0.1, the keys to organisation another-organisation on 127.0.0.1; `--rebind` makes it theirs
        "#]],
    );
    assert_eq!(other.stats().query_calls, 0);
    args.push("--rebind".to_owned());
    exits(&world.run(&args), 0);
}

#[test]
fn the_plan_is_printed_and_touches_nothing() {
    let world = World::new(calm(), &ONE);
    let output = world.run([
        "plan",
        "queries.txt",
        "--from",
        "2026-06-01",
        "--to",
        "2026-06-09",
        "--limit",
        "3600/1h",
    ]);
    exits(&output, 0);
    expect![[r#"
        1 Jun 2026 00:00 UTC … 9 Jun 2026 00:00 UTC (excluded), 8 days
        1 query in 1 batch × 8 windows: 8 calls, 9 s at 3,240 of 3,600 calls an hour (--reserve 10%); a script that asks 4 hours at a time makes 48
        11,520 to 230,400 points, 265 kB to 9.0 MB on disk
          a guess: 1 query with by has 1 to 20 series each; more take more calls

        from nothing, at 3,240 of 3,600 calls an hour (--reserve 10%):
          resolution        calls        time     script calls
                10 s           48        54 s               48
                60 s            8         9 s               48
               300 s            2         3 s               48
    "#]]
    .assert_eq(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(fs::read_dir(world.dir.path()).unwrap().count(), 1, "only the list is there");
    assert_eq!(world.stats().calls_by_path.len(), 0);
}

#[test]
fn a_plan_that_is_no_grid_is_not_told_as_one() {
    let list = ["avg:system.cpu.user{*}", "avg:system.cpu.user{*}.rollup(avg, 300)"];
    let world = World::new(calm(), &list);
    let job = |args: &[&str]| {
        let output = world.run(args);
        exits(&output, 0);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut below = text.lines().skip(1).filter(|line| !line.starts_with(' '));
        below.next().unwrap_or_default().to_owned()
    };
    let from = ["plan", "queries.txt", "--reserve", "0", "--from", "2026-06-01"];
    let args = |to| [&from[..], &["--to", to, "--out", "out"]].concat();
    expect!["2 queries in 10 calls, 23 s at 1,600 calls an hour; a script that asks 4 hours at a time makes 96"]
        .assert_eq(&job(&args("2026-06-09")));
    exits(&world.export(2), 0);
    expect![
        "2 queries, all fetched already: 0 calls; a script that asks 4 hours at a time makes 24"
    ]
    .assert_eq(&job(&args("2026-06-03")));
    expect!["2 queries in 2 calls, 5 s at 1,600 calls an hour; a script that asks 4 hours at a time makes 36"]
        .assert_eq(&job(&args("2026-06-04")));
    fs::write(world.path("queries.txt"), "avg:system.cpu.user{*}\navg:system.mem.used{*}\n")
        .unwrap();
    expect!["1 of 2 queries in 1 batch × 2 windows: 2 calls, 5 s at 1,600 calls an hour; a script that asks 4 hours at a time makes 24"]
        .assert_eq(&job(&args("2026-06-03")));
}

#[test]
fn a_plan_ends_where_the_export_would() {
    let world = World::new(calm(), &ONE);
    let said = |args: &[&str]| {
        let output = world.run(args);
        exits(&output, 0);
        String::from_utf8_lossy(&output.stdout).contains("younger points may still be incomplete")
    };
    assert!(said(&["plan", "queries.txt", "--from", "-1d"]));
    assert!(!said(&["plan", "queries.txt", "--from", "-1d", "--settle", "0s"]));
}

#[test]
fn a_plan_says_what_is_too_old_to_be_had() {
    let world = World::new(calm(), &ONE);
    let output = world.run(["plan", "queries.txt", "--from", "-465d", "--to", "-400d"]);
    exits(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().nth(1).unwrap_or_default();
    assert!(line.starts_with("  the first 1"), "{text}");
    assert!(
        line.ends_with(
            "of it are older than the 15 months that Datadog usually keeps: expect no data"
        ),
        "{text}"
    );
}

#[test]
fn what_was_learnt_is_shown_and_forgotten() {
    let world = World::new(jindo_sim::Options { points_max: 300, ..calm() }, &ONE);
    exits(&world.export(1), 0);
    let learnt = || String::from_utf8(world.run(["status", "out"]).stdout).unwrap();
    assert!(
        learnt().contains("\nlearnt     points per series and call: at most 300 ("),
        "{}",
        learnt()
    );
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.push("--forget".to_owned());
    exits(&world.run(args), 0);
    assert!(!learnt().contains("learnt"), "{}", learnt());
}

#[test]
fn the_summary_says_what_there_is_and_where() {
    let world = World::new(calm(), &ONE);
    let output = world.export(2);
    exits(&output, 0);
    let args = world.export_args(START_S, START_S + 60);
    let url = &args[args.iter().position(|arg| arg == "--api-url").unwrap() + 1];
    let text = String::from_utf8_lossy(&output.stdout).replace(url, "URL");
    let (_, lines) = text.split_once('\n').unwrap();
    expect![[r#"
          calls        2 (a script that asks 4 hours at a time makes 12 for the whole range)
          forecast     2 calls after the first answer; it took 2
          series       3 of 1 query
          points       8,340
          not fetched  0
          coarser      0 (never accepted)
          empty        0
          given up     0
          untagged     0
          files        out/csv/, out/series.csv (what each file is), out/queries.csv, out/gaps.csv
        Next: jindo verify out checks every file; to add newer points: jindo export --out out --to now.
    "#]]
    .assert_eq(lines);
}

#[test]
fn the_directory_cannot_be_guessed_wrong() {
    let world = World::new(calm(), &ONE);
    let output = world.run(["status", "nowhere"]);
    check(
        &world,
        &output,
        2,
        &expect![[r#"
            error: nowhere holds no archive

            hint: name the directory of an export, or make one: jindo export queries.txt --from -90d --out nowhere
        "#]],
    );
}

#[test]
fn an_export_that_lies_nearby_is_named() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + 60);
    args.iter_mut().filter(|arg| *arg == "out").for_each(|arg| "jindo-export".clone_into(arg));
    exits(&world.run(args), 0);
    check(
        &world,
        &world.run(["status", "."]),
        2,
        &expect![[r#"
            error: . holds no archive

            hint: there is an export in ./jindo-export
        "#]],
    );
    check(
        &world,
        &world.run(["verify", "jindo-export/csv"]),
        2,
        &expect![[r#"
        error: jindo-export/csv holds no archive

        hint: there is an export in [DIR]/jindo-export
    "#]],
    );
}

#[test]
fn a_list_without_a_query_is_told_what_a_list_is() {
    let world = World::new(calm(), &["# only a comment"]);
    check(
        &world,
        &world.run(["plan", "queries.txt", "--from", "-1d"]),
        2,
        &expect![[r#"
            error: queries.txt holds no query

            hint: a list has one metric query a line, as Datadog writes it; this writes one with a single query:
                echo 'avg:system.cpu.user{*} by {host}' >> queries.txt
        "#]],
    );
    check(
        &world,
        &world.run(["export", "quereis.txt", "--from", "-1d"]),
        2,
        &expect![[r#"
            error: cannot read the list of queries quereis.txt: No such file or directory (os error 2)

            hint: a list has one metric query a line, as Datadog writes it; this writes one with a single query:
                echo 'avg:system.cpu.user{*} by {host}' >> queries.txt
        "#]],
    );
}

#[test]
fn a_mistyped_directory_is_not_made() {
    let world = World::new(calm(), &ONE);
    exits(&world.run(["extract", "nowhere"]), 2);
    assert!(!world.path("nowhere").exists());
}

#[test]
fn plan_takes_what_export_takes() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args[0] = "plan".to_owned();
    args.extend(
        ["--concurrency", "4", "--reserve", "20%", "--max-calls", "20", "--accept-partial"]
            .map(str::to_owned),
    );
    exits(&world.run(args), 0);
}

#[test]
fn a_place_with_files_is_not_extracted_into_twice() {
    let world = World::new(calm(), &ONE);
    exits(&world.export(1), 0);
    exits(&world.run(["extract", "out", "--out", "copy"]), 0);
    let again = world.run(["extract", "out", "--out", "copy"]);
    exits(&again, 2);
    assert!(
        said(&world, &again).contains("hint: move it away, or name another directory by --out")
    );
}

#[test]
fn a_plan_of_some_minutes_says_until_when() {
    let world = World::new(calm(), &["avg:system.cpu.user{*} by {host}"]);
    let plan = |limit: &str| {
        let args = [
            "plan",
            "queries.txt",
            "--from",
            "-90d",
            "--timezone",
            "Asia/Seoul",
            "--reserve",
            "0",
            "--limit",
        ];
        String::from_utf8(world.run(args.into_iter().chain([limit])).stdout).unwrap()
    };
    let (calm, hurried) = (plan("600/1h"), plan("1000000/1h"));
    let line = calm.lines().find(|line| line.contains("600 calls an hour")).unwrap();
    assert!(
        line.contains(" at 600 calls an hour (until ") && line.contains(" KST); a script"),
        "{line}"
    );
    assert!(!hurried.contains("until"), "{hurried}");
}

#[test]
fn a_run_of_a_few_calls_is_refused_with_the_reason() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.extend(["--max-calls", "19"].map(str::to_owned));
    check(
        &world,
        &world.run(&args),
        2,
        &expect![[r#"
        error: invalid value '19' for '--max-calls <N>': at least 20: finding out why a call was refused takes a few calls, and a run that ends in between finds out nothing

        For more information, try '--help'.
    "#]],
    );
    assert_eq!(world.stats().calls_by_path.len(), 0);
    *args.last_mut().unwrap() = "20".to_owned();
    exits(&world.run(&args), 0);
}

#[test]
fn a_modifier_that_does_nothing_is_named_before_the_first_call() {
    let says = |query: &str| {
        let world = World::new(calm(), &[query]);
        let mut args = world.export_args(START_S, START_S + DAY_S);
        args.iter_mut().filter(|arg| *arg == "none").for_each(|arg| "plain".clone_into(arg));
        let output = world.run(args);
        exits(&output, 0);
        String::from_utf8_lossy(&output.stderr)
            .contains(": .as_count() and .as_rate() do nothing there")
    };
    assert!(says("avg:system.cpu.user{*}.as_count()"));
    assert!(!says("sum:app.requests{*}.as_count()"));
}

#[test]
fn keys_that_may_not_query_are_told_from_wrong_ones() {
    let world = World::new(Options { may_query: false, ..calm() }, &ONE);
    let output = world.export(1);
    exits(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("are good, but may not query metrics"), "{said}");
    assert!(said.contains("timeseries_query") && !said.contains("not known"), "{said}");
}

#[test]
fn a_token_needs_no_api_key_and_its_refusal_says_nothing_of_one() {
    let app_keys = vec!["ddpat_good".to_owned()];
    let world = World::new(Options { app_keys, ..calm() }, &ONE);
    let with = |token: &str, out: &str| {
        let mut args = world.export_args(START_S, START_S + DAY_S);
        args.iter_mut().filter(|arg| *arg == "out").for_each(|arg| out.clone_into(arg));
        let mut command = world.command(args);
        command.env_remove("DD_API_KEY").env("DD_APP_KEY", token).output().unwrap()
    };
    let refused = with("ddpat_other", "other");
    exits(&refused, 2);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("the token (DD_APP_KEY in the environment) is refused"), "{said}");
    assert!(!said.contains("DD_API_KEY") && !said.contains("ddpat_other"), "{said}");
    exits(&with("ddpat_good", "out"), 0);
}

#[test]
fn a_span_in_words_is_the_short_one_and_a_date_of_two_readings_is_told() {
    let world = World::new(calm(), &ONE);
    let plan = |from: &str| {
        let output = world.run(["plan", "queries.txt", "--to", "today", "--from", from]);
        exits(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(plan("-90days"), plan("-90d"));
    assert_eq!(plan("-2 w"), plan("-2w"));
    assert!(plan("yesterday").contains(" (excluded), 1 day\n"), "{}", plan("yesterday"));
    let days = plan("09/01/2026");
    let lines: Vec<_> = days.lines().collect();
    assert!(lines[0].starts_with("9 Jan 2026 00:00 UTC … "), "{days}");
    assert_eq!(lines[1], "  --from: 09/01/2026 is 9 January 2026: the day comes first");
    let wrong = world.run(["plan", "queries.txt", "--from", "last week"]);
    check(
        &world,
        &wrong,
        2,
        &expect![[r#"
            error: --from: `last week` is not a time

            hint: write 2021-12-12, 2021-12-12T06:30, 2021-12-12T06:30:00+09:00, 13/12/2021 (the day first), -90d, -2w, -3mo or -36h (so long ago), today, yesterday, now, or the seconds since 1970
        "#]],
    );
}
