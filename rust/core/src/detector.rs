//! Tells a heavy customer from an account that extracts the model: request by request, without clock and without I/O.
//!
//! **The way of an observation.** [`accounts`] finds the account's [`profile`], which looks the prompt's segments up
//! ([`rows`] in its [`recall`]), says which [`events`] it shows and counts them; [`evidence`] weighs the counts of
//! each [`signal`], and [`threshold`] says when that is enough.
//!
//! Volume, speed, time of day, parameters and tier are not looked at.

pub mod accounts;
pub mod events;
pub mod evidence;
pub mod profile;
pub mod recall;
pub mod recent;
pub mod rows;
pub mod signal;
pub mod threshold;

use crate::saved::unsaved;
use accounts::{Accounts, ESTABLISHED, Slot};
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};
use evidence::Test;
use profile::{Events, Evidence, Observation, Profile};
use signal::{CONVICTING, SIGNALS, Signal};
use threshold::Thresholds;

/// Seconds after which an account that was not seen starts anew, convicted or not: 30 days.
pub const MEMORY: u32 = 30 * 24 * 60 * 60;
/// Seconds of traffic from which a detector without history learns what honest accounts do there.
pub const LEARNING: u64 = 24 * 60 * 60;
/// Established accounts that it takes.
pub const LEARNING_ACCOUNTS: usize = 200;
/// Evidence of a mosaic alone never scores as high as what restricts.
const MOSAIC_SCORE: f64 = 0.99;

/// What may be done about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Watch it; shown to the operator.
    Observe,
    /// Restrict it.
    Throttle,
}

impl Level {
    /// The name in verdicts and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Observe => "observe",
            Self::Throttle => "throttle",
        }
    }
}

/// How an account stands after a request.
#[derive(Clone, Copy, Debug)]
pub struct Assessment {
    /// What may be done.
    pub level: Level,
    /// The highest evidence ever over its threshold: more than 1 convicts.
    pub score: f64,
    /// What this request showed.
    pub events: Events,
    /// Evidence after it.
    pub evidence: Evidence,
    /// Requests of the account so far.
    pub requests: u32,
}

/// Judges accounts.
#[derive(Debug, BorshSerialize, BorshDeserialize)]
pub struct Detector {
    /// Profiles of the accounts.
    pub accounts: Accounts,
    thresholds: Thresholds,
    #[borsh(serialize_with = "unsaved", deserialize_with = "made_again")]
    tests: [Test; SIGNALS],
    /// When to learn next; `None` with a history.
    learn_at: Option<u64>,
    /// Requests since it last learned.
    unlearned: usize,
}

impl Detector {
    /// One for at most `capacity` accounts at a time.
    pub fn new(thresholds: Thresholds, capacity: usize) -> Self {
        let learn_at = thresholds.is_wide.then_some(0);
        Self { accounts: Accounts::new(capacity), thresholds, tests: Signal::tests(), learn_at, unlearned: 0 }
    }

    /// What is enough.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Add an answered request of the account whose secret hash is `account`. Cost: 0.6 µs.
    pub fn observe(&mut self, account: u64, seen: &Observation<'_>) -> Assessment {
        self.learn(seen.time);
        let Slot { profile, highest, .. } = self.accounts.get_or_insert(account);
        profile.grow_old(seen.time);
        let (events, evidence) = profile.add(seen, &self.tests);
        for (highest, evidence) in highest.iter_mut().zip(evidence) {
            *highest = highest.max(rounded_up(evidence));
        }
        let score = score(&evidence, &self.thresholds).max(f64::from(profile.score));
        profile.score = rounded_down(score);
        profile.is_convicted |= is_convicted(&evidence, &self.thresholds);
        let level = match profile.is_convicted {
            true if seen.is_declared => Level::Observe,
            true => Level::Throttle,
            false if is_observed(&evidence, &self.thresholds) => Level::Observe,
            false => Level::None,
        };
        Assessment { level, score, events, evidence, requests: profile.requests() }
    }

    /// Without history: take each day what the accounts showed so far for one, once there are enough of them.
    fn learn(&mut self, now: u64) {
        let Some(at) = self.learn_at else { return };
        self.unlearned += 1;
        // However clocks jump, a walk over the accounts costs each request one of them at most.
        if now < at && at - now <= LEARNING || self.unlearned < self.accounts.len() {
            return;
        }
        self.learn_at = Some(now.saturating_add(LEARNING));
        self.unlearned = 0;
        // At the first request there is nothing to learn from, nor when a clock went back.
        let is_established = |slot: &&Slot| slot.profile.requests() >= ESTABLISHED && !slot.profile.is_convicted;
        let established = || self.accounts.slots().filter(is_established);
        if now >= at && established().count() >= LEARNING_ACCOUNTS {
            self.thresholds = self.thresholds.learned(established().map(|slot| slot.highest));
        }
    }
}

fn made_again<R: Read>(_: &mut R) -> io::Result<[Test; SIGNALS]> {
    Ok(Signal::tests())
}

impl Profile {
    /// Time may run backwards in logs. A time far ahead forgets the account, as it must; one far behind is no reason.
    fn grow_old(&mut self, time: u64) {
        let now = u32::try_from(time).unwrap_or(u32::MAX);
        if now > self.last.saturating_add(MEMORY) {
            *self = Self::default();
        }
        self.last = self.last.max(now);
    }
}

fn is_convicted(evidence: &Evidence, thresholds: &Thresholds) -> bool {
    (0..CONVICTING).any(|signal| evidence[signal] > thresholds.convict[signal])
}

/// Only what convicts scores more than 1, also when it is remembered.
pub fn rounded_down(score: f64) -> f32 {
    let nearest = score as f32;
    if f64::from(nearest) > score { nearest.next_down() } else { nearest }
}

/// Nobody is convicted by the evidence that he himself set a threshold with.
pub fn rounded_up(evidence: f64) -> f32 {
    let nearest = evidence as f32;
    if f64::from(nearest) < evidence { nearest.next_up() } else { nearest }
}

fn is_observed(evidence: &Evidence, thresholds: &Thresholds) -> bool {
    evidence[CONVICTING..].iter().any(|&evidence| evidence > thresholds.observe)
}

fn score(evidence: &Evidence, thresholds: &Thresholds) -> f64 {
    let mosaic = evidence[Signal::Mosaic as usize].max(0.0);
    let observed = MOSAIC_SCORE * mosaic / (mosaic + thresholds.observe);
    (0..CONVICTING).map(|signal| evidence[signal] / thresholds.convict[signal]).fold(observed, f64::max)
}
