//! Flags of `jindo export` and `jindo plan`: the list, the range, the pace, data that may not be there.

use super::ConnectionArgs;
use super::values::{
    AssumedTypeArg, FillArg, ProgressStyle, look_back, max_calls, pace, reserve, resolution, span,
    variable,
};
use crate::defaults;
use clap::Args;
use jiff::SignedDuration;
use jindo::job::{LookBack, OtherOrganisation, Pacing, Resolution};
use jindo::plan::Pace;
use jindo::request::Reserve;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "\
Examples:
  The last 90 days, then what has come since:
    jindo export queries.txt --from -90d
    jindo export
  A range of days in your own time zone:
    jindo export queries.txt --from 2021-12-12 --to 2022-03-18 \\
      --timezone Asia/Seoul --out ./winter";

const QUERIES_HELP: &str = "\
A text file (or `-`) with one metric query a line, as Datadog writes it; \
without one, the directory's last request";

/// Flags of `jindo export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Directory of the export; made if it is not there [default: ./jindo-export]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Style of the progress on stderr; auto: a bar on a terminal, else plain [default: auto]
    #[arg(long, value_enum, value_name = "STYLE")]
    pub progress: Option<ProgressStyle>,
    /// Exit with 0 instead of 3 when gaps remain
    #[arg(long)]
    pub accept_partial: bool,
    /// Drop what earlier runs learnt of the server's limits, and learn it anew
    #[arg(long)]
    pub forget: bool,
    /// Continue in this directory although the keys belong to another organisation than its data
    #[arg(long)]
    pub rebind: bool,
    #[command(flatten)]
    pub request: RequestArgs,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub pacing: PacingArgs,
    #[command(flatten)]
    pub sparse: SparseDataArgs,
}

impl ExportArgs {
    pub(crate) fn out(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new(defaults::OUT))
    }

    pub(crate) fn other_organisation(&self) -> OtherOrganisation {
        if self.rebind { OtherOrganisation::Accept } else { OtherOrganisation::Refuse }
    }
}

/// Request as typed: query list, range, zone, resolution, reading of the list.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestArgs {
    #[arg(help = QUERIES_HELP, help_heading = None::<&'static str>)]
    pub queries: Option<PathBuf>,
    /// Start of the range: 2021-12-12, 2021-12-12T06:30+09:00, 13/12/2021 (the day first), -90d, -2w or -3mo (midnight of that
    /// day), -36h, today, yesterday, now, or seconds or milliseconds since 1970
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End of the range, excluded, in the same forms [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// A range that slides: the last SPAN (90d, 2w, 3mo) before each run
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["from", "to"])]
    pub rolling: Option<String>,
    /// Time zone for reading and writing times: an IANA name or `local` [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Distance between points, for queries without a rollup of their own: 10s, 60s, 5m, 1h; auto: detect it for each
    /// query from a short sample [default: 60s]
    #[arg(long, value_name = "SPAN", value_parser = resolution)]
    pub resolution: Option<Resolution>,
    /// Fill in a template variable of the list: host=web-1 for $host. Several values (env=prod,staging) make one query
    /// for each; of two such variables, one for each combination, up to 1,000 a line. Repeatable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// null: export reported points only. keep: send each query as written, in calls of its own; values are then those of
    /// the graph, interpolated ones included [default: null]
    #[arg(long, value_enum, value_name = "null|keep", hide_possible_values = true)]
    pub fill: Option<FillArg>,
    /// Also accept queries whose values depend on the range (top, cumsum, ...); each window is then computed on its own
    #[arg(long)]
    pub allow_range_functions: bool,
    /// Type of metrics with `.as_count()` or `.as_rate()` whose own type cannot be had: gauge, count, rate. Without it their queries
    /// are given up, since a wrong guess gives wrong numbers
    #[arg(long, value_enum, value_name = "TYPE", hide_possible_values = true)]
    pub assume_type: Option<AssumedTypeArg>,
    /// Leave refused lines of the list out instead of stopping
    #[arg(long)]
    pub keep_going: bool,
}

