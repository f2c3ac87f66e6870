//! A server that sends less than it has, in five ways: what is exported equals what an honest server has, and later runs cost nothing.

use crate::support::{START_S, World, assert_equals_the_function, calm, exits, walk};
use jindo_sim::Options;
use std::fs;

const QUERIES: [&str; 3] =
    ["avg:system.cpu.user{*} by {host}", "avg:odd.values{*}", "sum:system.cpu.user{*} by {host}"];

/// Lines of all logs so far that name a half of what looked cut.
fn halves(world: &World) -> usize {
    let logs = walk(&world.out().join("runs")).into_iter();
    let logs = logs.map(|log| fs::read_to_string(log).unwrap());
    logs.map(|log| log.matches("half of an answer that looks cut").count()).sum()
}

#[test]
fn what_a_server_clips_is_noticed_in_each_of_five_ways() {
    for clip in ["first:500", "last:500", "every:500", "all-but-newest", "total:5000"] {
        let options = Options { clip: Some(clip.parse().unwrap()), ..calm() };
        let world = World::new(options, &QUERIES);
        let until_s = START_S + 60 * 3_600;
        exits(&world.run(world.export_args(START_S, until_s)), 0);
        assert_equals_the_function(&world, &QUERIES, START_S, until_s);
        assert!(halves(&world) > 0, "{clip}");
        let (calls, asked) = (world.stats().query_calls, halves(&world));
        exits(&world.run(world.export_args(START_S, until_s)), 0);
        assert_eq!((world.stats().query_calls, halves(&world)), (calls, asked), "{clip}");
        assert!(calls < 60, "{clip}: {calls} calls");
    }
}

#[test]
fn an_honest_server_with_gaps_is_asked_nothing_twice() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.run(world.export_args(START_S, START_S + 60 * 3_600)), 0);
    assert_eq!((halves(&world), world.stats().query_calls), (0, 3));
}
