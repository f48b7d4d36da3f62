//! `Quota`: how much may be used in which time. One that cannot be enforced cannot be built.

mod parse;

use crate::error::Error;
use crate::time::Nanos;
use std::fmt;

/// Largest limit and burst: what fits beside the epoch in a head, 68 thousand million units.
pub const MAX_LIMIT: u64 = (1 << 36) - 1;
/// Shortest window. Below it the clock's reading and the decision itself take a noticeable part of a sub-window.
pub const MIN_WINDOW: Nanos = Nanos(1_000_000);
/// Longest window: a leap year. Longer promises outlive the tables that keep them.
pub const MAX_WINDOW: Nanos = Nanos(366 * 86_400 * 1_000_000_000);
/// Longest time in which an empty token bucket may fill up.
pub const MAX_FILL: Nanos = Nanos(10 * MAX_WINDOW.0);
/// Most permits of one quota: a slot of the ring holds 14 bits and renewing takes a second one for an instant.
pub const MAX_PERMITS: u64 = (1 << 14) - 2;

/// How use is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Sub-windows: never more than the limit in any window, refuses at most 1/8 of a window early.
    Strict,
    /// The previous window's count fades linearly: less memory per decision, may admit more than the limit.
    SlidingWindow,
    /// The generic cell rate algorithm (ITU-T I.371): never more than burst + rate × time.
    TokenBucket,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the words of the field's own drafts
pub enum Unit {
    Requests,
    InputTokens,
    OutputTokens,
    Tokens,
    /// Slots in flight; the window is the lease of a permit.
    ConcurrentRequests,
    Cost,
}

impl Algorithm {
    const NAMES: [(&str, Self); 3] =
        [("strict", Self::Strict), ("sliding-window", Self::SlidingWindow), ("token-bucket", Self::TokenBucket)];

    /// The name in quota strings.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// Read a name.
    pub fn named(text: &str) -> Result<Self, Error> {
        lookup(&Self::NAMES, "algorithm", text)
    }
}

impl Unit {
    const NAMES: [(&str, Self); 6] = [
        ("requests", Self::Requests),
        ("input-tokens", Self::InputTokens),
        ("output-tokens", Self::OutputTokens),
        ("tokens", Self::Tokens),
        ("concurrent-requests", Self::ConcurrentRequests),
        ("cost", Self::Cost),
    ];

    /// The name in quota strings.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// Read a name.
    pub fn named(text: &str) -> Result<Self, Error> {
        lookup(&Self::NAMES, "unit", text)
    }
}

fn lookup<T: Copy>(names: &[(&str, T)], what: &str, text: &str) -> Result<T, Error> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        Error::config(format!("unknown {what} {text:?}: use one of {}", known.join(", ")))
    })
}

/// A checked limit. Build it with [`Quota::new`] or [`Quota::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u64,
    window: Nanos,
    burst: u64,
    algorithm: Algorithm,
    unit: Unit,
}

impl Quota {
    /// Check and build. Without an algorithm a burst makes it a token bucket and no burst a strict window; a token
    /// bucket without a burst holds the whole limit.
    pub fn new(
        limit: u64,
        window: Nanos,
        burst: Option<u64>,
        algorithm: Option<Algorithm>,
        unit: Unit,
    ) -> Result<Self, Error> {
        within("limit", limit, 1, MAX_LIMIT)?;
        if window < MIN_WINDOW || window > MAX_WINDOW {
            let seconds = window.as_secs_f64();
            return Err(Error::config(format!("window must be 1 ms to 366 days, got {seconds} s")));
        }
        let algorithm = algorithm.unwrap_or(if burst.is_some() { Algorithm::TokenBucket } else { Algorithm::Strict });
        if burst.is_some() && algorithm != Algorithm::TokenBucket {
            let name = algorithm.name();
            return Err(Error::config(format!("{name} has no burst: leave it out or use algorithm=token-bucket")));
        }
        let quota = Self { limit, window, burst: burst.unwrap_or(limit), algorithm, unit };
        quota.check_bucket()?;
        quota.check_permits()?;
        Ok(quota)
    }

    fn check_bucket(&self) -> Result<(), Error> {
        within("burst", self.burst, 1, MAX_LIMIT)?;
        let fill = u128::from(self.burst) * u128::from(self.window.0) / u128::from(self.limit);
        if self.algorithm == Algorithm::TokenBucket && fill > u128::from(MAX_FILL.0) {
            return Err(Error::config("an empty bucket would take over ten years to fill: lower burst or raise limit"));
        }
        Ok(())
    }

    fn check_permits(&self) -> Result<(), Error> {
        if self.unit != Unit::ConcurrentRequests {
            return Ok(());
        }
        if self.algorithm != Algorithm::Strict {
            return Err(Error::config("concurrent-requests are counted one by one: leave out algorithm and burst"));
        }
        within("limit of concurrent-requests", self.limit, 1, MAX_PERMITS)
    }

    /// Units per window.
    pub fn limit(&self) -> u64 {
        self.limit
    }
    /// Length of the window; of a permit's lease for [`Unit::ConcurrentRequests`].
    pub fn window(&self) -> Nanos {
        self.window
    }
    /// Size of the token bucket, none for windows.
    pub fn burst(&self) -> Option<u64> {
        (self.algorithm == Algorithm::TokenBucket).then_some(self.burst)
    }
    /// How use is counted.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// What is counted.
    pub fn unit(&self) -> Unit {
        self.unit
    }
    /// The most that can be used at once: the limit of a window, the burst of a bucket.
    pub fn capacity(&self) -> u64 {
        self.burst().unwrap_or(self.limit)
    }
}

fn within(what: &str, value: u64, low: u64, high: u64) -> Result<(), Error> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::config(format!("{what} must be {low} to {high}, got {value}")))
}

/// The canonical quota string: parsing it gives the same quota.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.limit)?;
        if self.unit == Unit::ConcurrentRequests {
            return write!(f, " concurrent-requests; lease={}", parse::Span(self.window));
        }
        if self.unit != Unit::Requests {
            write!(f, " {}", self.unit.name())?;
        }
        write!(f, "/{}", parse::Span(self.window))?;
        match (self.algorithm, self.burst) {
            (Algorithm::Strict, _) => Ok(()),
            (Algorithm::SlidingWindow, _) => write!(f, "; algorithm=sliding-window"),
            (Algorithm::TokenBucket, burst) => write!(f, "; burst={burst}"),
        }
    }
}
