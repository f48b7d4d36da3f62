//! Saved state: what goes on from it is what would have gone on, and bytes that are not those of a state are refused.

#[path = "scan/bodies.rs"]
mod bodies;
#[path = "saved/bounded.rs"]
mod bounded;
#[path = "saved/correlator.rs"]
mod correlator;
#[path = "saved/cost.rs"]
mod cost;
#[path = "saved/damage.rs"]
mod damage;
#[path = "saved/detector.rs"]
mod detector;
#[path = "saved/frame.rs"]
mod frame;
#[path = "saved/ledger.rs"]
mod ledger;
#[path = "detector/naive.rs"]
#[allow(dead_code)]
mod naive;
#[path = "campaign/service.rs"]
mod service;
#[path = "detector/streams.rs"]
#[allow(dead_code)]
mod streams;
#[path = "saved/traffic.rs"]
mod traffic;

use borsh::{BorshDeserialize, BorshSerialize};
use ratelimit_guard_core::detector::evidence::Test;
use ratelimit_guard_core::detector::signal::{SIGNALS, Signal};
use ratelimit_guard_core::saved::{load, save};

/// How many rounds of a kind; `make soak` asks for a hundred times as many.
fn rounds(usual: u64) -> u64 {
    if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual }
}

fn tests() -> [Test; SIGNALS] {
    Signal::ALL.map(|signal| Test::new(signal.hypothesis()))
}

fn bytes<T: BorshSerialize>(state: &T) -> Vec<u8> {
    save("state", state).unwrap()
}

/// The state that another process has then.
fn copy<T: BorshSerialize + BorshDeserialize>(state: &T) -> T {
    let bytes = self::bytes(state);
    let copy = load("state", &bytes).unwrap();
    assert!(self::bytes(&copy) == bytes);
    copy
}
