//! The command line as clap reads it: one file per command or group of commands. A flag that was not given is `None`; its
//! default stands in `defaults`. Opens no file and makes no call.

mod connection;
mod export;
mod extract;
mod inspect;
mod simulate;
mod values;

pub(crate) use connection::ConnectionArgs;
pub(crate) use export::{ExportArgs, PlanArgs, RequestArgs};
pub(crate) use extract::ExtractArgs;
pub(crate) use inspect::{StatusArgs, VerifyArgs};
pub(crate) use simulate::{DemoArgs, SimulateArgs, SimulatedMetadata};
pub(crate) use values::{
    AssumedTypeArg, FillArg, OutputFormat, ProgressStyle, SPAN_MAX, VARIABLE_BYTES_MAX, span,
};

use crate::terminal::Lines;
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};
use jindo::text::plain;

/// Lines of at most 78 columns, because clap does not wrap them.
const EXAMPLES: &str = "\
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
  130  interrupted; what was fetched is kept";

/// Every Datadog metric as files, with few API calls and a receipt for each
#[derive(Debug, Parser)]
// The name by which the program was called is whatever the caller likes.
#[command(name = "jindo", bin_name = "jindo", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    /// Say more on stderr, for bug reports. Never shows keys
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 900)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

/// Command of the program, with its flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it on a simulated organisation, in seconds, without keys
    Demo(DemoArgs),
    /// Print what an export would cost; writes nothing, makes no call
    Plan(Box<PlanArgs>),
    /// Fetch what is not there yet and write it as files; run it again to continue
    #[command(after_help = export::EXAMPLES)]
    Export(Box<ExportArgs>),
    /// Show what a directory holds and what is missing
    Status(StatusArgs),
    /// Check that everything is there, intact and as requested
    Verify(VerifyArgs),
    /// Write the files again from the archive; makes no call
    Extract(ExtractArgs),
    /// Run a simulated Datadog API on a local port, for tests and trials
    Simulate(SimulateArgs),
}

/// Returns an error of the parser in words. It repeats what was typed, which stays within its line.
pub(crate) fn in_words(mut error: clap::Error) -> Lines {
    let one = |text: &str| plain(text, &[]).into_owned();
    let context: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in context {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds hold no text")]
        let value = match value {
            // Of several lines, and none of the user's words.
            _ if kind == ContextKind::Usage => continue,
            ContextValue::String(text) => ContextValue::String(one(&text)),
            ContextValue::Strings(texts) => {
                ContextValue::Strings(texts.iter().map(|text| one(text)).collect())
            }
            ContextValue::StyledStr(text) => ContextValue::StyledStr(one(&text.to_string()).into()),
            ContextValue::StyledStrs(texts) => ContextValue::StyledStrs(
                texts.iter().map(|text| one(&text.to_string()).into()).collect(),
            ),
            _ => continue,
        };
        error.insert(kind, value);
    }
    error.render().to_string().lines().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults;
    use clap::{CommandFactory as _, ValueEnum as _};
    use jindo::job::{ExportRequest, LookBack, Pacing, Resolution};

    /// Returns a flag's default as `--help` prints it.
    fn printed(command: &str, flag: &str) -> Option<String> {
        let root = Arguments::command();
        let command = root.find_subcommand(command).unwrap();
        let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
        let help = argument.unwrap().get_help().unwrap().to_string();
        let (_, rest) = help.split_once("[default: ")?;
        Some(rest.split_once(']').unwrap().0.to_owned())
    }

    #[test]
    fn help_prints_the_defaults_that_apply() {
        let span = |text: &str| super::span(text).unwrap();
        let pace = |text: &str| super::values::pace(text).unwrap();
        for (command, flag) in [("export", "out"), ("demo", "out")] {
            let expected = if command == "demo" { defaults::DEMO_OUT } else { defaults::OUT };
            assert_eq!(printed(command, flag).as_deref(), Some(expected));
        }
        for command in ["export", "verify"] {
            let concurrency = Pacing::CONCURRENCY.to_string();
            assert_eq!(printed(command, "concurrency"), Some(concurrency));
            let reserve = printed(command, "reserve").unwrap();
            assert_eq!(super::values::reserve(&reserve), Ok(Pacing::default().reserve));
            assert_eq!(span(&printed(command, "give-up-after").unwrap()), Pacing::GIVE_UP_AFTER);
        }
        for command in ["export", "plan"] {
            assert_eq!(span(&printed(command, "settle").unwrap()), ExportRequest::SETTLE);
            assert_eq!(printed(command, "timezone").as_deref(), Some(ExportRequest::TIMEZONE));
            assert_eq!(printed(command, "to").as_deref(), Some(defaults::TO));
            let resolution = span(&printed(command, "resolution").unwrap());
            assert_eq!(resolution.as_secs(), i64::from(Resolution::SECONDS));
        }
        let look_back = printed("export", "look-back").unwrap();
        assert_eq!(super::values::look_back(&look_back), Ok(LookBack::default()));
        assert_eq!(pace(&printed("plan", "limit").unwrap()), Pacing::LIMIT_RECKONED);
        assert_eq!(pace(&printed("simulate", "limit").unwrap()), defaults::SIMULATOR_LIMIT);
        let progress = printed("export", "progress").unwrap();
        assert_eq!(ProgressStyle::from_str(&progress, false), Ok(defaults::PROGRESS));
        let format = printed("extract", "format").unwrap();
        assert_eq!(OutputFormat::from_str(&format, false), Ok(defaults::FORMAT));
        for (flag, expected) in [
            ("port", defaults::SIMULATOR_PORT.to_string()),
            ("latency", defaults::SIMULATOR_LATENCY.to_owned()),
            ("cap", defaults::SIMULATOR_CAP.to_string()),
            ("seed", defaults::SIMULATOR_SEED.to_string()),
        ] {
            assert_eq!(printed("simulate", flag), Some(expected), "--{flag}");
        }
    }

    #[test]
    fn a_flag_that_was_not_given_is_none() {
        let parsed = Arguments::try_parse_from(["jindo", "export", "--concurrency", "8"]).unwrap();
        let Command::Export(export) = parsed.command else { unreachable!("it is an export") };
        assert_eq!((export.pacing.concurrency, export.pacing.settle), (Some(8), None));
    }
}
