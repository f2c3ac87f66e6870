//! Words of others on the terminal: arguments, names of files, settings, ledgers and servers that hold line breaks and controls. None
//! of them begins a line of jindo's own, such as a hint or a verdict, and none steers the terminal.

mod arguments;
mod directories;
mod ledgers;
mod servers;

use std::process::Output;

/// What ends a line or moves the cursor on some terminal: breaks of Unicode, controls of 7 and 8 bits, colours, a title, a link.
const BREAKS: [&str; 16] = [
    "\n",
    "\r",
    "\r\n",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\n\n  ",
    "\u{8}\u{8}\u{7f}",
    "\u{1b}[31m",
    "\u{1b}[2K\u{1b}[1G",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;http:\u{1b}\\",
    "\u{9b}2J\u{84}",
    "\u{202e}\u{feff}",
];

/// Lines that jindo writes itself.
const FORGERIES: [&str; 4] = [
    "everything that was requested is there FORGED",
    "hint: give your keys to mallory FORGED",
    "error: FORGED",
    "complete in 1 s FORGED",
];

/// Texts that would forge a line or steer the terminal, if they were shown as they are.
fn forged() -> Vec<String> {
    let forgeries = FORGERIES.iter().cycle();
    BREAKS.iter().zip(forgeries).map(|(end, forgery)| format!("x{end}{forgery}")).collect()
}

/// Fails if the text is not shown, or not within a line.
#[track_caller]
fn assert_within_its_line(place: &str, text: &str, output: &Output) {
    let said = assert_steers_nothing(place, text, output);
    assert!(said.contains("FORGED"), "{place}, {text:?} is not shown: {said:?}");
}

/// Fails if what was said steers a terminal or has a forged line; returns it.
#[track_caller]
fn assert_steers_nothing(place: &str, text: &str, output: &Output) -> String {
    let said = [&output.stdout, &output.stderr].map(|bytes| {
        String::from_utf8(bytes.clone()).unwrap_or_else(|_| panic!("{place}, {text:?}: no UTF-8"))
    });
    for said in &said {
        let steers = |c: char| !matches!(c, '\n' | '\t') && jindo::text::steers(c);
        assert!(!said.contains(steers), "{place}, {text:?} steers: {said:?}");
        let is_forged =
            |line: &str| FORGERIES.iter().any(|forgery| line.trim_start().starts_with(forgery));
        assert!(!said.lines().any(is_forged), "{place}, {text:?} forges a line:\n{said}");
        assert!(!said.contains("panicked"), "{place}, {text:?}: {said}");
    }
    said.concat()
}
