//! Words of a shell, for command lines that are suggested to the user.

use std::path::Path;

/// Quotes a text as one word of a shell.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%".contains(c);
    if text.chars().all(plain) && !text.is_empty() {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Quotes a path, so that no command takes it for a flag.
pub(crate) fn path(path: &Path) -> String {
    let text = path.display().to_string();
    if text.starts_with('-') { word(&format!("./{text}")) } else { word(&text) }
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
    }
}
