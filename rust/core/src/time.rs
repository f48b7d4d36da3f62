//! `Nanos`, the one unit of time inside.

use std::ops::{Add, Sub};

/// Nanoseconds since the origin of the store's clock, or a span of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The span that never ends: "no waiting helps".
    pub const NEVER: Self = Self(u64::MAX);
    /// One second.
    pub const SECOND: Self = Self(1_000_000_000);
    /// The latest instant that a cell can hold (60 bits, 36 years after the clock's origin).
    pub const LAST: Self = Self((1 << 60) - 1);

    /// Seconds as a float; `inf` for [`Nanos::NEVER`].
    pub fn as_secs_f64(self) -> f64 {
        if self == Self::NEVER { f64::INFINITY } else { self.0 as f64 / 1e9 }
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Saturating: an instant that has passed is zero away.
impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// What tells the time: an argument of every decision, never read behind its back.
pub trait Clock {
    /// Time since the clock's origin. May stand still or step back; the table then keeps what it knows.
    fn now(&self) -> Nanos;
}

impl<F: Fn() -> Nanos> Clock for F {
    fn now(&self) -> Nanos {
        self()
    }
}