/// Pace of the calls, and the treatment of points that are reported late.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pace")]
pub struct PacingArgs {
    /// Most calls in flight at once, 1 to 64 [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: Option<u16>,
    /// Share of the rate limit to leave to others, such as autoscalers and dashboards; 0 takes all of it [default: 10%]
    #[arg(long, value_name = "PERCENT", value_parser = reserve)]
    pub reserve: Option<Reserve>,
    /// Stop after this many calls, at least 20; the next run continues
    #[arg(long, value_name = "N", value_parser = max_calls)]
    pub max_calls: Option<u64>,
    /// Rate limit to keep to, for servers that state none
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Leave out points younger than this: cloud crawlers report late [default: 20m]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub settle: Option<SignedDuration>,
    /// Ask windows again, for points that are reported late, in the first run after each of these times past their end; 0: never
    /// [default: 1h,6h,48h]
    #[arg(long, value_name = "SPANS", value_parser = look_back)]
    pub look_back: Option<LookBack>,
    /// End the run after this long without an answer [default: 10m]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub give_up_after: Option<SignedDuration>,
}

/// Treatment of stretches without data.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sparse data")]
pub struct SparseDataArgs {
    /// First find out, at a coarse interval and in a call or two per 35 queries, where there is data at all, and skip the windows that
    /// hold none
    #[arg(long)]
    pub probe: bool,
    /// Drop the results of earlier probes, and fetch what they skipped
    #[arg(long, conflicts_with = "probe")]
    pub recheck_probed: bool,
}

/// Flags of `jindo plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Subtract what this directory already holds
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Rate limit used for the estimate [default: 1600/1h]
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Share of it that is left to others, as export leaves it [default: 10%]
    #[arg(long, value_name = "PERCENT", value_parser = reserve)]
    pub reserve: Option<Reserve>,
    /// Leave out points younger than this, as export does [default: 20m]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub settle: Option<SignedDuration>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub request: RequestArgs,
    #[command(flatten)]
    pub ignored: ExportOnlyArgs,
}

impl PlanArgs {
    pub(crate) fn limit(&self) -> Pace {
        self.limit.unwrap_or(Pacing::LIMIT_RECKONED)
    }

    pub(crate) fn reserve(&self) -> Reserve {
        self.reserve.unwrap_or(Reserve::USUAL)
    }
}

/// Flags that only an export uses, accepted and ignored: an export's command line stays valid when `export` becomes `plan`.
#[derive(Debug, Clone, Args)]
pub struct ExportOnlyArgs {
    #[command(flatten)]
    place: UnusedConnectionArgs,
    #[arg(long, hide = true)]
    concurrency: Option<u16>,
    #[arg(long, hide = true, value_parser = max_calls)]
    max_calls: Option<u64>,
    #[arg(long, hide = true)]
    progress: Option<ProgressStyle>,
    #[arg(long, hide = true)]
    probe: bool,
    #[arg(long, hide = true)]
    accept_partial: bool,
}

/// Connection of the export, to which a plan makes none.
#[derive(Debug, Clone, Args)]
struct UnusedConnectionArgs {
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
    rebind: bool,
}

impl ExportOnlyArgs {
    /// Returns where the export would ask: a plan of a directory refuses an address that contradicts it.
    pub(crate) fn connection(&self) -> ConnectionArgs {
        let place = self.place.clone();
        ConnectionArgs {
            site: place.site,
            api_url: place.api_url,
            ca_file: place.ca_file,
            key_file: place.key_file,
            key_command: place.key_command,
            insecure_http: place.insecure_http,
        }
    }

    /// Returns the treatment of an address that contradicts the directory.
    pub(crate) fn other_organisation(&self) -> OtherOrganisation {
        if self.place.rebind { OtherOrganisation::Accept } else { OtherOrganisation::Refuse }
    }
}
