//! How much evidence restricts.

use super::signal::{CONVICTING, Signal};
use crate::error::Error;
use borsh::{BorshDeserialize, BorshSerialize};

/// Without history the thresholds are this many times as high: nobody knows what honest accounts do there.
pub const WIDE: f64 = 2.0;

/// An account with this many times the nominal evidence is a suspect and calibrates nothing: else one extraction account
/// among the honest ones would switch a signal off.
pub const SUSPECT: f64 = 2.0;

/// Evidence in nats from which each convicting signal restricts an account.
#[derive(Clone, Copy, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Thresholds {
    /// In the order of [`Signal::ALL`].
    pub convict: [f64; CONVICTING],
    /// Of signals that only observe: what α alone asks for.
    pub observe: f64,
    /// Nobody knows yet what honest accounts do there.
    pub is_wide: bool,
}

impl Thresholds {
    /// For a false-positive rate of `alpha`, shared among the signals (Bonferroni), and at least the highest evidence
    /// that honest accounts of the history reached (conformal with the account as the exchangeable unit; Vovk et al.,
    /// "Algorithmic Learning in a Random World"). `None`: there is no history, so everything is [`WIDE`].
    pub fn new(alpha: f64, guard: Option<[f64; CONVICTING]>) -> Result<Self, Error> {
        if !(alpha > 0.0 && alpha < 1.0 && nominal(alpha).is_finite()) {
            return Err(Error::config(format!("alpha must be a rate between 0 and 1, got {alpha}")));
        }
        let observe = nominal(alpha);
        let wide = Self { convict: [WIDE * observe; CONVICTING], observe, is_wide: true };
        Ok(guard.map_or(wide, |guard| wide.guarded(guard)))
    }

    /// For the highest evidence that each of some accounts reached, suspects left out.
    pub fn learned(&self, accounts: impl Iterator<Item = [f32; CONVICTING]>) -> Self {
        let mut guard = [f64::NEG_INFINITY; CONVICTING];
        for evidence in accounts {
            for (highest, evidence) in guard.iter_mut().zip(evidence.map(f64::from)) {
                *highest = if evidence <= SUSPECT * self.observe { highest.max(evidence) } else { *highest };
            }
        }
        self.guarded(guard)
    }

    fn guarded(&self, guard: [f64; CONVICTING]) -> Self {
        let convict = guard.map(|highest| if highest.is_finite() { self.observe.max(highest) } else { self.observe });
        Self { convict, observe: self.observe, is_wide: false }
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
