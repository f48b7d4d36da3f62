//! How many tokens a model really counts where we counted one, learned from the usage that upstreams report.

use crate::hash::mix;
use std::collections::HashMap;

/// Gains of RFC 6298: a new answer moves the mean by an eighth of what it is off, and the deviation by a quarter.
const GAIN: f64 = 1.0 / 8.0;
const DEVIATION_GAIN: f64 = 1.0 / 4.0;
/// Deviations above the mean that are reserved: nearly all prompts need less, and get the rest back.
const SPREAD: f64 = 2.0;
/// What is believed. A tokenizer that makes less of a text is none, and an upstream that says so is broken; thinking
/// that is paid for and not shown makes an answer's tokens many more than its text.
const BELIEVED: (f64, f64) = (0.25, 8.0);
/// What text that passes may cost at most, times its estimate: some tokenizers differ by so much. What a model thinks
/// unseen is no reason to cut the answers that have no such part.
const SEEN: f64 = 2.0;
/// Tokens of an estimate that something is learned from: of a few words the rounding is too large a part.
const FEWEST: u64 = 16;
/// Models remembered. Their names come with requests, but only those count that an upstream answered for.
pub const MAX_MODELS: usize = 256;

/// A running mean and its deviation.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    mean: f64,
    deviation: f64,
}

/// Estimates are good to a fifth before anything is known.
impl Default for Ratio {
    fn default() -> Self {
        Self { mean: 1.0, deviation: 0.1 }
    }
}

impl Ratio {
    /// What so many counted tokens mostly are.
    pub fn usual(&self, counted: u64) -> u64 {
        (counted as f64 * self.mean) as u64
    }

    /// What so many tokens mostly are that were seen to pass, without any that were not.
    pub fn seen(&self, counted: u64) -> u64 {
        (counted as f64 * self.mean.min(SEEN)) as u64
    }

    /// What nearly always suffices.
    pub fn safe(&self, counted: u64) -> u64 {
        (counted as f64 * (self.mean + SPREAD * self.deviation).min(BELIEVED.1)).ceil() as u64
    }

    fn learn(&mut self, counted: u64, used: u64) {
        if counted < FEWEST {
            return;
        }
        let off = (used as f64 / counted as f64).clamp(BELIEVED.0, BELIEVED.1) - self.mean;
        self.deviation += DEVIATION_GAIN * (off.abs() - self.deviation);
        self.mean += GAIN * off;
    }
}

/// What is known about one model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model {
    /// Of prompts.
    pub input: Ratio,
    /// Of answers.
    pub output: Ratio,
    /// When it was learned from last, in calls.
    at: u64,
}

/// What is known about all models, the latest used ones.
#[derive(Debug, Default)]
pub struct Ratios {
    models: HashMap<u64, Model>,
    calls: u64,
}

impl Ratios {
    /// The number of a model's name: of two with the same number one would learn from the other, and nothing worse.
    pub fn number(name: &[u8]) -> u64 {
        name.iter().fold(name.len() as u64, |hash, byte| mix(hash ^ u64::from(*byte)))
    }

    /// What is known about a model. Cost: 30 ns.
    pub fn of(&self, model: u64) -> Model {
        self.models.get(&model).copied().unwrap_or_default()
    }

    /// Learn from an answer: what was counted and what was used, of prompt and answer, where the upstream has said.
    pub fn learn(&mut self, model: u64, input: Option<(u64, u64)>, output: Option<(u64, u64)>) {
        self.calls += 1;
        if self.models.len() >= MAX_MODELS && !self.models.contains_key(&model) {
            let oldest = self.models.iter().min_by_key(|(_, known)| known.at).map(|(model, _)| *model);
            oldest.map(|oldest| self.models.remove(&oldest));
        }
        let known = self.models.entry(model).or_default();
        known.at = self.calls;
        if let Some((counted, used)) = input {
            known.input.learn(counted, used);
        }
        if let Some((counted, used)) = output {
            known.output.learn(counted, used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_learned_and_others_are_not_touched() {
        let mut ratios = Ratios::default();
        for _ in 0..60 {
            ratios.learn(1, Some((100, 300)), Some((100, 50)));
        }
        let known = ratios.of(1);
        assert!((298..=300).contains(&known.input.usual(100)) && (50..=51).contains(&known.output.usual(100)));
        assert!((300..=305).contains(&known.input.safe(100)));
        assert_eq!((ratios.of(2).input.usual(100), ratios.of(2).input.safe(100)), (100, 120));
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let mut ratios = Ratios::default();
        for _ in 0..200 {
            ratios.learn(1, Some((100, 1 << 40)), Some((100, 0)));
            ratios.learn(2, Some((3, 300)), None);
        }
        let known = ratios.of(1);
        assert!((799..=800).contains(&known.input.usual(100)) && (25..=26).contains(&known.output.usual(100)));
        assert_eq!((known.input.seen(100), known.output.seen(100)), (200, known.output.usual(100)));
        assert_eq!(ratios.of(2).input.usual(100), 100);
    }

    #[test]
    fn models_that_answer_no_more_make_room() {
        let mut ratios = Ratios::default();
        for model in 0..2 * MAX_MODELS as u64 {
            ratios.learn(model, Some((100, 200)), None);
            ratios.learn(7, Some((100, 200)), None);
        }
        assert_eq!(ratios.models.len(), MAX_MODELS);
        assert!(ratios.models.contains_key(&7));
    }
}
