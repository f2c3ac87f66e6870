//! Fold of a path: the form in which file systems that ignore case and Unicode form compare it. Touches no disk.

use unicode_normalization::UnicodeNormalization as _;

/// Returns the same text for all paths that are one file where names differ by neither case nor Unicode form.
pub(crate) fn folded(path: &str) -> String {
    // Lower case first: ẞ is the capital of ß, but ß has SS for its own.
    if is_plainly_folded(path) { path.to_owned() } else { fold(&path.to_lowercase()) }
}

/// Returns whether a text is its own fold, so that no other text is one file with it.
pub(crate) fn is_own_fold(text: &str) -> bool {
    is_plainly_folded(text) || fold(text) == text
}

/// Folds case and Unicode form.
pub(crate) fn fold(text: &str) -> String {
    let upper: String = text.nfc().collect::<String>().to_uppercase();
    upper.to_lowercase().nfc().collect()
}

/// Answers without folding for nearly all names.
fn is_plainly_folded(text: &str) -> bool {
    text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}
