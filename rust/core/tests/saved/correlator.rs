//! A correlator that goes on from its bytes.

use super::service::ROOM;
use super::traffic::{TIGHT, traffic};
use super::{bytes, copy, rounds};
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::saved::load;

/// Wherever it is saved, what comes of every later request is the same, and so is what is remembered in the end.
#[test]
fn a_correlator_goes_on() {
    const REQUESTS: u64 = 24_000;
    let (mut pays, mut kinds) = (0, [0; 2]);
    for seed in 1..=rounds(4) {
        let room = if seed % 2 == 0 { TIGHT } else { ROOM };
        let sent = traffic(seed, REQUESTS);
        let (mut correlator, mut found, mut saved) = (Correlator::new(room, None), Vec::new(), Vec::new());
        for (sent, number) in sent.iter().zip(0..) {
            if [0, 1, 700, 6_000, 13_001, 23_998].contains(&number) {
                saved.push((number, bytes(&correlator)));
            }
            found.push(sent.to(&mut correlator));
        }
        let end = bytes(&correlator);
        for (number, bytes) in saved {
            let mut loaded: Correlator = load("state", &bytes).unwrap();
            let later: Vec<_> = sent[number..].iter().map(|sent| sent.to(&mut loaded)).collect();
            assert!(later == found[number..], "seed {seed}, from {number}");
            assert!(self::bytes(&loaded) == end, "seed {seed}, from {number}");
            assert_eq!(loaded.known(500), correlator.known(500));
        }
        pays += found.iter().filter(|found| found.pays).count();
        correlator.campaigns.records().for_each(|campaign| kinds[campaign.kind as usize] += 1);
    }
    assert!(pays > 1_000 && kinds.into_iter().min() > Some(3), "{pays} {kinds:?}");
}

/// What the history shares, and who had what before the first request, is known on.
#[test]
fn a_correlator_with_a_history_goes_on() {
    let sent = traffic(7, 9_000);
    let mut history = Correlator::new(ROOM, None);
    sent[..5_000].iter().for_each(|sent| _ = sent.to(&mut history));
    let known = history.known(500);
    assert!(!known.owned.is_empty());
    let mut correlator = Correlator::new(ROOM, Some(&known));
    let mut loaded = copy(&correlator);
    for sent in &sent[5_000..] {
        assert_eq!(sent.to(&mut loaded), sent.to(&mut correlator));
    }
    assert!(bytes(&loaded) == bytes(&correlator));
}

/// Room that nobody uses takes no bytes.
#[test]
fn an_empty_correlator_is_small() {
    let empty = Correlator::new(Room::default(), None);
    let bytes = bytes(&empty);
    assert!(bytes.len() < 500, "{}", bytes.len());
    copy(&empty);
}
