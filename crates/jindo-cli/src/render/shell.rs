//! Words of a shell, for command lines that are suggested to the user: pasted, each is the very text that it stands for.

use crate::terminal::{self, Charset};
use jindo::text::steers;
use std::fmt::Write as _;
use std::path::Path;

/// Quotes a text as one word of a shell.
pub(crate) fn word(text: &str) -> String {
    quoted(text.as_bytes())
}

/// Quotes a path, so that no command takes it for a flag.
pub(crate) fn path(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.starts_with(b"-") { quoted(&[b"./", bytes].concat()) } else { quoted(bytes) }
}

/// Quotes the bytes of a text. What steers a terminal, and what is no UTF-8, is escaped as bash, zsh, ksh and POSIX of 2024 read it.
fn quoted(bytes: &[u8]) -> String {
    // zsh looks for a command where a word begins with `=`.
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@%".contains(c);
    let is_lacking = |c: char| !c.is_ascii() && terminal::charset() == Charset::Ascii;
    match std::str::from_utf8(bytes) {
        Ok("") => "''".to_owned(),
        Ok(text) if text.contains(is_lacking) => format!("$'{}'", escaped(bytes)),
        Ok(text) if text.chars().all(is_plain) && !text.starts_with('=') => text.to_owned(),
        Ok(text) if !text.contains(steers) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => format!("$'{}'", escaped(bytes)),
    }
}

/// Escapes what cannot be shown as octal numbers of three digits: how many digits a hexadecimal one may have differs among shells.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    let octal = |text: &mut String, byte: u8| {
        write!(text, "\\{byte:03o}").expect("a String takes everything");
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // An interactive shell may replace what follows a `!`.
            let is_lacking = !c.is_ascii() && terminal::charset() == Charset::Ascii;
            if steers(c) || is_lacking || matches!(c, '\'' | '\\' | '!') {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| octal(&mut text, byte));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|&byte| octal(&mut text, byte));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(path(Path::new("/home/a b/it's")), r"'/home/a b/it'\''s'");
        assert_eq!(path(Path::new("-rf")), "./-rf");
        assert_eq!(path(Path::new("keys.env")), "keys.env");
        assert_eq!(word("http://h/?a&b"), "'http://h/?a&b'");
        assert_eq!(word("=ls"), "'=ls'");
        assert_eq!(word(""), "''");
        assert_eq!(
            path(Path::new("a\nb\u{1b}[31m\u{202e}'!\\")),
            r"$'a\012b\033[31m\342\200\256\047\041\134'"
        );
        assert_eq!(path(Path::new("-\n")), r"$'./-\012'");
    }

    /// Names that end a command line, begin another, or steer what it is shown on.
    #[cfg(unix)]
    #[test]
    fn attempts_to_break_a_command_line_that_is_pasted() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd: [&[u8]; 24] = [
            b"plain",
            b"a b",
            b"it's",
            b"",
            b"-rf",
            b"=ls",
            b"~root",
            b"$(reboot)",
            b"`reboot`",
            b"a;reboot",
            b"a&b|c>d<e",
            b"*?[a]",
            b"#a",
            b"a\\b",
            b"!!",
            b"{a,b}",
            b"a\nreboot",
            b"a\rb",
            b"\x1b[31m",
            b"\x1b]0;x\x07",
            b"\xff\xfe7",
            "\u{85}\u{2028}".as_bytes(),
            "\u{202e}!'\\".as_bytes(),
            b"a\n'!$(reboot)'\\0007",
        ];
        for bytes in odd {
            let name = std::ffi::OsStr::from_bytes(bytes);
            let shown = path(Path::new(name));
            assert!(!shown.contains(steers), "{shown:?}");
            let output = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {shown}")])
                .output()
                .unwrap();
            let expected = [if bytes.starts_with(b"-") { &b"./"[..] } else { b"" }, bytes].concat();
            assert_eq!(output.stdout, expected, "{shown}");
        }
        jindo_testing::all_held("names in command lines that are pasted", odd.len());
    }
}
