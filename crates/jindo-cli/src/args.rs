//! What the user typed, checked as far as text can be checked. Touches nothing.

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use jindo::plan::Pace;
use jindo::query::Interval;
use jindo::request::Reserve;
use std::path::PathBuf;

mod refetch;

use refetch::Refetch;

/// Lines of at most 78 columns: they are shown as they stand.
const EXAMPLES: &str = "\
Examples:
  See it work, without keys or network:
    jindo demo
  What would it cost?
    jindo plan queries.txt --from -90d
  Fetch it; after that, the same again continues or brings up to date:
    jindo export queries.txt --from 2021-12-12 --timezone Asia/Seoul
    jindo export
  Is everything still there and whole?
    jindo verify jindo-export

Keys come from the environment, as for every Datadog tool: DD_API_KEY and
DD_APP_KEY, and DD_SITE for other sites than datadoghq.com. --key-file and
--key-command of export take them from elsewhere.

Exit codes:
  0    complete
  1    failed: run it again, it continues
  2    wrong usage, keys or query list: mend it first
  3    finished, but gaps remain
  130  interrupted; what came in is kept";

/// What cloud crawlers need to deliver everything.
const SETTLE: &str = "20m";

/// Where exports go, and where a plan without a list looks.
pub(crate) const OUT_DEFAULT: &str = "./jindo-export";

const EXPORT_EXAMPLES: &str = "\
Examples:
  The last 90 days, then whatever came since:
    jindo export queries.txt --from -90d
    jindo export
  A range of days in a zone of your own:
    jindo export queries.txt --from 2021-12-12 --to 2022-03-18 \\
      --timezone Asia/Seoul --out ./winter";

const QUERIES_HELP: &str = "\
A text file (or `-`) with one metric query a line, as Datadog writes it; \
without one, the directory's last request";

const SITE_HELP: &str = "\
Datadog site, such as datadoghq.eu or us5.datadoghq.com [default: DD_SITE, or datadoghq.com]";

const URL_HELP: &str = "Full address of the API instead, such as http://127.0.0.1:8080";

/// Every Datadog metric as files, with few API calls and a receipt for each
#[derive(Debug, Parser)]
#[command(name = "jindo", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    /// Say more on stderr, for reports of bugs. Never shows keys
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 900)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// See it work on a simulated organisation, in seconds, without keys
    Demo(Demo),
    /// Print what an export would cost; touches nothing
    Plan(Box<Plan>),
    /// Fetch what is not there yet and write it as files; again = continue
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Box<Export>),
    /// What a directory holds and what is missing
    Status(Status),
    /// Check that everything is there, whole and as asked
    Verify(Verify),
    /// Write the files again from the archive; no calls
    Extract(Extract),
    /// A simulated Datadog API on a port, to try things on
    Simulate(Simulate),
}

