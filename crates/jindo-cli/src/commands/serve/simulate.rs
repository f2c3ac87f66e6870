//! `jindo simulate`: the simulated organisation on a port of this machine.

use crate::args::{self, SimulatedMetadata};
use crate::defaults;
use crate::render::errors::Usage;
use crate::terminal::{self, Lines};
use anyhow::Context as _;
use jindo_sim::{
    API_KEY, APP_KEY, BucketAtTo, Faults, Metadata, Options, Organisation, OverPoints,
    built_in_list,
};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn run(command: &args::SimulateArgs) -> anyhow::Result<u8> {
    if command.list {
        terminal::answer(Lines::data(built_in_list().lines()))?;
        return Ok(0);
    }
    let options = options(command)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let port = command.port.unwrap_or(defaults::SIMULATOR_PORT);
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("while listening on port {port} of 127.0.0.1"))?;
        let url = format!("http://{}", listener.local_addr()?);
        terminal::answer(url.as_str())?;
        terminal::remark(vec![
            "the simulated Datadog API runs until ^C; in another terminal, try:".to_owned(),
            format!("    export DD_API_KEY={API_KEY} DD_APP_KEY={APP_KEY}"),
            "    jindo simulate --list > queries.txt".to_owned(),
            format!("    jindo export queries.txt --from -2d --api-url {url}"),
            format!("it counts its calls at {url}/sim/stats"),
        ]);
        jindo_sim::serve(listener, options, std::future::pending::<()>())
            .await
            .context("while serving")?;
        Ok(0)
    })
}

fn options(command: &args::SimulateArgs) -> anyhow::Result<Options> {
    let seed = command.seed.unwrap_or(defaults::SIMULATOR_SEED);
    let limit = command.limit.unwrap_or(defaults::SIMULATOR_LIMIT);
    let mut options = Options::new(seed).with_query_limit(limit.calls, limit.period_s);
    if let Some(series) = command.wide {
        options.organisation = Arc::new(Organisation::wide(seed, usize::try_from(series)?));
    }
    let spans = command.latency.as_deref().unwrap_or(defaults::SIMULATOR_LATENCY);
    (options.latency, options.jitter) = latency(spans)?;
    options.points_max = usize::try_from(command.cap.unwrap_or(defaults::SIMULATOR_CAP))?;
    if command.refuse_over_cap {
        options.over_points = OverPoints::Refused;
    }
    if command.include_end {
        options.bucket_at_to = BucketAtTo::Included;
    }
    options.late_s = command.late.map_or(0, |late| late.as_secs());
    options.queries_max = command.max_queries.map(usize::try_from).transpose()?;
    options.metadata = match command.metadata {
        None | Some(SimulatedMetadata::Served) => Metadata::Served,
        Some(SimulatedMetadata::Untyped) => Metadata::WithoutTypes,
        Some(SimulatedMetadata::Forbidden) => Metadata::Forbidden,
    };
    if let Some(clip) = &command.clip {
        options.clip = Some(clip.parse().map_err(|error| Usage::new(format!("--clip: {error}")))?);
    }
    if let Some(faults) = &command.faults {
        options.faults =
            faults.parse::<Faults>().map_err(|error| Usage::new(format!("--faults: {error}")))?;
    }
    Ok(options)
}

/// Returns the least time and the most that is added to it: `50ms`, or a range `0.5s-5s`.
fn latency(text: &str) -> Result<(Duration, Duration), Usage> {
    let span = |text: &str| {
        crate::args::span(text.trim())
            .ok()
            .and_then(|span| Duration::try_from(span).ok())
            .ok_or_else(|| {
                Usage::new(format!("--latency: `{text}` is not a span; write 50ms or 0.5s-5s"))
            })
    };
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most) = (span(least)?, span(most)?);
    let more = most.checked_sub(least);
    Ok((least, more.ok_or_else(|| Usage::new(format!("--latency: {text} ends before it begins")))?))
}
