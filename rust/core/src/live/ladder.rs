//! How far to go with an account or a campaign: one rung after the other, and slowly back.
//!
//! Whoever is restricted begins with a budget, after a delay that differs from one to the next, so that the request
//! which convicted cannot be told from those before it. Who goes on for a while meets the next rung that the operator
//! allows; who keeps quiet comes down one rung at a time, later than he went up.

use crate::hash::{ByHash, mix};
use borsh::{BorshDeserialize, BorshSerialize};

/// Subjects that are remembered; when there are more, the one seen least recently is forgotten.
pub const MAX_SUBJECTS: usize = 1 << 16;

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Rung {
    /// Nothing but watching.
    #[default]
    Observe,
    /// It pays from a budget.
    Throttle,
    /// Besides, it has to prove something.
    Challenge,
    /// Besides, it gets less: no probabilities, shorter answers, a smaller model.
    Degrade,
    /// It gets nothing.
    Block,
}

impl Rung {
    /// All of them, upwards.
    pub const ALL: [Self; 5] = [Self::Observe, Self::Throttle, Self::Challenge, Self::Degrade, Self::Block];

    /// The name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Throttle => "throttle",
            Self::Challenge => "challenge",
            Self::Degrade => "degrade",
            Self::Block => "block",
        }
    }

    /// The rung of a number; of one that is none the first.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }
}

/// What the operator allows, and how long it takes. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Rungs above throttling that may be used.
    pub allowed: [bool; 5],
    /// The longest delay before the first one.
    pub delay: f64,
    /// Going on for so long leads to the next one.
    pub patience: f64,
    /// Keeping quiet for so long leads one back.
    pub calm: f64,
}

impl Default for Steps {
    fn default() -> Self {
        Self { allowed: [true, true, false, false, false], delay: 30.0, patience: 3_600.0, calm: 86_400.0 }
    }
}

/// Where a subject stands.
#[derive(Clone, Copy, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Stand {
    /// What is done about it.
    pub rung: Rung,
    /// Since when.
    pub since: f64,
    /// When it was seen last.
    pub last: f64,
    acts: f64,
}

/// All subjects.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// What the operator allows.
    pub steps: Steps,
    stands: ByHash<Stand>,
    secret: u64,
}

impl Ladder {
    /// One on which nobody stands. `secret` chooses the delays.
    pub fn new(steps: Steps, secret: u64) -> Self {
        Self { steps, stands: ByHash::default(), secret }
    }

    /// A restricted subject did it again. What is done about it now.
    pub fn seen(&mut self, subject: u64, time: f64) -> Rung {
        if self.stands.len() >= MAX_SUBJECTS && !self.stands.contains_key(&subject) {
            self.forget_oldest();
        }
        let share = (mix(subject ^ self.secret) >> 11) as f64 / (1u64 << 53) as f64;
        let acts = time + share * self.steps.delay;
        let new = Stand { rung: Rung::Observe, since: time, last: time, acts };
        let stand = self.stands.entry(subject).or_insert(new);
        stand.last = stand.last.max(time);
        let is_due = match stand.rung {
            Rung::Observe => time >= stand.acts,
            _ => time - stand.since >= self.steps.patience,
        };
        let next = Rung::ALL.into_iter().find(|&rung| rung > stand.rung && self.steps.allows(rung));
        if let Some(next) = next.filter(|_| is_due) {
            (stand.rung, stand.since) = (next, time);
        }
        stand.rung
    }

    /// Lead those one rung down that kept quiet, but not off the ladder. Returns who stands elsewhere now.
    pub fn calm(&mut self, time: f64) -> Vec<(u64, Rung)> {
        let steps = self.steps;
        let mut changed = Vec::new();
        for (&subject, stand) in &mut self.stands {
            let lower = Rung::ALL.into_iter().rev().find(|&rung| rung < stand.rung && steps.allows(rung));
            let quiet_since = stand.last.max(stand.since);
            let Some(lower) = lower.filter(|&rung| rung > Rung::Observe && time - quiet_since >= steps.calm) else {
                continue;
            };
            (stand.rung, stand.since) = (lower, time);
            changed.push((subject, lower));
        }
        changed
    }

    /// Where somebody stands.
    pub fn stand(&self, subject: u64) -> Option<&Stand> {
        self.stands.get(&subject)
    }

    /// Everybody.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Stand)> {
        self.stands.iter().map(|(&subject, stand)| (subject, stand))
    }

    /// Go on with what was saved.
    pub fn resume(&mut self, stands: Vec<(u64, Stand)>) {
        self.stands = stands.into_iter().take(MAX_SUBJECTS).collect();
    }

    /// Off the ladder.
    pub fn remove(&mut self, subject: u64) {
        self.stands.remove(&subject);
    }

    /// A sixteenth of them at a time, so that a flood does not cost each newcomer a walk over all.
    fn forget_oldest(&mut self) {
        let mut ages: Vec<f64> = self.stands.values().map(|stand| stand.last).collect();
        let mut surplus = MAX_SUBJECTS / 16;
        let (_, &mut limit, _) = ages.select_nth_unstable_by(surplus, f64::total_cmp);
        self.stands.retain(|_, stand| {
            // Of those seen at the same moment only as many.
            let stays = stand.last > limit || surplus == 0;
            surplus -= usize::from(!stays);
            stays
        });
    }
}

impl Steps {
    fn allows(&self, rung: Rung) -> bool {
        rung <= Rung::Throttle || self.allowed[rung as usize]
    }
}