/// What is asked: the list, the range, and how queries are understood.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What to ask")]
pub struct Wanted {
    #[arg(help = QUERIES_HELP, help_heading = None::<&'static str>)]
    pub queries: Option<PathBuf>,
    /// Begin of the range: 2021-12-12, 2021-12-12T00:00:00+09:00, "13/12/2021 00:00:00" (day first), -90d, now
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End of the range, excluded [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Zone in which times are read and written: an IANA name or `local` [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// One point every so often, for queries without a rollup of their own: 10s, 60s, 5m, 1h; auto: as often as each has
    /// points, by a short sample [default: 60s]
    #[arg(long, value_name = "SPAN", value_parser = resolution)]
    pub resolution: Option<Resolution>,
    /// Fill in a template variable of the list: host=web-1 for $host. Repeatable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// null: only what was reported is exported. keep: queries go as written, each in calls of its own, and bring the
    /// graph's numbers [default: null]
    #[arg(long, value_enum, value_name = "null|keep", hide_possible_values = true)]
    pub fill: Option<Fill>,
    /// Take queries whose values depend on the range asked (top, cumsum, …) too: each window is then computed on its own
    #[arg(long)]
    pub allow_range_functions: bool,
    /// Leave refused lines of the list out instead of stopping
    #[arg(long)]
    pub keep_going: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fill {
    Null,
    Keep,
}

/// How far apart the points of queries without a rollup of their own are to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Every(Interval),
    /// As far as each query's own points do.
    Auto,
}

/// Where the API is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Whom to ask")]
pub struct Where {
    #[arg(long, value_name = "SITE", help = SITE_HELP)]
    pub site: Option<String>,
    #[arg(long, value_name = "URL", conflicts_with = "site", help = URL_HELP)]
    pub api_url: Option<String>,
    /// PEM file of certificates to trust besides the system's, for a company's proxy
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Take the keys from lines `DD_API_KEY=…` and `DD_APP_KEY=…` of a file that only you may read, not from the
    /// environment
    #[arg(long, value_name = "FILE", conflicts_with = "key_command")]
    pub key_file: Option<PathBuf>,
    /// Take the keys from what this command prints, such as a password store's: the same lines
    #[arg(long, value_name = "CMD")]
    pub key_command: Option<String>,
    /// Let --api-url be http:// for other machines than this one: keys and answers can be read on the way
    #[arg(long)]
    pub insecure_http: bool,
}

impl Where {
    /// As they stand on a command line, each with a space before it.
    pub(crate) fn in_words(&self) -> String {
        let site = self.site.iter().map(|site| format!(" --site {site}"));
        let url = self.api_url.iter().map(|url| format!(" --api-url {url}"));
        site.chain(url).collect()
    }
}

#[derive(Debug, Args)]
pub struct Plan {
    /// Leave out what this directory already holds
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Rate limit to reckon with
    #[arg(long, value_name = "N/PERIOD", value_parser = pace, default_value = "1600/1h")]
    pub limit: Pace,
    /// Reckon with nothing younger than this, as export does
    #[arg(long, value_name = "SPAN", default_value = SETTLE, value_parser = span)]
    pub settle: SignedDuration,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub unused: Unused,
}

/// What an export is given besides: a command line stays right when `export` becomes `plan`, which needs none of it.
#[derive(Debug, Clone, Args)]
pub struct Unused {
    #[arg(long, hide = true)]
    site: Option<String>,
    #[arg(long, hide = true)]
    api_url: Option<String>,
    #[arg(long, hide = true)]
    ca_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    key_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    key_command: Option<String>,
    #[arg(long, hide = true)]
    insecure_http: bool,
    #[arg(long, hide = true)]
    concurrency: Option<u16>,
    #[arg(long, hide = true, value_parser = reserve)]
    reserve: Option<Reserve>,
    #[arg(long, hide = true)]
    max_calls: Option<u64>,
    #[arg(long, hide = true)]
    progress: Option<ProgressStyle>,
    #[arg(long, hide = true)]
    probe: bool,
    #[arg(long, hide = true)]
    accept_partial: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Where everything goes
    #[arg(long, value_name = "DIR", default_value = OUT_DEFAULT)]
    pub out: PathBuf,
    /// How progress is shown on stderr; auto: a bar on a terminal, else plain
    #[arg(long, value_enum, value_name = "STYLE", default_value_t = ProgressStyle::Auto)]
    pub progress: ProgressStyle,
    /// Exit with 0 instead of 3 when gaps remain
    #[arg(long)]
    pub accept_partial: bool,
    /// Drop what earlier runs learnt of the server's limits, and learn it anew
    #[arg(long)]
    pub forget: bool,
    /// Go on in this directory although the keys open another organisation than the one it belongs to
    #[arg(long)]
    pub rebind: bool,
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub place: Where,
    #[command(flatten)]
    pub pace: Pacing,
    #[command(flatten)]
    pub emptiness: Emptiness,
}

/// What to do about stretches that hold nothing.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where there may be nothing")]
pub struct Emptiness {
    /// Ask coarsely first, in a call or two per 35 queries, where there is data at all, and leave out the windows that hold nothing
    #[arg(long)]
    pub probe: bool,
    /// Forget what probes found empty, and fetch it after all
    #[arg(long, conflicts_with = "probe")]
    pub recheck_probed: bool,
}

/// How fast, and what may come too late.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How fast")]
pub struct Pacing {
    /// Calls in flight at once, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
    /// Share of the rate limit that is left to others
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = reserve)]
    pub reserve: Reserve,
    /// Stop after so many calls; the next run goes on
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Own bound on the pace, for servers that name no rate limit
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Ask nothing younger than this: cloud crawlers report late
    #[arg(long, value_name = "SPAN", default_value = SETTLE, value_parser = span)]
    pub settle: SignedDuration,
    /// Ask again, in the next run, what is fetched sooner than this after its window's end
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    pub look_back: SignedDuration,
    /// End the run after so long without one answer
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    pub give_up_after: SignedDuration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    Auto,
    Bar,
    Plain,
    Json,
    None,
}

