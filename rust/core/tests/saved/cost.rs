//! What saving costs: figures to be told.

use super::bodies::Random;
use super::detector;
use super::service::{START, bare, send};
use super::streams::{Prompt, Stream};
use borsh::{BorshDeserialize, BorshSerialize};
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::saved::{load, save};
use std::time::Instant;

fn cost<T: BorshSerialize + BorshDeserialize>(what: &str, state: &T) {
    let milliseconds = |start: Instant| start.elapsed().as_secs_f64() * 1e3;
    let mut least = [f64::INFINITY; 2];
    let mut length = 0;
    for _ in 0..7 {
        let start = Instant::now();
        let bytes = save(what, state).unwrap();
        least[0] = least[0].min(milliseconds(start));
        let start = Instant::now();
        let loaded = load::<T>(what, &bytes).unwrap();
        least[1] = least[1].min(milliseconds(start));
        drop(loaded);
        length = bytes.len();
    }
    let [save, load] = least;
    println!("{what}: {length} bytes, saved in {save:.2} ms, loaded in {load:.2} ms");
}

/// `cargo test --release … --ignored --nocapture`: least of seven.
#[test]
#[ignore = "prints times"]
fn cost_of_a_full_state() {
    cost("nothing but bytes", &vec![7u8; 100 << 20]);
    let mut correlator = Correlator::new(Room::default(), None);
    cost("empty correlator", &correlator);
    // Ten keys each of ten thousand accounts, and matches for all of them with pieces that go round.
    for number in 0..60_000u64 {
        let account = number % 10_000;
        let own = (0..10).map(|key| mix(1 << 60 | account << 8 | key));
        let shared = (0..8).map(|key| mix((number / 7 % 24) << 8 | key));
        let keys: Vec<u64> = own.chain(shared).collect();
        send(&mut correlator, account, account, &bare(&keys, number), (mix(number + 1), 30), START + number);
    }
    cost("correlator with 100,000 keys and 10,000 accounts", &correlator);
    let thresholds = Thresholds::new(0.01, None).unwrap();
    let mut detector = Detector::new(thresholds, 1 << 16);
    cost("empty detector", &detector);
    let mut random = Random(5);
    let mut stream = Stream::new(&mut random);
    let prompts: Vec<Prompt> = (0..2_000).map(|_| stream.prompt()).collect();
    for number in 0..300_000u64 {
        detector.observe(mix(number % 10_000), &prompts[mix(number) as usize % 2_000].at(START + number));
    }
    assert_eq!(detector.accounts.len(), 10_000);
    cost("detector with 10,000 accounts", &detector);
    cost("small detector", &detector::small());
}
