//! Running evidence that an account shows an event more often than honest ones may: e-processes.
//!
//! For k events in n requests, an innocent rate of at most t₀ and a few guilty ones tⱼ, the mean over j of
//! (tⱼ/t₀)ᵏ((1−tⱼ)/(1−t₀))ⁿ⁻ᵏ is a test supermartingale: an account whose every next event has at most the probability
//! t₀, given its past, ever reaches 1/α with a probability of at most α, however long it is watched (Ville, 1939;
//! Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", 2023). No independence is needed.
//! Evidence is kept as its logarithm, in nats.
//!
//! Counting starts anew each epoch, so that a long honest past does not shield what comes after. Epoch j pays
//! ln(π²/6) + 2 ln j: all epochs together stay below α.

use std::f64::consts::PI;

/// Guilty rates that are tried at once.
const ALTERNATIVES: usize = 4;

/// What a signal's test assumes.
#[derive(Clone, Copy, Debug)]
pub struct Hypothesis {
    /// Rate of events that an honest account may have.
    pub honest: f64,
    /// Rates to compare with.
    pub guilty: [f64; ALTERNATIVES],
    /// Evidence is at most this for each event of the epoch. Events come in bursts, so a few of them must not be enough.
    pub most_per_event: f64,
}

/// A signal's test: logarithms, made once.
#[derive(Clone, Debug)]
pub struct Test {
    hypothesis: Hypothesis,
    /// Of each alternative what an event adds, and what none adds.
    steps: [(f64, f64); ALTERNATIVES],
}

impl Test {
    /// Cost: eight logarithms.
    pub fn new(hypothesis: Hypothesis) -> Self {
        let null = hypothesis.honest;
        let step = |rate: f64| ((rate / null).ln(), ((1.0 - rate) / (1.0 - null)).ln());
        Self { hypothesis, steps: hypothesis.guilty.map(step) }
    }

    /// Evidence of `events` among `requests` of epoch `epoch` (from 1). Cost: four exponentials.
    pub fn evidence(&self, events: u32, requests: u32, epoch: u32) -> f64 {
        let (events, others) = (f64::from(events), f64::from(requests - events));
        let each = self.steps.map(|(event, none)| events * event + others * none);
        let largest = each.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let mean = each.iter().map(|one| (one - largest).exp()).sum::<f64>() / ALTERNATIVES as f64;
        (largest + mean.ln()).min(self.hypothesis.most_per_event * events) - price(epoch)
    }
}

/// What the epochs before cost.
fn price(epoch: u32) -> f64 {
    (PI * PI / 6.0).ln() + 2.0 * f64::from(epoch).ln()
}
