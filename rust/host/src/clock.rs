//! The machine's monotonic clock, and one that moves only when told to.

use ratelimit_guard_core::time::{Clock, Nanos};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// CLOCK_MONOTONIC: the same for all processes of a boot, never set back. Cost of a reading: about 25 ns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Nanos {
        let now = clock_gettime(ClockId::Monotonic);
        Nanos(now.tv_sec as u64 * Nanos::SECOND.0 + now.tv_nsec as u64)
    }
}

/// A clock for tests and replays.
#[derive(Debug, Default)]
pub struct Manual(AtomicU64);

impl Manual {
    /// A clock that stands at `now`.
    pub fn new(now: Nanos) -> Self {
        Self(AtomicU64::new(now.0))
    }
    /// Let it stand at `now`.
    pub fn set(&self, now: Nanos) {
        self.0.store(now.0.min(Nanos::LAST.0), SeqCst);
    }
    /// Move it by nanoseconds, backwards too, within 0 and the last instant that a cell can hold.
    pub fn advance(&self, nanos: i64) {
        let moved = |now: u64| Some(now.saturating_add_signed(nanos).min(Nanos::LAST.0));
        let _ = self.0.fetch_update(SeqCst, SeqCst, moved);
    }
}

impl Clock for Manual {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(SeqCst))
    }
}
