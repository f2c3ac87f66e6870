//! Names against shells, Windows, case and Unicode forms.

use crate::extract::csv_tree::names::{NAME_BYTES_MAX, NAME_CHARS_MAX, encode, series_file};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn file(tags: &[&str]) -> String {
    series_file(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>())
}

#[test]
fn harmless_names_stay_as_they_are() {
    for (tags, name) in [
        (&[][..], "values"),
        (&["host:web-1"], "host=web-1"),
        (&["host:web-1.example.com", "az:eu_west"], "az=eu_west,host=web-1.example.com"),
        (&["배포:한글 배포"], "배포=한글%20배포"),
        (&["image:k8s.gcr.io/pause:3.1"], "image=k8s.gcr.io%2Fpause%3A3.1"),
        (&["variant:N/A"], "variant=N%2FA"),
        (&["host:"], "host="),
        (&["production"], "production"),
        (&["user:a@b.c+d"], "user=a@b.c+d"),
    ] {
        assert_eq!(file(tags), name);
    }
}

/// Other tools key a point by metric and time alone, so that groups overwrite each other.
#[test]
fn groups_never_overwrite_each_other() {
    let names = [
        file(&[]),
        file(&["a:1"]),
        file(&["a:1", "b:1"]),
        file(&["b:1"]),
        file(&["a:1,b:1"]),
        file(&["a:1", "a:2"]),
    ];
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert_eq!(file(&["b:1", "a:1"]), names[2], "the order of tags says nothing");
}

#[test]
fn dangerous_names_are_disarmed() {
    for (tags, name) in [
        (&["path:../../etc/passwd"][..], "path=..%2F..%2Fetc%2Fpasswd"),
        (&["a:b,c=d"], "a=b%2Cc%3Dd"),
        (&["con"], "%63on"),
        (&["nul.txt"], "%6Eul.txt"),
        (&["com1"], "%63om1"),
        (&["lpt².x"], "%6Cpt².x"),
        (&["console"], "console"),
        (&["-rf"], "%2Drf"),
        (&[".hidden"], "%2Ehidden"),
        (&[".."], "%2E%2E"),
        (&["a:b."], "a=b%2E"),
        (&["a: b "], "a=%20b%20"),
        (&["a:\u{202e}x\u{200b}"], "a=%E2%80%AEx%E2%80%8B"),
        (&["a:~$(rm)`'\"^;!&#%"], "a=%7E%24%28rm%29%60%27%22%5E%3B%21%26%23%25"),
        (&["a:\u{301}x"], "a=%CC%81x"),
        (&["a:\u{3164}"], "a=%E3%85%A4"),
    ] {
        assert_eq!(file(tags), name);
    }
}

#[test]
fn twins_get_a_hash() {
    let bare = [file(&["v:prod"]), file(&["v:N/A"]), file(&["v:é"]), file(&["v:ss"])];
    assert!(bare.iter().all(|name| !name.contains('~')), "{bare:?}");
    let twins =
        ["v:Prod", "V:prod", "v:n/a", "v:N/a", "v:e\u{301}", "v:É", "v:ß", "values", "v:\u{212a}"];
    for twin in twins {
        let name = file(&[twin]);
        let (_, hash) = name.rsplit_once('~').unwrap_or_else(|| panic!("{name}"));
        assert!(hash.len() == 6 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    }
    assert_eq!(file(&[""]).split('~').next(), Some("empty"));
}

#[test]
fn long_names_are_cut_and_told_apart() {
    let long = |last: &str| file(&[&format!("k:{}{last}", "한".repeat(250))]);
    assert_ne!(long("a"), long("b"));
    assert!(long("a").starts_with("k=한한한") && long("a").len() <= NAME_BYTES_MAX);
    let escaped = file(&[&format!("k:{}", " ".repeat(90))]);
    assert!(escaped.chars().count() <= NAME_CHARS_MAX && escaped.contains("%20~"), "{escaped}");
}

/// Six digits told 10,000 of them apart in one case of twenty, and all files of the archive were stuck.
#[test]
fn ten_thousand_long_names_that_begin_alike_are_told_apart() {
    let name = |number: u32| file(&[&format!("id:{}{number}", "p".repeat(300))]);
    let names: std::collections::HashSet<_> = (0..10_000).map(name).collect();
    assert_eq!(names.len(), 10_000);
}

/// Folds a name as a file system that ignores case and Unicode form may.
fn seen_by_disk(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    name.nfd().collect::<String>().to_uppercase().to_lowercase().nfd().collect()
}

fn tag_text() -> impl Strategy<Value = String> {
    let chars = prop_oneof![
        6 => prop::sample::select("aAbBnN/:=,.~%-_ éÉßſKkKİıΣςσ\u{301}\u{327}\u{338}\u{200b}𝒜ᾳᾼ".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    prop::collection::vec(chars, 0..6).prop_map(String::from_iter)
}

const TRIPS: &str = "/\\:*?\"<>|&;$!(){}[]#'^`";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_two_tag_sets_share_a_file(sets in prop::collection::vec(prop::collection::btree_set(tag_text(), 0..3), 2..40)) {
        let mut owners = BTreeMap::new();
        for set in sets {
            let tags: Vec<String> = set.into_iter().collect();
            let name = series_file(&tags);
            let owner = owners.entry(seen_by_disk(&name)).or_insert_with(|| tags.clone());
            prop_assert_eq!(&*owner, &tags, "{}", name);
        }
    }

    #[test]
    fn every_name_is_safe_everywhere(tags in prop::collection::vec(any::<String>(), 0..6)) {
        let name = series_file(&tags);
        prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().count() <= NAME_CHARS_MAX);
        prop_assert!(!name.starts_with(['-', '.', '~']) && !name.ends_with('.'));
        let trips = |c: char| c.is_whitespace() || c.is_control() || TRIPS.contains(c);
        prop_assert!(!name.contains(trips), "{}", name);
        let base = name.split('.').next().unwrap_or_default().to_lowercase();
        prop_assert!(!["con", "prn", "aux", "nul", "com1", "lpt1"].contains(&base.as_str()));
    }

    #[test]
    fn encoding_is_undone_by_decoding(text in any::<String>()) {
        let encoded = encode(&text);
        let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8();
        prop_assert_eq!(decoded.as_deref(), Ok(text.as_str()));
    }
}
