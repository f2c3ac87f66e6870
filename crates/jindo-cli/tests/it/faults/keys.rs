//! Keys go to the address that was given, and nowhere else; and they can be revoked at any moment.

use super::peer::{Peer, framed};
use super::sandbox::{Sandbox, options};
use crate::support::tree;
use std::sync::Arc;

#[test]
fn a_redirect_is_never_followed_not_even_within_the_same_host() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let elsewhere = Peer::start(options(), Arc::new(|_, _| None));
        let location = vec![("Location".to_owned(), format!("{}/api/v1/query", elsewhere.url()))];
        // The first contact and the first query alike.
        let peer = Peer::start(
            options(),
            Arc::new(move |asked, _| {
                (asked.nth < 2).then(|| vec![framed(status, &location, b"moved")])
            }),
        );
        let sandbox = Sandbox::new();
        let ran = sandbox.run(&peer.url(), Some(&peer), &[]);
        assert_eq!((ran.code, sandbox.calls()), (Some(0), 4), "{status}: {}", ran.said);
        assert!(ran.said.contains("it redirects to http://127.0.0.1"), "{}", ran.said);
        assert_eq!(elsewhere.connections(), 0, "{status}");
    }
}

#[test]
fn keys_revoked_at_any_call_stop_the_run_and_the_next_one_pays_for_nothing_twice() {
    let healthy = || Peer::start(options(), Arc::new(|_, _| None));
    let faultless = Sandbox::new();
    let peer = healthy();
    faultless.run(&peer.url(), Some(&peer), &[]);
    for revoked in 2..=3 {
        let peer = Peer::start(
            options(),
            Arc::new(move |asked, _| {
                let body = br#"{"status":"error","code":403,"errors":["Forbidden"]}"#;
                (asked.nth >= revoked).then(|| vec![framed("403 Forbidden", &[], body)])
            }),
        );
        let sandbox = Sandbox::new();
        // With several calls under way as well: what is fine among them still comes in.
        let ran = sandbox.run(&peer.url(), Some(&peer), &["--concurrency", "3"]);
        assert_eq!(ran.code, Some(1), "{}", ran.said);
        assert!(ran.said.contains("with valid keys the same command continues"), "{}", ran.said);
        let (made, kept) = (sandbox.calls(), revoked - 1);
        assert!(made <= 3 && peer.calls() <= 3, "{made} calls");
        let peer = healthy();
        assert_eq!(sandbox.run(&peer.url(), Some(&peer), &[]).code, Some(0));
        assert_eq!(peer.calls(), 3 - kept, "only what had not come in");
        assert_eq!(tree(&sandbox.out()), tree(&faultless.out()));
    }
}
