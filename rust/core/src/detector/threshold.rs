//! How much evidence restricts.

use super::signal::{CONVICTING, Signal};
use crate::error::Error;

/// Without history the thresholds are this many times as high: nobody knows what honest accounts do there.
pub const WIDE: f64 = 2.0;

/// Evidence in nats from which each convicting signal restricts an account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// In the order of [`Signal::ALL`].
    pub convict: [f64; CONVICTING],
    /// Of signals that only observe.
    pub observe: f64,
}

impl Thresholds {
    /// For a false-positive rate of `alpha`, shared among the signals (Bonferroni), and at least the highest evidence
    /// that honest accounts of the history reached (conformal with the account as the exchangeable unit; Vovk et al.,
    /// "Algorithmic Learning in a Random World"). `None`: there is no history, so everything is [`WIDE`].
    pub fn new(alpha: f64, guard: Option<[f64; CONVICTING]>) -> Result<Self, Error> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Error::config(format!("alpha must be a rate between 0 and 1, got {alpha}")));
        }
        let least = nominal(alpha);
        let convict = match guard {
            None => [WIDE * least; CONVICTING],
            Some(guard) => guard.map(|highest| if highest.is_finite() { least.max(highest) } else { least }),
        };
        Ok(Self { convict, observe: least })
    }

    /// Of a signal.
    pub fn of(&self, signal: Signal) -> f64 {
        self.convict.get(signal as usize).copied().unwrap_or(self.observe)
    }
}

/// Evidence that `alpha` alone asks of each signal.
pub fn nominal(alpha: f64) -> f64 {
    (CONVICTING as f64 / alpha).ln()
}
