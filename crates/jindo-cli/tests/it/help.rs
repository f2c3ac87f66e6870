//! `--help` as it looks on a terminal of 80 columns, and that it fits there.

use expect_test::{Expect, expect};
use std::process::Command;

const COMMANDS: [&str; 7] = ["demo", "plan", "export", "status", "verify", "extract", "simulate"];

fn help(command: &str, columns: usize) -> String {
    let mut jindo = Command::new(env!("CARGO_BIN_EXE_jindo"));
    jindo.args(command.split_whitespace()).arg("--help").env_clear().env("LANG", "C.UTF-8");
    let output = jindo.env("COLUMNS", columns.to_string()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn check(command: &str, expected: &Expect) {
    expected.assert_eq(&help(command, 80));
}

#[test]
fn no_line_of_help_is_wider_than_the_terminal() {
    for command in COMMANDS.iter().chain(&[""]) {
        for columns in [80, 100] {
            let text = help(command, columns);
            let wide = text.lines().find(|line| line.chars().count() > columns);
            assert_eq!(wide, None, "{command} at {columns} columns");
        }
    }
}

#[test]
fn the_root_shows_the_way() {
    check(
        "",
        &expect![[r#"
            Every Datadog metric as files, with few API calls and a receipt for each

            Usage: jindo [OPTIONS] <COMMAND>

            Commands:
              demo      Try it on a simulated organisation, in seconds, without keys
              plan      Print what an export would cost; writes nothing, makes no call
              export    Fetch what is not there yet and write it as files; run it again to
                        continue
              status    Show what a directory holds and what is missing
              verify    Check that everything is there, intact and as requested
              extract   Write the files again from the archive; makes no call
              simulate  Run a simulated Datadog API on a local port, for tests and trials
              help      Print this message or the help of the given subcommand(s)

            Options:
              -v, --verbose...  Say more on stderr, for bug reports. Never shows keys
              -h, --help        Print help
              -V, --version     Print version

            Examples:
              See it work, without keys or network:
                jindo demo
              What would it cost?
                jindo plan queries.txt --from -90d
              Fetch it; later, run export again to continue or to bring it up to date:
                jindo export queries.txt --from 2021-12-12 --timezone Asia/Seoul
                jindo export
              Is everything there and intact?
                jindo verify jindo-export

            Keys come from the environment, as for every Datadog tool: DD_API_KEY and
            DD_APP_KEY, and DD_SITE for other sites than datadoghq.com; where one is not
            set, DATADOG_API_KEY, DATADOG_APP_KEY, and DATADOG_SITE or an https
            DATADOG_HOST. --key-file and --key-command of export take them from elsewhere.

            Exit codes:
              0    complete
              1    failed; run it again, it continues
              2    wrong usage, keys or query list: correct it first
              3    finished, but gaps remain
              4    another jindo, or a process that holds its lock, writes there
              130  interrupted; what was fetched is kept
        "#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "the screen as it stands")]
fn export_shows_its_options_in_groups() {
    check(
        "export",
        &expect![[r#"
            Fetch what is not there yet and write it as files; run it again to continue

            Usage: jindo export [OPTIONS] [QUERIES]

            Arguments:
              [QUERIES]  A text file (or `-`) with one metric query a line, as Datadog
                         writes it; without one, the directory's last request

            Options:
                  --out <DIR>         Directory of the export; made if it is not there
                                      [default: ./jindo-export]
                  --progress <STYLE>  Style of the progress on stderr; auto: a bar on a
                                      terminal, else plain [default: auto] [possible values:
                                      auto, bar, plain, json, none]
                  --accept-partial    Exit with 0 instead of 3 when gaps remain
                  --forget            Drop what earlier runs learnt of the server's limits,
                                      and learn it anew
                  --rebind            Continue in this directory although the keys belong to
                                      another organisation than its data
              -v, --verbose...        Say more on stderr, for bug reports. Never shows keys
              -h, --help              Print help

            Request:
                  --from <T>               Start of the range: 2021-12-12,
                                           2021-12-12T06:30+09:00, 13/12/2021 (the day
                                           first), -90d, -2w or -3mo (midnight of that day),
                                           -36h, today, yesterday, now, or seconds or
                                           milliseconds since 1970
                  --to <T>                 End of the range, excluded, in the same forms
                                           [default: now]
                  --rolling <SPAN>         A range that slides: the last SPAN (90d, 2w, 3mo)
                                           before each run
                  --timezone <ZONE>        Time zone for reading and writing times: an IANA
                                           name or `local` [default: UTC]
                  --resolution <SPAN>      Distance between points, for queries without a
                                           rollup of their own: 10s, 60s, 5m, 1h; auto:
                                           detect it for each query from a short sample
                                           [default: 60s]
                  --var <NAME=VALUE>       Fill in a template variable of the list:
                                           host=web-1 for $host. Several values
                                           (env=prod,staging) make one query for each; of
                                           two such variables, one for each combination, up
                                           to 1,000 a line. Repeatable
                  --fill <null|keep>       null: export reported points only. keep: send
                                           each query as written, in calls of its own;
                                           values are then those of the graph, interpolated
                                           ones included [default: null]
                  --allow-range-functions  Also accept queries whose values depend on the
                                           range (top, cumsum, ...); each window is then
                                           computed on its own
                  --assume-type <TYPE>     Type of metrics with `.as_count()` or
                                           `.as_rate()` whose own type cannot be had: gauge,
                                           count, rate. Without it their queries are given
                                           up, since a wrong guess gives wrong numbers
                  --keep-going             Leave refused lines of the list out instead of
                                           stopping

            Connection:
                  --site <SITE>        Datadog site, such as datadoghq.eu or
                                       us5.datadoghq.com [default: the directory's, DD_SITE,
                                       or datadoghq.com]
                  --api-url <URL>      Full address of the API instead, such as
                                       http://127.0.0.1:8080
                  --ca-file <FILE>     PEM file of certificates to trust in addition to the
                                       system's, such as a company proxy's
                  --key-file <FILE>    Read the keys from lines `DD_API_KEY=...` and
                                       `DD_APP_KEY=...` of a file that only you may read,
                                       not from the environment
                  --key-command <CMD>  Read the keys from the output of a command, such as a
                                       password store's: the same lines
                  --insecure-http      Allow an --api-url with http:// to other machines:
                                       keys and answers can be read on the way

            Pace:
                  --concurrency <N>       Most calls in flight at once, 1 to 64 [default: 8]
                  --reserve <PERCENT>     Share of the rate limit to leave to others, such
                                          as autoscalers and dashboards; 0 takes all of it
                                          [default: 10%]
                  --max-calls <N>         Stop after this many calls, at least 20; the next
                                          run continues
                  --limit <N/PERIOD>      Rate limit to keep to, for servers that state none
                  --settle <SPAN>         Leave out points younger than this: cloud crawlers
                                          report late [default: 20m]
                  --look-back <SPANS>     Ask windows again, for points that are reported
                                          late, in the first run after each of these times
                                          past their end; 0: never [default: 1h,6h,48h]
                  --give-up-after <SPAN>  End the run after this long without an answer
                                          [default: 10m]

            Sparse data:
                  --probe           First find out, at a coarse interval and in a call or
                                    two per 35 queries, where there is data at all, and skip
                                    the windows that hold none
                  --recheck-probed  Drop the results of earlier probes, and fetch what they
                                    skipped

            Examples:
              The last 90 days, then what has come since:
                jindo export queries.txt --from -90d
                jindo export
              A range of days in your own time zone:
                jindo export queries.txt --from 2021-12-12 --to 2022-03-18 \
                  --timezone Asia/Seoul --out ./winter
        "#]],
    );
}

#[test]
fn verify_shows_what_asking_again_takes() {
    check(
        "verify",
        &expect![[r#"
            Check that everything is there, intact and as requested

            Usage: jindo verify [OPTIONS] [DIR]

            Arguments:
              [DIR]  Directory of an export, or of a copy that jindo extract --out wrote
                     [default: ./jindo-export]

            Options:
                  --repair      Repair what needs no call: rebuild the ledger, set damaged
                                files of the archive aside, write csv files again; with
                                --refetch, mark what differs, so that the next export
                                fetches it again
                  --json        Print one JSON object on stdout
              -v, --verbose...  Say more on stderr, for bug reports. Never shows keys
              -h, --help        Print help

            Refetch:
                  --refetch <PERCENT|N>   Fetch a random sample of the held windows again
                                          and compare it point by point: a share of the
                                          windows (1%), or a number of calls (20), one per
                                          window
                  --seed <N>              Draw the sample of this number again [default: a
                                          new number each time]
                  --concurrency <N>       Most calls in flight at once, 1 to 64 [default: 8]
                  --reserve <PERCENT>     Share of the rate limit to leave to others
                                          [default: 10%]
                  --limit <N/PERIOD>      Rate limit to keep to, for servers that state none
                  --give-up-after <SPAN>  Stop after this long without an answer [default:
                                          10m]

            Connection:
                  --site <SITE>        Datadog site, such as datadoghq.eu or
                                       us5.datadoghq.com [default: the directory's, DD_SITE,
                                       or datadoghq.com]
                  --api-url <URL>      Full address of the API instead, such as
                                       http://127.0.0.1:8080
                  --ca-file <FILE>     PEM file of certificates to trust in addition to the
                                       system's, such as a company proxy's
                  --key-file <FILE>    Read the keys from lines `DD_API_KEY=...` and
                                       `DD_APP_KEY=...` of a file that only you may read,
                                       not from the environment
                  --key-command <CMD>  Read the keys from the output of a command, such as a
                                       password store's: the same lines
                  --insecure-http      Allow an --api-url with http:// to other machines:
                                       keys and answers can be read on the way

            Examples:
              Is everything there and intact? No call, no keys:
                jindo verify jindo-export
              Does the server still return the same data, in 1 % of the windows?
                jindo verify jindo-export --refetch 1%
              Mark what differs, and fetch it again:
                jindo verify jindo-export --refetch 1% --seed 42 --repair
                jindo export

            Exit codes:
              0    everything is there, as written and as requested
              1    something is wrong; a point has changed or is gone from the server; or
                   the server could not be compared
              3    something is still to be fetched or written, was reported late, or is too
                   young to be compared
              4    with --repair: another jindo writes there
              130  interrupted
        "#]],
    );
}
