//! The signals and their constants. `docs/detection.md` has the reasons, and the honest uses that come near.

use super::evidence::{Hypothesis, Test};
use borsh::{BorshDeserialize, BorshSerialize};

/// A trait of an account's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[repr(u8)]
pub enum Signal {
    /// Prompts whose both ends are text of different earlier ones.
    Recombination,
    /// New tasks in short frames of which there are many.
    TemplateRotation,
    /// New tasks and nothing else: no application around them, no follow-up, no repeat.
    CorpusWalk,
    /// Pieces of several earlier prompts together. Observes only: retrieval does it too.
    Mosaic,
    /// Never the same twice and never a follow-up. Observes only: agencies do it too.
    Novelty,
}

impl Signal {
    /// All of them, those that may restrict first.
    pub const ALL: [Self; SIGNALS] =
        [Self::Recombination, Self::TemplateRotation, Self::CorpusWalk, Self::Mosaic, Self::Novelty];

    /// The name in verdicts and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recombination => "recombination",
            Self::TemplateRotation => "template-rotation",
            Self::CorpusWalk => "corpus-walk",
            Self::Mosaic => "mosaic",
            Self::Novelty => "novelty",
        }
    }

    /// May an account be restricted because of it?
    pub fn convicts(self) -> bool {
        (self as usize) < CONVICTING
    }

    /// Counted from the first request on, and in epochs of their own: signals of whole streams.
    pub(super) fn is_of_stream(self) -> bool {
        matches!(self, Self::CorpusWalk | Self::Novelty)
    }

    /// What honest accounts may show, and what is compared with it.
    pub fn hypothesis(self) -> Hypothesis {
        let (honest, guilty, most_per_event) = match self {
            // Eight events at least. The most that an honest account of the development logs shows is 2 in 72.
            Self::Recombination => (0.02, [0.05, 0.1, 0.25, 0.6], 1.1),
            // Products with many features use a few of them most of the time.
            Self::TemplateRotation => (0.5, [0.65, 0.75, 0.85, 0.95], f64::INFINITY),
            // Bare streams of people repeat or follow up more often than once in twenty.
            Self::CorpusWalk | Self::Novelty => (0.95, [0.97, 0.985, 0.995, 0.999], f64::INFINITY),
            Self::Mosaic => (0.1, [0.2, 0.35, 0.55, 0.8], f64::INFINITY),
        };
        Hypothesis { honest, guilty, most_per_event }
    }

    pub(super) fn tests() -> [Test; SIGNALS] {
        Self::ALL.map(|signal| Test::new(signal.hypothesis()))
    }
}

/// How many signals there are.
pub const SIGNALS: usize = 5;
/// How many of them may restrict: α is shared among these.
pub const CONVICTING: usize = 3;
