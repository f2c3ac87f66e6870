//! Sources of keys: a file that only its owner may read, the output of a command, or the environment.
//! Each is read up to a bound, and not for ever.
//!
//! Keys go into [`jindo::secret::Secret`]s and to the client alone. An error names the source and the line, never the line's text, and never
//! the command, which may contain keys.

pub(crate) mod address;
mod command;
pub(crate) mod named_file;
pub(crate) mod names;

use crate::args::ConnectionArgs;
use crate::environment::GivenKeys;
use crate::render::errors::Usage;
use crate::render::shell;
use named_file::{FILE_ENDS_WITHIN, bytes, in_time, invalid};
use names::KeyOrigin;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// Bytes of a key file or of a command's output: two lines of some fifty bytes, and what else an `.env` file may hold.
const SOURCE_BYTES_MAX: u64 = 64 << 10;

/// A key command is killed after a minute: a person needs some time to unlock a password store.
const COMMAND_ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Returns the keys of the source that the command line names, else of the environment. They are of one source: keys of two may
/// belong to two organisations. A site beside the keys takes precedence over the environment's.
///
/// # Errors
/// [`Usage`] for keys that cannot be had; [`crate::render::errors::Interrupted`] while a command ran.
pub(crate) fn given(place: &ConnectionArgs) -> anyhow::Result<GivenKeys> {
    let environment = GivenKeys::of_environment();
    let (text, origin) = match (&place.key_file, &place.key_command) {
        (Some(path), _) => (from_file(path)?, KeyOrigin::File(path.clone())),
        (None, Some(command)) => {
            (command::printed(command, COMMAND_ENDS_WITHIN)?, KeyOrigin::Command)
        }
        (None, None) => return Ok(environment),
    };
    let values = parse(&text).map_err(|LineError { line, what }| {
        Usage::new(format!("line {line} of the keys {origin} {what}"))
            .hint("write DD_API_KEY=… and DD_APP_KEY=…, one a line; # begins a comment")
    })?;
    let given = GivenKeys::of(origin, |name| values.get(name).map(|&value| value.to_owned()));
    Ok(GivenKeys { site: given.site.or(environment.site), ..given })
}

fn from_file(path: &Path) -> Result<String, Usage> {
    let shown = path.display();
    let failed =
        |error: io::Error| Usage::new(format!("the key file {shown} cannot be read: {error}"));
    let read = |file: File| {
        // The open file is checked, not its name: links are followed, and the file cannot be exchanged in between.
        let mode = open_to_others(&file)?;
        Ok(match mode {
            Some(mode) => Err(mode),
            None => Ok(text(file)?),
        })
    };
    in_time(path, FILE_ENDS_WITHIN, read).map_err(failed)?.map_err(|mode| {
        Usage::new(format!("the key file {shown} is open to others (mode {mode:04o})"))
            .hint(format!("chmod 600 {}", shell::path(path)))
    })
}

/// Returns the permissions if they allow anything to the group or to others.
#[cfg(unix)]
fn open_to_others(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Returns `None`: other systems have access lists instead of a mode.
#[cfg(not(unix))]
fn open_to_others(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Reads a text of at most [`SOURCE_BYTES_MAX`] bytes.
fn text(source: impl Read) -> io::Result<String> {
    // The error's own text is left out: it may quote a key.
    String::from_utf8(bytes(source, SOURCE_BYTES_MAX)?)
        .map_err(|_| invalid("it is not UTF-8 text".into()))
}

/// Returns true for the names that are read from a text; others are ignored.
fn is_read(name: &str) -> bool {
    let keys = names::API_KEY.iter().chain(&names::APP_KEY);
    keys.chain(&names::SITE).any(|known| *known == name)
}

/// Line that is not understood: its number, from 1, and the fault.
struct LineError {
    line: usize,
    what: &'static str,
}

/// Reads `NAME=VALUE` lines as shells and `.env` files have them: `export ` and quotes are allowed. Empty values are left out.
fn parse(text: &str) -> Result<BTreeMap<&str, &str>, LineError> {
    let mut values = BTreeMap::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let wrong = |what| LineError { line: index + 1, what };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let (name, rest) = line.split_once('=').ok_or_else(|| wrong("is not NAME=VALUE"))?;
        let name = name.trim_end();
        if !is_read(name) {
            continue;
        }
        let value = value(rest.trim()).map_err(wrong)?;
        if values.contains_key(name) {
            return Err(wrong("gives a name for the second time"));
        }
        if !value.is_empty() {
            values.insert(name, value);
        }
    }
    Ok(values)
}

/// Returns the value without its quotes and without a comment.
fn value(text: &str) -> Result<&str, &'static str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (value, rest) = match quote {
        Some(quote) => text[1..].split_once(quote).ok_or("opens a quote that is never closed")?,
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(value.trim())
    } else {
        Err("has more than one value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: &Expect) {
        let told = match parse(text) {
            Ok(values) => ["DD_API_KEY", "DD_APP_KEY", "DD_SITE"]
                .map(|name| format!("{:?}", values.get(name)))
                .join(" "),
            Err(LineError { line, what }) => format!("line {line} {what}"),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn keys_are_read_as_shells_and_env_files_write_them() {
        check("DD_API_KEY=a\nDD_APP_KEY=b\n", &expect![[r#"Some("a") Some("b") None"#]]);
        check(
            "\u{feff}# mine\r\n\r\nexport DD_API_KEY=\"a\" # yes\r\n  export  DD_APP_KEY = 'b#c'\r\nDD_SITE=datadoghq.eu\r\n",
            &expect![[r#"Some("a") Some("b#c") Some("datadoghq.eu")"#]],
        );
        check("PATH=/a:/b c d\nDD_API_KEY=a=b==\n", &expect![[r#"Some("a=b==") None None"#]]);
        check("DD_API_KEY=\nDD_APP_KEY=\"\"", &expect![["None None None"]]);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_never_quoted() {
        check("DD_API_KEY=a\nc4a9\n", &expect![["line 2 is not NAME=VALUE"]]);
        check("\nDD_API_KEY='c4a9", &expect![["line 2 opens a quote that is never closed"]]);
        check("DD_API_KEY=a c4a9", &expect![["line 1 has more than one value"]]);
        check(
            "DD_APP_KEY=a\nDD_APP_KEY=c4a9",
            &expect![["line 2 gives a name for the second time"]],
        );
    }
}
