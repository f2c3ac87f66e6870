//! Refusals that pass: what they cost, and that nothing is learnt from them.

use super::*;

#[test]
fn one_passing_refusal_teaches_nothing() {
    for count in [1, 2, 35] {
        for at in [1, 2, 10, 40] {
            let plan = plan(count, 81);
            let run = drive(&plan, settings(), |call, _| match call {
                _ if call == at => refuse("Unprocessable Entity"),
                _ => FINE,
            });
            assert!(run.is_complete(&plan) && run.given_up.is_empty(), "{run:?}");
            assert!(run.learnt.is_empty(), "{count} queries, call {at}: {:?}", run.learnt);
            assert!(run.calls <= 81 + 4, "{count} queries, call {at}: {} calls", run.calls);
        }
    }
}
