//! What others may know of convicted campaigns: whose a key is, how an account stands, and how a campaign is acquitted.

use super::cells::{Cell, KNOWN};
use super::rotator::{ROTATES, Rotator};
use super::{Correlator, EARLY, PAYS_OWN, WHOLE};

/// How an account stands to a convicted campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Membership {
    /// Number of the campaign; 0 for none.
    pub campaign: u32,
    /// A single piece of it restricts a request of this account.
    pub is_member: bool,
    /// Matches are more than what happens to everybody.
    pub is_usual: bool,
    /// Its own evidence, over what restricts it as a whole.
    pub score: f64,
}

impl Correlator {
    /// The convicted campaign whose a key is. Cost: a cache line for each of its first tenants.
    pub fn owner(&self, cell: &Cell) -> Option<u32> {
        if cell.is_known() || cell.count() < EARLY {
            return None;
        }
        self.standings.homes(cell).filter(|&home| home != 0).find_map(|home| {
            let campaign = self.campaigns.root(home);
            // Mostly all are of one number: a comparison spares a look for its root.
            let is_its = |other| other == home || self.campaigns.root(other) == campaign;
            let is_owner = self.campaigns.is_convicted(campaign) && self.standings.is_pure(cell, is_its);
            is_owner.then_some(campaign)
        })
    }

    /// What is remembered of a key.
    pub fn cell(&self, key: u64) -> Option<&Cell> {
        self.cells.get(key, self.standings.hour)
    }

    /// The key at a place of as many as there is room for, with what is remembered of it.
    pub fn cell_at(&self, place: usize) -> Option<(u64, &Cell)> {
        let (key, _) = self.cells.at(place)?;
        self.cell(key).map(|cell| (key, cell))
    }

    /// Keys that there is room for.
    pub fn capacity(&self) -> usize {
        self.cells.capacity()
    }

    /// How an account of so many requests stands.
    pub fn membership(&self, account: u64, requests: u32) -> Membership {
        let Some(rotator) = self.accounts.get(account) else { return Membership::default() };
        let is_usual = rotator.is_share_of(requests);
        let campaign = self.campaigns.root(rotator.campaign);
        if !self.campaigns.is_convicted(campaign) {
            return Membership { is_usual, ..Membership::default() };
        }
        let standing = rotator.standing(true);
        Membership {
            campaign: if standing >= ROTATES { campaign } else { 0 },
            is_member: standing >= PAYS_OWN,
            is_usual,
            score: standing / WHOLE,
        }
    }

    /// The operator says that a campaign is none: what belongs to it says nothing about anybody from now on. Cost:
    /// 20 ms for half a million keys.
    pub fn acquit(&mut self, campaign: u32) {
        let is_its = |cell: &Cell| {
            self.campaigns.root(cell.owner) == campaign && !cell.is_known() || self.owner(cell) == Some(campaign)
        };
        let keys: Vec<u64> = self.cells.iter().filter(|(_, cell)| is_its(cell)).map(|(key, _)| key).collect();
        keys.iter().for_each(|&key| self.cells.set_owner(key, KNOWN));
        // What its members showed so far is no evidence either, or they would be a campaign again with other pieces.
        for rotator in self.accounts.values_mut().filter(|rotator| self.campaigns.root(rotator.campaign) == campaign) {
            *rotator = Rotator::default();
        }
        self.provenance.acquit(|number| self.campaigns.root(number) == campaign);
        self.standings.forget(|home| self.campaigns.root(home) == campaign);
        self.campaigns.acquit(campaign);
    }
}
