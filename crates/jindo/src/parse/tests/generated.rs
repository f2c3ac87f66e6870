//! Properties of any answer: cut, noisy, with any number.

use super::*;
use proptest::prelude::*;

proptest! {
    /// Whatever was cut off an answer, the rest is never taken for the whole.
    #[test]
    fn half_an_answer_is_no_answer(cut in 0_usize..150) {
        let whole = stamped(
            r#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":["a:1"],"pointlist":[[@0,1.5],[@60,2e3]]}]}"#,
        );
        prop_assert!(answer(whole.as_bytes(), &expected(1, 60)).is_ok());
        let half = &whole.as_bytes()[..cut.min(whole.len() - 1)];
        let found = answer(half, &expected(1, 60));
        prop_assert!(matches!(found, Err(Error::Garbled { .. })), "{found:?}");
    }

    /// Any bytes are an answer or an error, never a panic.
    #[test]
    fn noise_is_survived(mut body in Just(br#"{"status":"ok","series":[{"metric":"m","interval":60,"tag_set":["a:1"],"pointlist":[[1640995200000,1.5]]}]}"#.to_vec()), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(answer) = answer(&body, &expected(1, 60)) {
            for series in answer.series {
                prop_assert!(series.ts_ms.is_sorted_by(|a, b| a < b));
                prop_assert_eq!(series.ts_ms.len(), series.values.len());
                prop_assert!(series.ts_ms.iter().all(|ts| (DAY * 1_000..(DAY + 600) * 1_000).contains(ts)));
            }
        }
    }

    /// Every finite f64, in the shortest spelling and in a long one, comes back with the same bits.
    #[test]
    fn values_are_read_to_the_bit(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let body = stamped(&format!(
            r#"{{"status":"ok","series":[{{"metric":"m","interval":60,"tag_set":[],"pointlist":[[@0,{value:?}],[@60,{value:.30e}]]}}]}}"#
        ));
        let answer = answer(body.as_bytes(), &expected(1, 60)).unwrap();
        let read: Vec<u64> = answer.series[0].values.iter().map(|v| v.to_bits()).collect();
        prop_assert_eq!(read, vec![bits, bits]);
    }
}
