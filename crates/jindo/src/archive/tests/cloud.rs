//! A store that waits with a runtime's timers, as those of clouds do before they try again.

use super::*;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_store_may_wait_with_the_timers_of_a_runtime() {
    let wait = Duration::from_millis(1);
    let config = ThrottleConfig {
        wait_get_per_call: wait,
        wait_put_per_call: wait,
        wait_list_per_call: wait,
        wait_delete_per_call: wait,
        ..ThrottleConfig::default()
    };
    let waiting = ThrottledStore::new(InMemory::new(), config);
    let objects = Objects::over(Arc::new(waiting)).unwrap();
    let archive =
        Archive::assemble(Box::new(Sqlite::memory().unwrap()), objects, writer().fresh_id).unwrap();
    archive.register(&request(&["avg:a{*}"])).unwrap();
    let queries = ids(&archive);
    for fetched_s in [1, 2] {
        store(&archive, &queries, window(0, DAY_S), fetched_s).unwrap();
    }
    assert_eq!(archive.ledger().objects().unwrap().len(), 1, "the first was replaced and removed");
    let held = archive.ledger().coverage(queries[0]).unwrap();
    let mut points = 0;
    archive
        .rows::<Error>(held[0].object, queries[0], &mut |chunk| {
            points += chunk.ts_ms.len();
            Ok(())
        })
        .unwrap();
    assert_eq!(points, 1_440);
}
