//! What workers tell the detector and are told: ring, books, records, references, the ladder, and what comes of a
//! campaign that is replayed through all of them.
#![cfg(not(loom))]

#[path = "scan/bodies.rs"]
mod bodies;
#[path = "live/book.rs"]
mod book;
#[path = "live/cost.rs"]
mod cost;
#[path = "live/death.rs"]
mod death;
#[path = "live/desk.rs"]
mod desk;
#[path = "live/exchange.rs"]
mod exchange;
#[path = "live/fold.rs"]
mod fold;
#[path = "live/ladder.rs"]
mod ladder;
#[path = "live/look.rs"]
mod look;
#[path = "live/record.rs"]
mod record;
#[path = "live/reference.rs"]
mod reference;
#[path = "live/release.rs"]
mod release;
#[path = "live/ring.rs"]
mod ring;
#[path = "campaign/service.rs"]
mod service;

use proptest::prelude::ProptestConfig;
use ratelimit_guard_core::sync::AtomicU64;

/// A failing case is printed, and to be written down as a test of its own.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default().cases;
    let cases = if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Zeroed words.
fn words(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}
