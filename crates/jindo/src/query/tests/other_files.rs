//! Files that are no lists: the kind that each is known for, and the queries seen in it.

use crate::query::{OtherFile, decode, other_file};

fn kind(bytes: &[u8]) -> Option<(String, usize)> {
    let OtherFile { kind, queries, .. } = other_file(bytes, &decode(bytes))?;
    Some((kind.to_string(), queries))
}

#[track_caller]
fn is(text: &str, name: &str, queries: usize) {
    assert_eq!(kind(text.as_bytes()), Some((name.to_owned(), queries)), "{text}");
}

#[test]
fn json_is_known_by_its_keys() {
    let dashboard = r#"{"title":"a","widgets":[{"definition":{"requests":[{"q":"avg:a{*}"},
        {"queries":[{"query":"sum:b{$e}.as_count()"},{"query":"sum:b{$e}.as_count()"},{"search":{"query":"service:{x}"}}]}]}}]}"#;
    is(dashboard, "a dashboard as JSON", 2);
    is(&format!("\u{feff}\n[{dashboard}]"), "a dashboard as JSON", 2);
    let monitor = r#"{"type":"query alert","query":"avg(last_5m):avg:a{*} by {b} > 3","options":{},"message":"{{#is_alert}}"}"#;
    is(monitor, "a monitor as JSON", 1);
    is(&format!("[{monitor},{monitor}]"), "a monitor as JSON", 1);
    is(&format!("{{\"monitors\":[{monitor}]}}"), "a list of monitors as JSON", 1);
    is(&format!("{monitor}\n{monitor}\n"), "JSON, one object a line", 1);
    is(r#"{"data":{"attributes":{"cells":[{"q":"avg:a{*}"}]}}}"#, "a notebook as JSON", 1);
    is(r#"{"panels":[{"targets":[{"query":"avg:a{*}"}]}]}"#, "a dashboard of Grafana as JSON", 1);
    is(
        r#"{"resource":{"datadog_monitor":{"a":{"query":"avg(last_5m):avg:a{*} > 3"}}}}"#,
        "Terraform as JSON",
        1,
    );
    is(r#"{"status":"ok","series":[],"query":"avg:a{*}"}"#, "an answer of Datadog's API", 1);
    is(r#"{"metrics":["a.b","c.d"],"from":"0"}"#, "an answer of Datadog's API", 0);
    is(r#"{"errors":["Forbidden"]}"#, "an error of an API, saved as a file", 0);
    is(r#"["avg:a{*}", "avg:b{*} by {c}", "c"]"#, "a JSON list of texts", 2);
    is(r#"[{"q":"avg:a{*}"}, 1]"#, "JSON", 1);
    is("{\n  \"q\": \"avg:a{*}\",\n  \"r\": \"sum:b{c:d}\",\n}", "JSON that cannot be read", 2);
    is("// of mine\n{\"widgets\":[\"avg:a{*}\"]", "JSON that cannot be read", 1);
    is("{}", "JSON", 0);
    let deep = format!("[\"\",{}", "[".repeat(100_000));
    assert_eq!(kind(deep.as_bytes()), Some(("JSON that cannot be read".to_owned(), 0)));
}

#[test]
fn other_texts_are_known_by_their_notation() {
    is(
        "# mine\nresource \"datadog_monitor\" \"a\" {\n  query = \"avg(last_5m):avg:a{*} > 3\"\n}\n",
        "Terraform",
        1,
    );
    is("locals {\n  a = 1\n}\n", "Terraform", 0);
    is(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  list: |\n    avg:a{*}\n    avg:b{*}\n",
        "YAML",
        2,
    );
    is("---\n- name: a\n  query: avg:a{*}\n- name: b\n  query: \"sum:b{*}\"\n", "YAML", 2);
    is("CPU:\n  - avg:a{*}\nMemory:\n  - avg:b{*}\n", "YAML", 2);
    is(
        "name,query\nCPU,avg:a{*} by {b}\nMemory,\"avg:c{d:e,f:g}\"\n",
        "a table with a heading (CSV)",
        2,
    );
    is("team;dashboard;wanted\nx;y;\"avg:a{*}\"\n", "a table with a heading (CSV)", 1);
    is("metric_name\tmetric_type\na.b\tgauge\n", "a table with a heading (CSV)", 0);
    is("<!DOCTYPE html>\n<p>avg:a{*}</p>\n", "a web page (HTML)", 1);
    is("<?xml version=\"1.0\"?>\n<a/>", "XML", 0);
    is("SELECT a FROM b\nWHERE c\n", "SQL", 0);
    is("#!/usr/bin/env python3\nq = 'avg:a{*}'\n", "a program", 1);
    let wide: Vec<u8> = "{\"widgets\":[]}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(kind(&wide), Some(("a dashboard as JSON".to_owned(), 0)));
}

#[test]
fn files_that_are_no_texts_are_known_by_their_first_bytes() {
    for (bytes, name) in [
        (&b"\x1f\x8b\x08\0\0"[..], "compressed by gzip"),
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml..xl/workbook.xml", "an Excel workbook"),
        (b"PK\x03\x04\x14\0\x06\0word/document.xml", "a Word document"),
        (b"PK\x03\x04\x14\0\0\0", "a zip archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"{\\rtf1\\ansi avg:a\\{*\\}}", "a document of a word processor (RTF)"),
    ] {
        assert_eq!(kind(bytes), Some((name.to_owned(), 0)));
    }
}

/// What is wrong with a list is said line by line.
#[test]
fn lists_are_lists() {
    for text in [
        "",
        "avg:a{*}\nsum:b{*}\n",
        "# mine\n\n- avg:a{*}\n- sum:b{*}\n",
        "---\n- avg:a{*}\n- sum:b{*}\n",
        "CPU:\navg:a{*}\nMemory:\navg:b{*}\n",
        "Queries:\n- avg:a{*}\n",
        "avg: a{*}\nsum: b{*}\n",
        "query\n\"avg:a{*}\"\n\"avg:b{c:d,e:f}\"\n",
        "system.cpu.user,system.cpu.idle\nsystem.load.1,system.load.5\n",
        "a{*},b{*}\nc{*},d{*}\n",
        "[ ] avg:a{*}\n[x] avg:b{*}\n",
        "[[agg]]:a{*}\n",
        "{{ query }}\n",
        "{% for q in all %}\n",
        "{*}\n",
        "<%= query %>\n",
        "avg(last_5m):avg:a{*} > 3\nlogs(\"a\").last(\"5m\") > 3\n",
        "DD_API_KEY=0123456789abcdef0123456789abcdef\n",
    ] {
        assert_eq!(kind(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_key_in_a_file_without_queries_is_seen() {
    let holds_key = |text: &str| other_file(text.as_bytes(), text).unwrap().holds_key;
    assert!(holds_key("{\"api_key\":\"0123456789abcdef0123456789abcdef\"}\n"));
    assert!(holds_key("api_key: 0123456789abcdef0123456789abcdef\nsite: datadoghq.eu\n"));
    assert!(!holds_key("{\"title\":\"a\"}\n"));
}
