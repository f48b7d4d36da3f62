//! What a request says about its account and its campaign: the same for a line of a log and for live traffic.

use super::groups::{Groups, Hit};
use super::ledger::{Entry, Ledger};
use crate::campaign::{Correlator, Found, Request};
use crate::detector::profile::Observation;
use crate::detector::{Assessment, Detector, Level};
use crate::hash::ByHash;
use crate::prompt::facts::Facts;

/// An answered request whose prompt could be read.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Who, when and which.
    pub entry: Entry<'a>,
    /// Secret hash of the account.
    pub account: u64,
    /// Secret hash of the tenant.
    pub tenant: u64,
    /// Secret hash of the caller's network; 0 when that is not known.
    pub network: u64,
    /// Its prompt.
    pub facts: &'a Facts,
    /// Tokens of its answer, where known.
    pub answer_tokens: Option<u32>,
    /// Hash of the answer and its words; 0 when that is not known.
    pub answer: (u64, u32),
    /// The operator knows that this account tests the model.
    pub is_declared: bool,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// Of its account.
    pub assessment: Assessment,
    /// Of its campaign.
    pub found: Found,
}

/// Judges accounts and campaigns, and keeps what came of them.
#[derive(Debug)]
pub struct Judge {
    /// Judges the accounts.
    pub detector: Detector,
    /// Correlates them.
    pub correlator: Correlator,
    /// What came of accounts.
    pub ledger: Ledger,
    /// What came of campaigns.
    pub groups: Groups,
    /// Accounts that test the model, as the operator knows.
    pub declared: ByHash<()>,
    /// Accounts about which the operator has to decide first.
    pub suspects: ByHash<()>,
    /// Who pays for an account.
    pub payers: ByHash<u64>,
}

impl Judge {
    /// One with nothing seen.
    pub fn new(detector: Detector, correlator: Correlator) -> Self {
        Self {
            detector,
            correlator,
            ledger: Ledger::default(),
            groups: Groups::default(),
            declared: ByHash::default(),
            suspects: ByHash::default(),
            payers: ByHash::default(),
        }
    }

    /// Add a request. Cost: about 3 µs for 1 KB, most of it cache misses.
    pub fn add(&mut self, case: &Case<'_>) -> Judged {
        let Case { entry, account, facts, .. } = *case;
        let is_declared = case.is_declared || self.declared.contains_key(&account);
        let time = entry.time as u64;
        let seen = Observation { facts, answer_tokens: case.answer_tokens, time, is_declared };
        let assessment = self.detector.observe(account, &seen);
        let payer = self.payers.get(&account).copied();
        let tenant = payer.unwrap_or(case.tenant);
        let request = Request { account, tenant, requests: assessment.requests, facts, answer: case.answer, time };
        let found = self.correlator.observe(&request);
        let mut judged = Judged { assessment, found };
        if is_declared || self.suspects.contains_key(&account) {
            judged.observe_only();
        }
        if judged.found.campaign != 0 {
            let who = [case.tenant, payer.unwrap_or_default(), case.network];
            let Entry { account, id, time, .. } = entry;
            let hit = Hit { time, id, account, capability: facts.capability, who };
            self.groups.add(&judged.found, &hit, &self.correlator.campaigns);
        }
        self.ledger.add(account, &entry, Some(&judged));
        judged
    }
}

impl Judged {
    /// Nothing is done about it.
    fn observe_only(&mut self) {
        self.assessment.level = self.assessment.level.min(Level::Observe);
        (self.found.pays, self.found.is_whole) = (false, false);
    }
}
