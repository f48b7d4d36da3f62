//! How the tenants stand that used shared pieces: looked up for the first users of a key.

use super::cells::Cell;
use super::rotator::ROTATES;

/// Tenants that rotate among the first of a key, for it to belong to anybody.
pub const MIN_ROTATING: usize = 3;
/// Share of these among the first whose standing is known.
pub const PURE: f64 = 0.75;

/// A tenant's place. Two tenants of one place forget each other: then nothing is known of one of them.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    tenant: u32,
    campaign: u32,
    evidence: f32,
}

impl Standing {
    fn rotates(&self) -> bool {
        f64::from(self.evidence) >= ROTATES
    }
}

/// The places.
#[derive(Clone, Debug)]
pub struct Standings(Box<[Standing]>);

impl Standings {
    /// Room for about `capacity` tenants: 12 bytes for each.
    pub fn new(capacity: usize) -> Self {
        Self(vec![Standing::default(); capacity.max(1)].into())
    }

    /// A tenant's evidence, and the campaign it was assigned to.
    pub fn set(&mut self, tenant: u32, campaign: u32, evidence: f64) {
        let place = self.place(tenant);
        self.0[place] = Standing { tenant, campaign, evidence: evidence as f32 };
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
        Some(&self.0[self.place(tenant)]).filter(|standing| standing.tenant == tenant)
    }

    fn place(&self, tenant: u32) -> usize {
        ((u64::from(tenant) * self.0.len() as u64) >> 32) as usize
    }
}

fn first(cell: &Cell) -> &[u32] {
    &cell.tenants[..cell.count()]
}
