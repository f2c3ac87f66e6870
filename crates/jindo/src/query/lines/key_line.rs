//! Lines of a list that look like keys: of a key file that was given as a list, or with a key pasted into them. They are taken out of
//! the text before it is read, shown or kept; what stands in their place is refused at its line. Pure.

use super::line::{ListLine, is_comment, uncommented};
use super::reading::read;
use crate::query::ast::Expr;
use crate::query::error::KEY_LINE;
use crate::secret::Secrets;
use crate::text::is_unseen;

/// Characters of a run of letters and digits that is no word: Datadog's keys have 32 and 40, and no query has a name so long without a
/// `.` or `_`.
const RUN_CHARS_MIN: usize = 32;

/// Characters behind the beginning of a token that make it one, and no metric of a like name.
const TOKEN_CHARS_MIN: usize = 16;

/// Beginnings of Datadog's tokens: personal access, service access, application keys.
const TOKENS: [&str; 3] = ["ddpat_", "ddsat_", "ddapp_"];

/// Ends of the names of keys, whatever stands between name and value. Without `_`, `-` and `.`.
const KEY_NAMES: [&str; 6] =
    ["apikey", "appkey", "applicationkey", "accesskey", "secretkey", "authorization"];

/// Ends of the names of other secrets, where `=` or `:` stands between name and value.
const SECRET_NAMES: [&str; 9] =
    ["key", "token", "secret", "password", "passwd", "passphrase", "pass", "pwd", "credentials"];

