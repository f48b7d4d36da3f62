//! How the tenants stand that used shared pieces: looked up for the first users of a key.

use super::HORIZON_HOURS;
use super::cells::{Cell, since};
use super::rotator::ROTATES;
use crate::saved::{read_sparse, write_sparse};
use borsh::{BorshDeserialize, BorshSerialize};

/// Tenants that rotate among the first of a key, for it to belong to anybody.
pub const MIN_ROTATING: usize = 3;
/// Share of these among the first whose standing is known.
pub const PURE: f64 = 0.75;

/// A tenant's place. Two tenants of one place forget each other: then nothing is known of one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, BorshSerialize, BorshDeserialize)]
struct Standing {
    tenant: u32,
    account: u32,
    campaign: u32,
    evidence: f32,
    hour: u16,
}

impl Standing {
    fn rotates(&self) -> bool {
        f64::from(self.evidence) >= ROTATES
    }
}

/// The places, and what hour it is.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Standings {
    #[borsh(serialize_with = "write_sparse", deserialize_with = "read_sparse")]
    places: Box<[Standing]>,
    /// Hours since any fixed moment: standings of the last week count.
    pub hour: u16,
}

impl Standings {
    /// Room for about `capacity` tenants: 20 bytes for each.
    pub fn new(capacity: usize) -> Self {
        Self { places: vec![Standing::default(); capacity.max(1)].into(), hour: 0 }
    }

    /// How one of a tenant's accounts stands. Of several accounts the one counts that shows most, and who does not
    /// rotate does not take the place of somebody else who does.
    pub fn set(&mut self, tenant: u32, account: u32, campaign: u32, evidence: f64) {
        let new = Standing { tenant, account, campaign, evidence: evidence as f32, hour: self.hour };
        let place = self.place(tenant);
        let old = &mut self.places[place];
        let is_own = (old.tenant, old.account) == (tenant, account);
        let is_more = old.tenant == tenant && old.evidence > new.evidence || old.rotates() && !new.rotates();
        if is_own || !is_more || since(self.hour, old.hour) >= HORIZON_HOURS {
            *old = new;
        }
    }

    /// Campaigns of the first users that rotate, as many times as they have users; 0 for those without.
    pub fn homes<'s>(&'s self, cell: &'s Cell) -> impl Iterator<Item = u32> + 's {
        let rotating = |&&tenant: &&u32| self.get(tenant).is_some_and(Standing::rotates);
        first(cell).iter().filter(rotating).filter_map(|&tenant| self.get(tenant)).map(|standing| standing.campaign)
    }

    /// Is a key that of the tenants whose campaign `counts`? So most of its first users must be. Those that match but
    /// showed nothing yet count neither way; those that never match are others. Cost: a cache line for each tenant.
    pub fn is_pure(&self, cell: &Cell, counts: impl Fn(u32) -> bool) -> bool {
        let rotating = self.homes(cell).filter(|&home| counts(home)).count();
        let is_other = |&&tenant: &&u32| self.get(tenant).is_none_or(|standing| standing.evidence < 0.0);
        let others = first(cell).iter().filter(is_other).count();
        rotating >= MIN_ROTATING && rotating as f64 >= PURE * (rotating + others) as f64
    }

    fn get(&self, tenant: u32) -> Option<&Standing> {
        let is_its = |one: &&Standing| one.tenant == tenant && since(self.hour, one.hour) < HORIZON_HOURS;
        Some(&self.places[self.place(tenant)]).filter(is_its)
    }

    fn place(&self, tenant: u32) -> usize {
        ((u64::from(tenant) * self.places.len() as u64) >> 32) as usize
    }
}

fn first(cell: &Cell) -> &[u32] {
    &cell.tenants[..cell.count()]
}
