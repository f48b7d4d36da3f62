//! The machine's monotonic clock, and one that moves only when told to.

use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::quota::{MAX_FILL, MAX_WINDOW};
use ratelimit_guard_core::time::{Clock, Nanos};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The latest instant of a [`Manual`] clock, about 24 years after its origin: twelve years before the last instant that
/// a cell can hold, because a charge is remembered for up to 9/8 of the longest time to fill, and a cell must hold that
/// too.
pub const MANUAL_LAST: Nanos = Nanos(Nanos::LAST.0 - 12 * MAX_WINDOW.0);
const _: () = assert!(MAX_FILL.0 / 8 * 9 < 12 * MAX_WINDOW.0);

/// CLOCK_MONOTONIC: the same for all processes of a boot, never set back. Cost of a reading: about 25 ns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Nanos {
        let now = clock_gettime(ClockId::Monotonic);
        Nanos(now.tv_sec as u64 * Nanos::SECOND.0 + now.tv_nsec as u64)
    }
}

/// A clock for tests and replays. `UsageError` for what it cannot show: anything but 0 to [`MANUAL_LAST`].
#[derive(Debug, Default)]
pub struct Manual(AtomicU64);

impl Manual {
    /// A clock that stands at `seconds` after its origin.
    pub fn new(seconds: f64) -> Result<Self, Error> {
        Ok(Self(AtomicU64::new(instant(seconds)?.0)))
    }
    /// Let it stand at `seconds` after its origin.
    pub fn set(&self, seconds: f64) -> Result<(), Error> {
        self.0.store(instant(seconds)?.0, SeqCst);
        Ok(())
    }
    /// Move it, backwards too, where it stops at zero. After an error it stands where it stood.
    pub fn advance(&self, seconds: f64) -> Result<(), Error> {
        if !seconds.is_finite() {
            return Err(cannot_show(seconds));
        }
        let nanos = (seconds * 1e9).round() as i64;
        let moved = |now: u64| Some(now.saturating_add_signed(nanos)).filter(|now| *now <= MANUAL_LAST.0);
        let stood = self.0.fetch_update(SeqCst, SeqCst, moved);
        stood.map(|_| ()).map_err(|now| cannot_show(Nanos(now).as_secs_f64() + seconds))
    }
}

impl Clock for Manual {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(SeqCst))
    }
}

fn instant(seconds: f64) -> Result<Nanos, Error> {
    let nanos = Nanos((seconds * 1e9).round() as u64);
    if seconds >= 0.0 && nanos <= MANUAL_LAST { Ok(nanos) } else { Err(cannot_show(seconds)) }
}

fn cannot_show(seconds: f64) -> Error {
    let last = MANUAL_LAST.0 / Nanos::SECOND.0;
    Error::usage(format!(
        "clock cannot show {seconds} s: give seconds since the start of the recording, 0 to {last}, not Unix time"
    ))
}
