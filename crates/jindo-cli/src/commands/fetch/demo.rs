//! `jindo demo`: the whole job on a simulated organisation inside this process.

use crate::args;
use crate::commands::fetch::calls::ExportSetup;
use crate::defaults;
use crate::environment::{Access, KeyNames};
use crate::exit_code;
use crate::interruption::Interruption;
use crate::keys::names::KeyOrigin;
use crate::render::errors::Usage;
use crate::render::shell;
use crate::render::summary;
use crate::request::{RequestNotes, TypedRequest};
use crate::terminal;
use anyhow::Context as _;
use jindo::clock::Clock;
use jindo::job::{ExportReport, ListText};
use jindo::path_guard::{Kept, keep};
use jindo::request::{Address, Endpoint, Keys};
use jindo::secret::Secret;
use jindo_sim::{API_KEY, APP_KEY, Options, Simulator, built_in_list};
use std::path::{Path, PathBuf};

/// Name of the query list in the demo's directory.
const LIST: &str = "queries.txt";

/// A few days, as long ago as the simulated organisation remembers them.
const DAYS: u32 = 3;

/// Queries of the list: those of the article, and enough around them to fill several calls.
const QUERIES: usize = 120;

pub(crate) fn run(
    command: &args::DemoArgs,
    clock: &dyn Clock,
    interruption: &Interruption,
) -> anyhow::Result<u8> {
    let options = Options::new(1).with_query_limit(100_000, 3_600);
    let simulator =
        Simulator::start(options).context("while starting the simulated organisation")?;
    let list = list(command.out())?;
    let (out, path) = (shell::path(command.out()), shell::path(&list_path(command.out())));
    terminal::remark(vec![
        format!("A simulated organisation answers on {}: no keys, no network.", simulator.url()),
        format!("$ jindo export {path} --from -{DAYS}d --to -0d --out {out}"),
        String::new(),
    ]);
    let patience = std::time::Duration::from_mins(1);
    let access = || {
        let address = Address::parse(&simulator.url())?;
        Ok(Access {
            site: "the simulated organisation".into(),
            endpoint: Endpoint { address, proxy: None, extra_roots: None, patience },
            keys: Keys { api: Some(Secret::new(API_KEY)), application: Secret::new(APP_KEY) },
            names: KeyNames::default(),
            origin: KeyOrigin::BuiltIn,
        })
    };
    let setup = ExportSetup {
        request: &TypedRequest::of_text(list, format!("-{DAYS}d"), "-0d").resolve(clock.now())?,
        notes: &RequestNotes::default(),
        out: command.out(),
        progress: defaults::PROGRESS,
        access: &access,
    };
    let told = setup.carry_out(clock, interruption)?;
    terminal::answer(summary::of_export(&told))?;
    let ExportReport { outcome, files, .. } = &told.report;
    if files.is_some() {
        terminal::answer(closing(command.out()))?;
    }
    Ok(exit_code::of_export(&outcome.end, files.as_ref(), false))
}

/// Returns the next steps. They differ from an export's, because the organisation is gone when the process ends.
fn closing(out: &Path) -> Vec<String> {
    let (csv, one) = (out.join("csv"), out.join("csv/aws.cloudfront.requests"));
    let (out, csv, one) = (shell::path(out), shell::path(&csv), shell::path(&one));
    vec![
        format!("Look at:  ls {csv} | head; head -3 {one}/*.csv"),
        format!("Check:    jindo verify {out}"),
        "Try:      run the same again: it makes no call; interrupt it, and the same again continues".to_owned(),
        "For real: export DD_API_KEY=… DD_APP_KEY=…; jindo plan queries.txt --from -90d".to_owned(),
    ]
}

/// Returns the path of the demo's query list.
fn list_path(out: &Path) -> PathBuf {
    out.join(LIST)
}

/// Writes the query list into the demo's directory, for the user to look at; never over a file of the user's.
fn list(out: &Path) -> anyhow::Result<ListText> {
    let path = list_path(out);
    let text: String =
        built_in_list().lines().take(QUERIES).flat_map(|line| [line, "\n"]).collect();
    match keep(out, LIST, text.as_bytes())? {
        Kept::Same => Ok(ListText { name: path.display().to_string(), text }),
        Kept::Other => {
            let taken = format!("{} is there already, and is not the demo's list", path.display());
            Err(Usage::new(taken).hint("move it away, or name another directory by --out").into())
        }
    }
}
