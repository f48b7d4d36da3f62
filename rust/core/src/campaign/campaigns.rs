//! Campaigns: what accounts that draw on one stock have in common, and the evidence of all of them together.

use super::rotator::step;
use super::{HORIZON, MEMBERS};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::HashMap;

/// Campaigns at a time, convicted or not.
pub const MAX_CAMPAIGNS: usize = 4_096;
/// Numbers of campaigns that have become part of another; of more than these nobody knows any longer where they went.
pub const MAX_PARTS: usize = 1 << 16;
/// Nats that convict: by chance honest groups get there less than once in ten thousand tries.
pub const CONVICTS: f64 = 9.2;
/// Pieces of a stock. A new tool with a dozen built-in prompts has fewer, and its users try them all at first.
pub const STOCK: u64 = 12;
/// Nats that one account can add, so that a campaign takes several, or take, so that none can shield the others.
pub const MOST_OF_ONE: f64 = 2.0;

/// What shows a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Kind {
    /// Accounts that draw on one stock of pieces.
    #[default]
    Rotation,
    /// Accounts that continue each other's conversations.
    Provenance,
}

impl Kind {
    /// The name in verdicts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Provenance => "provenance",
        }
    }
}

/// A campaign.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Campaign {
    /// What shows it.
    pub kind: Kind,
    /// How many were convicted before it, and one; 0 as long as it is not. It keeps this name when others become part
    /// of it.
    pub name: u32,
    /// Nats, never below 0.
    pub evidence: f64,
    /// The highest so far.
    pub highest: f64,
    /// Keys that belong to it, or links.
    pub pieces: u64,
    /// When it was convicted.
    pub convicted: Option<u64>,
    last: u64,
    /// Its first members, as tenants.
    members: Vec<u32>,
}

/// All campaigns by number, from 1.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
#[borsh(init = count)]
pub struct Campaigns {
    live: HashMap<u32, Campaign>,
    /// Convicted ones that have faded: of no effect, but to be told of.
    past: HashMap<u32, Campaign>,
    /// Those that have become part of another.
    parts: HashMap<u32, u32>,
    opened: u32,
    named: u32,
    /// When there was no room.
    full_at: Option<u64>,
    /// How many live ones are convicted.
    #[borsh(skip)]
    pub convicted: usize,
}

impl Campaign {
    /// Somebody showed it. Members are counted as long as it matters how many there are.
    /// Was it a new one?
    pub fn join(&mut self, tenant: u32) -> bool {
        let is_new = self.members.len() < MEMBERS && !self.members.contains(&tenant);
        if is_new {
            self.members.push(tenant);
        }
        is_new
    }

    /// Count a match of an account that has added `given` nats so far, or taken them. Returns what it has added now.
    pub fn add(&mut self, is_event: bool, given: f64) -> f64 {
        let most = (given + step(is_event)).clamp(-MOST_OF_ONE, MOST_OF_ONE);
        // What is not there cannot be taken, and is not owed back.
        let added = (most - given).max(-self.evidence);
        self.gain(added);
        given + added
    }

    /// Add nats.
    pub fn gain(&mut self, nats: f64) {
        self.evidence += nats;
        self.highest = self.highest.max(self.evidence);
    }

    fn is_enough(&self) -> bool {
        let is_stock = self.kind == Kind::Provenance || self.pieces >= STOCK;
        is_stock && self.members.len() >= MEMBERS && self.evidence >= CONVICTS
    }

    fn take(&mut self, other: Self) {
        self.evidence += other.evidence;
        self.highest = self.highest.max(other.highest).max(self.evidence);
        self.pieces += other.pieces;
        self.last = self.last.max(other.last);
        self.name = [self.name, other.name].into_iter().filter(|&name| name != 0).min().unwrap_or(0);
        self.convicted = self.convicted.into_iter().chain(other.convicted).min();
        other.members.into_iter().for_each(|tenant| _ = self.join(tenant));
    }
}

impl Campaigns {
    /// A new one; 0 when there are too many that are alive.
    pub fn open(&mut self, kind: Kind, now: u64) -> u32 {
        // Room is looked for at most once an hour: that costs a millisecond.
        if self.live.len() >= MAX_CAMPAIGNS && self.full_at.is_none_or(|at| now.abs_diff(at) >= 3600) {
            self.full_at = Some(now);
            self.fade(now);
            self.halve();
        }
        if self.live.len() >= MAX_CAMPAIGNS || self.opened == u32::MAX >> 1 {
            return 0;
        }
        self.opened += 1;
        self.live.insert(self.opened, Campaign { kind, last: now, ..Campaign::default() });
        self.opened
    }

