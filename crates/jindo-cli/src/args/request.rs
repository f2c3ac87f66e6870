//! Flags of a request: the list, the range, and the reading of its queries.

use super::values::{FillArg, ResolutionArg, resolution, variable};
use clap::Args;
use std::path::PathBuf;

const QUERIES_HELP: &str = "\
A text file (or `-`) with one metric query a line, as Datadog writes it; \
without one, the directory's last request";

/// Request as typed: query list, range, zone, resolution, reading of the list.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestArgs {
    #[arg(help = QUERIES_HELP, help_heading = None::<&'static str>)]
    pub queries: Option<PathBuf>,
    /// Start of the range: 2021-12-12, 2021-12-12T00:00:00+09:00, "13/12/2021 00:00:00" (day first), -90d, now
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End of the range, excluded [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Time zone for reading and writing times: an IANA name or `local` [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Distance between points, for queries without a rollup of their own: 10s, 60s, 5m, 1h; auto: detect it for each
    /// query from a short sample [default: 60s]
    #[arg(long, value_name = "SPAN", value_parser = resolution)]
    pub resolution: Option<ResolutionArg>,
    /// Fill in a template variable of the list: host=web-1 for $host. Repeatable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// null: export reported points only. keep: send each query as written, in calls of its own; values are then those of
    /// the graph, interpolated ones included [default: null]
    #[arg(long, value_enum, value_name = "null|keep", hide_possible_values = true)]
    pub fill: Option<FillArg>,
    /// Also accept queries whose values depend on the range (top, cumsum, …); each window is then computed on its own
    #[arg(long)]
    pub allow_range_functions: bool,
    /// Leave refused lines of the list out instead of stopping
    #[arg(long)]
    pub keep_going: bool,
}