impl ProgressStyle {
    /// Whether people read along.
    pub(crate) fn is_talkative(self) -> bool {
        match self {
            Self::Auto | Self::Bar | Self::Plain => true,
            Self::Json | Self::None => false,
        }
    }
}

#[derive(Debug, Args)]
pub struct Status {
    /// Directory of an export
    pub dir: PathBuf,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Directory of an export
    pub dir: PathBuf,
    /// Mend what can be mended without a call: rebuild, set aside, write again; with --refetch, mark what differs, so that the
    /// next export asks it again
    #[arg(long)]
    pub repair: bool,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub again: Refetch,
}

#[derive(Debug, Args)]
pub struct Extract {
    /// Directory of an export
    pub dir: PathBuf,
    /// Format
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub to: Format,
    /// Somewhere else than in the directory itself
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Another zone for the times than the last export's
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where everything goes; an earlier demo there is continued
    #[arg(long, value_name = "DIR", default_value = "./jindo-demo")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// Port on 127.0.0.1; 0 takes a free one and says which
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Rate limit of query calls
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Time to answer: 50ms, or a range 0.5s-5s
    #[arg(long, value_name = "SPAN[-SPAN]", default_value = "0s")]
    pub latency: String,
    /// Points per series that are served without coarsening
    #[arg(long, value_name = "N", default_value_t = 1500)]
    pub cap: u32,
    /// Answer 400 above the cap instead of coarser data
    #[arg(long)]
    pub refuse_over_cap: bool,
    /// Queries in a call, at most
    #[arg(long, value_name = "N")]
    pub max_queries: Option<usize>,
    /// Also serve the bucket that starts at `to`
    #[arg(long)]
    pub include_end: bool,
    /// Faults to inject: 5%, 24, or kind:N,kind:N
    #[arg(long, value_name = "SPEC")]
    pub faults: Option<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Add a metric of so many series: avg:wide.gauge{*} by {id}
    #[arg(long, value_name = "SERIES")]
    pub wide: Option<usize>,
    /// Print the built-in list of 579 queries and end
    #[arg(long)]
    pub list: bool,
}

fn resolution(text: &str) -> Result<Resolution, String> {
    if text == "auto" {
        return Ok(Resolution::Auto);
    }
    let span = span(text).map_err(|help| format!("{help}, or auto"))?;
    let secs = u64::try_from(span.as_secs()).ok().filter(|_| span.subsec_nanos() == 0);
    let interval = Interval::offered(secs.ok_or("whole seconds")?);
    interval.map(Resolution::Every).map_err(|error| error.to_string())
}

/// `90d`, `20m`, `1h30m`, `60s`, `60` (seconds).
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    const HELP: &str = "a span such as 60s, 20m, 1h or 2d";
    if let Ok(secs) = text.parse::<u32>() {
        return Ok(SignedDuration::from_secs(i64::from(secs)));
    }
    let span: jiff::Span = text.parse().map_err(|_| HELP.to_owned())?;
    let duration =
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| HELP.to_owned())?;
    if duration.is_negative() { Err(HELP.to_owned()) } else { Ok(duration) }
}

fn pace(text: &str) -> Result<Pace, String> {
    const HELP: &str = "calls per period, such as 3600/1h or 10/10s";
    let (calls, period) = text.split_once('/').ok_or(HELP)?;
    let calls = calls.trim().parse().ok().filter(|&calls| calls > 0).ok_or(HELP)?;
    let unit = if period.starts_with(|c: char| c.is_ascii_digit()) {
        period.to_owned()
    } else {
        format!("1{period}")
    };
    let period_s = u32::try_from(span(&unit).map_err(|_| HELP)?.as_secs())
        .ok()
        .filter(|&s| s > 0)
        .ok_or(HELP)?;
    Ok(Pace { calls, period_s })
}

fn reserve(text: &str) -> Result<Reserve, String> {
    let number = text.trim().trim_end_matches('%').parse().ok();
    number.and_then(Reserve::percent).ok_or_else(|| "a percentage from 0% to 99%".to_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE, such as host=web-1")?;
    let name = name.trim_start_matches('$');
    if name.is_empty() {
        Err("a name before the `=`".into())
    } else {
        Ok((name.into(), value.into()))
    }
}