    /// The campaign that this one is now part of; 0 when it is forgotten.
    pub fn root(&self, number: u32) -> u32 {
        let whole = self.whole(number);
        if self.live.contains_key(&whole) { whole } else { 0 }
    }

    /// The number of what this one is part of, alive or not.
    pub fn whole(&self, number: u32) -> u32 {
        self.parts.get(&number).copied().unwrap_or(number)
    }

    /// The convicted campaign of this number, alive or faded.
    pub fn record(&self, number: u32) -> Option<&Campaign> {
        self.live.get(&number).or(self.past.get(&number)).filter(|campaign| campaign.convicted.is_some())
    }

    /// All of them.
    pub fn records(&self) -> impl Iterator<Item = &Campaign> {
        self.live.values().chain(self.past.values()).filter(|campaign| campaign.convicted.is_some())
    }

    /// The name of the convicted campaign that this one is part of; 0 when it is none.
    pub fn name(&self, number: u32) -> u32 {
        self.record(self.whole(number)).map_or(0, |campaign| campaign.name)
    }

    /// A live one.
    pub fn get(&self, number: u32) -> Option<&Campaign> {
        self.live.get(&number)
    }

    /// A live one, to be changed.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Campaign> {
        self.live.get_mut(&number)
    }

    /// Live ones with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Campaign)> {
        self.live.iter().map(|(&number, campaign)| (number, campaign))
    }

    /// Is it convicted?
    pub fn is_convicted(&self, number: u32) -> bool {
        self.get(number).is_some_and(|campaign| campaign.convicted.is_some())
    }

    /// A member showed it now: convict it if that is enough.
    pub fn touch(&mut self, number: u32, now: u64) {
        let name = self.named + 1;
        let Some(campaign) = self.get_mut(number) else { return };
        campaign.last = campaign.last.max(now);
        if campaign.convicted.is_none() && campaign.is_enough() {
            (campaign.convicted, campaign.name) = (Some(now), name);
            self.convicted += 1;
            self.named = name;
        }
    }

    /// Two live ones are one. Returns its number: the one that is convicted, else the older one, keeps his.
    pub fn merge(&mut self, one: u32, other: u32) -> u32 {
        let (first, second) = (one.min(other), one.max(other));
        let is_second = self.is_convicted(second) && !self.is_convicted(first);
        let (whole, part) = if is_second { (second, first) } else { (first, second) };
        if part == whole || !self.live.contains_key(&whole) {
            return whole;
        }
        let Some(campaign) = self.live.remove(&part) else { return whole };
        self.convicted -= usize::from(campaign.convicted.is_some());
        if let Some(kept) = self.live.get_mut(&whole) {
            self.convicted += usize::from(kept.convicted.is_none() && campaign.convicted.is_some());
            kept.take(campaign);
        }
        // Parts of the part point to the whole themselves, so that nobody has to walk.
        self.parts.values_mut().filter(|to| **to == part).for_each(|to| *to = whole);
        if self.parts.len() < MAX_PARTS {
            self.parts.insert(part, whole);
        }
        whole
    }

    /// Campaigns fade: forget those that no member served for longer than anything is remembered, convicted or not.
    pub fn fade(&mut self, now: u64) {
        self.retain(|campaign| campaign.last.saturating_add(HORIZON) >= now);
    }

    /// Make room: forget the older half of those that are not convicted.
    fn halve(&mut self) {
        let waiting = self.live.values().filter(|campaign| campaign.convicted.is_none());
        let mut ages: Vec<u64> = waiting.map(|campaign| campaign.last).collect();
        ages.sort_unstable();
        if let Some(&median) = ages.get(ages.len() / 2).filter(|_| self.live.len() >= MAX_CAMPAIGNS) {
            self.retain(|campaign| campaign.convicted.is_some() || campaign.last > median);
        }
    }

    /// What is part of a forgotten one is forgotten too.
    fn retain(&mut self, stays: impl Fn(&Campaign) -> bool) {
        let gone: Vec<u32> = self.iter().filter(|(_, campaign)| !stays(campaign)).map(|(number, _)| number).collect();
        for number in gone {
            let campaign = self.live.remove(&number).filter(|campaign| campaign.convicted.is_some());
            if let Some(campaign) = campaign.filter(|_| self.past.len() < MAX_CAMPAIGNS) {
                self.past.insert(number, campaign);
            }
        }
        self.parts.retain(|_, whole| self.live.contains_key(whole) || self.past.contains_key(whole));
        self.count();
    }

    fn count(&mut self) {
        self.convicted = self.live.values().filter(|campaign| campaign.convicted.is_some()).count();
    }
}
