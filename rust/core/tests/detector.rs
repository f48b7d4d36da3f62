//! Judging accounts: memory, events and evidence of one, time, and many in bounded room.

#[path = "detector/accounts.rs"]
mod accounts;
#[path = "scan/bodies.rs"]
mod bodies;
#[path = "detector/evidence.rs"]
mod evidence;
#[path = "detector/naive.rs"]
mod naive;
#[path = "detector/streams.rs"]
mod streams;
#[path = "detector/time.rs"]
mod time;
#[path = "detector/twin.rs"]
mod twin;

use ratelimit_guard_core::detector::evidence::Test;
use ratelimit_guard_core::detector::signal::{SIGNALS, Signal};

/// How many rounds of a kind; `make soak` asks for a hundred times as many.
fn rounds(usual: u64) -> u64 {
    if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual }
}

fn tests() -> [Test; SIGNALS] {
    Signal::ALL.map(|signal| Test::new(signal.hypothesis()))
}