/// Returns the text of a list with another in place of each line that looks like a key or holds one of `secrets`, comments included.
/// Everything that is done with a list is done with what this returns.
pub fn without_keys(text: &str, secrets: &Secrets) -> String {
    let line = |line: &str| {
        if !is_key(line, secrets) {
            return line.to_owned();
        }
        if is_comment(line.trim_start()) { format!("# {KEY_LINE}") } else { KEY_LINE.to_owned() }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Returns true for a line that is not to be shown.
fn is_key(line: &str, secrets: &Secrets) -> bool {
    if secrets.stand_in(line) {
        return true;
    }
    let seen = seen(line);
    if holds_token(&seen) {
        return true;
    }
    // A tag of a query may have any name and any value.
    let is_query = || {
        let line = ListLine::new(1, uncommented(line));
        line.is_some_and(|line| {
            read(&line.text).is_ok_and(|found| found.queries.iter().all(asks_something))
        })
    };
    is_run(seen.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        || ((names_secret(&seen) || holds_run(&seen)) && !is_query())
}

fn asks_something(expr: &Expr) -> bool {
    expr.series().next().is_some()
}

/// The line as a reader sees it: a space for white space, nothing for what is shown as nothing.
fn seen(line: &str) -> String {
    let seen = |c: char| match c {
        c if c.is_whitespace() => Some(' '),
        c if is_unseen(c) => None,
        c => Some(c),
    };
    line.chars().filter_map(seen).collect()
}

fn holds_token(line: &str) -> bool {
    let small = line.to_ascii_lowercase();
    TOKENS.iter().flat_map(|start| small.match_indices(start)).any(|(at, start)| {
        let rest = small.as_bytes()[at + start.len()..].first_chunk::<TOKEN_CHARS_MIN>();
        rest.is_some_and(|token| {
            token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
                && token.iter().any(u8::is_ascii_digit)
        })
    })
}

/// Returns true for a line with a run of letters and digits, or of base64, that is no word.
fn holds_run(line: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(is_run)
        || line.split(|c: char| !is_base64(c)).any(is_mixed)
}

/// Digits with or without letters, or the letters of hexadecimal digits alone.
fn is_run(text: &str) -> bool {
    text.len() >= RUN_CHARS_MIN
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && (text.contains(|c: char| c.is_ascii_digit())
            || text.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Digits, small letters and capitals, as only chance mixes them.
fn is_mixed(text: &str) -> bool {
    text.len() >= RUN_CHARS_MIN
        && [char::is_ascii_digit, char::is_ascii_lowercase, char::is_ascii_uppercase]
            .into_iter()
            .all(|is: fn(&char) -> bool| text.chars().any(|c| is(&c)))
}

/// Returns true for a line in which a value follows the name of a secret: `DD_API_KEY=…`, `"api_key": "…"`, `DD-API-KEY: …`,
/// `Authorization: Bearer …`. What stands in the braces of a broken query is no such name.
fn names_secret(line: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let scope = if line.starts_with('{') { None } else { line.find('{') };
    let names_end = scope.unwrap_or(line.len());
    let Some(last) = line.rfind(|c: char| c.is_ascii_alphanumeric()) else { return false };
    let mut at = 0;
    while let Some(start) = line[at..names_end].find(is_name).map(|found| at + found) {
        let rest = &line[start..];
        let end = rest.find(|c: char| !is_name(c)).map_or(line.len(), |length| start + length);
        if end > last {
            break;
        }
        let name: String = line[start..end].chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let between = line[end..].chars().find(|c| matches!(c, '=' | ':') || is_name(*c));
        let is_stated = matches!(between, Some('=' | ':'));
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&KEY_NAMES) || name == "bearer" || is_stated && ends(&SECRET_NAMES) {
            return true;
        }
        at = end;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn is_hidden(line: &str) -> bool {
        let secrets = Secrets::new([Secret::new("canary+api/qwertzuiop==&xyzxyz")]);
        let kept = without_keys(line, &secrets);
        assert!(kept == line || kept.trim_start_matches("# ") == KEY_LINE, "{kept}");
        kept != line
    }

    #[test]
    fn lines_that_look_like_keys_are_taken_out() {
        let app = format!("{KEY}01234567");
        for line in [
            "DD_API_KEY=c4a9",
            "export DD_APP_KEY=\"c4a9\"",
            "  set DD_APP_KEY=c4a9",
            "setx DD_API_KEY c4a9",
            "$env:DD_API_KEY = 'c4a9'",
            "ENV DD_API_KEY c4a9",
            "- DD_API_KEY=c4a9",
            "DD_API_KEY,c4a9",
            "api_key: c4a9",
            "api-key = c4a9",
            "datadog.apiKey=c4a9",
            "\"DD_API_KEY\": \"c4a9\",",
            "{\"api_key\":\"c4a9\",\"app_key\":\"c4a9\"}",
            "<apiKey>c4a9</apiKey>",
            "DD-API-KEY: c4a9",
            "DD-APPLICATION-KEY: c4a9",
            "curl -H 'DD-API-KEY: c4a9' https://api.datadoghq.com",
            "https://api.datadoghq.com/api/v1/validate?api_key=c4a9",
            "Authorization: Bearer c4a9",
            "bearer c4a9",
            "MY_PASSWORD=c4a9",
            "key: c4a9",
            "# DD_API_KEY=c4a9",
            "{\"a\":{\"api_key\":\"c4a9\"}}",
            KEY,
            &app,
            &KEY.to_uppercase(),
            &format!("\"{KEY}\","),
            &format!("value: {KEY}"),
            &format!("#{app} mine"),
            &format!("pub{KEY}"),
            &format!("  - '{app}'"),
            "12345678901234567890123456789012",
            "abcdefabcdefabcdefabcdefabcdefab",
            &format!("avg:m{{host:{KEY}"),
            &format!("abs({KEY})"),
            &format!("{}\u{200b}{}", &KEY[..16], &KEY[16..]),
            "ddpat_0123456789abcdefABCDEF",
            "avg:m{host:ddapp_0123456789abcdefABCDEF}",
            "Ab1/Ab1+Ab1+Ab1/Ab1/Ab1+Ab1/Ab1/Ab1=",
            "avg:m{host:canary+api/qwertzuiop==&xyzxyz}",
            "canary+api/\u{2028}qwertzuiop==&XYZXYZ",
        ] {
            assert!(is_hidden(line), "{line}");
        }
    }

    #[test]
    fn queries_and_broken_queries_are_left() {
        for line in [
            "",
            "# comment",
            "avg:system.cpu.user{host:web-1} by {host}",
            &format!("avg:m{{container_id:{KEY}{KEY}}}"),
            &format!("# avg:m{{container_id:{KEY}}}"),
            "sum:m{api_key:a} by {api_key}",
            "avg:m{api_key:a,token:b",
            "avg:api_key.count{*}",
            "avg:ddapp_requests.count{*}",
            "api_key.requests",
            "api_key",
            "DD_SITE=datadoghq.eu",
            "DD_API_KEY=",
            "AWS.ApplicationELB.HTTPCode_Target_5XX_Count_of_all_balancers",
            "kubernetes_state.deployment.replicas_available_by_condition",
            "avg:aws.applicationelb.httpcode_target_5xx{loadbalancer:app/K8s-Prod-1a2b3c/0123456789abcdef}",
            KEY_LINE,
        ] {
            assert!(!is_hidden(line), "{line}");
        }
    }

    /// A list may be one line of 16 MiB: nothing is looked at as often as there are letters.
    #[test]
    fn a_long_line_takes_no_longer_than_its_length() {
        for part in ["ddpat_", "a{", "key ", "{", "\\u0030", "Ab1"] {
            let line = part.repeat((1 << 20) / part.len());
            assert_eq!(is_hidden(&line), part == "Ab1", "{part}");
        }
    }

    #[test]
    fn the_other_lines_stay_where_they_are() {
        let list = format!("avg:a{{*}}\n{KEY}\r\n  # {KEY}\n\navg:b{{*}}\n");
        let kept = without_keys(&list, &Secrets::default());
        assert_eq!(kept, format!("avg:a{{*}}\n{KEY_LINE}\n# {KEY_LINE}\n\navg:b{{*}}\n"));
    }
}
