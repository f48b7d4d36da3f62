//! What a worker sees of a request before it decides: the account's standing, and pieces of convicted campaigns.
//!
//! The rules are those of [`Correlator`](crate::campaign::Correlator), read from the books: so the first matching
//! request of a new member pays from the campaign's budget, in whichever worker it arrives.

use super::area::Area;
use super::book::{Told, WORTH_SHIFT};
use super::ladder::Rung;
use crate::campaign::cells::IMMUNE;
use crate::campaign::shared::keys;
use crate::campaign::units::{MAX_UNITS, NOWHERE};
use crate::campaign::{MATCHES, PAYS_KEYS, PAYS_SHARE, PAYS_UNITS};
use crate::hash::short;
use crate::prompt::facts::Facts;
use crate::prompt::keys::{MAX_KEYS, PREFIXES};
use crate::prompt::segment::MAX_SEGMENTS;
use crate::sync::Relaxed;
use crate::table::Memory;
use arrayvec::ArrayVec;

/// Prompts of a piece that are told, 16 bits each, by which pieces of one text are known.
const PROMPTS: usize = 3;
const PROMPT_BITS: u32 = 48;
/// Names of campaigns that are told apart; then they begin anew.
pub const NAMES: u32 = 4_095;
const WORTH: u64 = 1 << WORTH_SHIFT;
const RUNG_SHIFT: u32 = 56;

/// How an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// What is done about the account as a whole.
    pub rung: Rung,
    /// All it sends is restricted, by its own evidence.
    pub is_whole: bool,
    /// It shows the campaign itself.
    pub is_member: bool,
    /// Matches are more than what happens to everybody.
    pub is_usual: bool,
    /// The operator released it.
    pub is_released: bool,
    /// Told name of its convicted campaign; 0 for none.
    pub campaign: u32,
    /// Its score, 1 and more is restricted.
    pub score: f32,
}

impl Standing {
    /// As it is told. Who is restricted or released is worth more than a member, and a member more than others.
    pub fn told(&self) -> Told {
        let flags = [self.is_whole, self.is_member, self.is_usual, self.is_released];
        let flags = flags.iter().rev().fold(0, |bits, &flag| bits << 1 | u64::from(flag));
        let worth = match self {
            Self { is_released: true, .. } | Self { is_whole: true, .. } => 3,
            Self { is_member: true, .. } => 2,
            _ => 1,
        };
        let first = worth << WORTH_SHIFT | (self.rung as u64) << RUNG_SHIFT | flags << 48 | u64::from(self.campaign);
        [first, u64::from(self.score.to_bits())]
    }

    /// What was told.
    pub fn of([first, second]: Told) -> Self {
        let flag = |place: u32| first >> (48 + place) & 1 == 1;
        Self {
            rung: Rung::from_number((first >> RUNG_SHIFT) as u8 & 0xf),
            is_whole: flag(0),
            is_member: flag(1),
            is_usual: flag(2),
            is_released: flag(3),
            campaign: first as u32,
            score: f32::from_bits(second as u32),
        }
    }
}

/// A piece of a convicted campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The campaign's name as it is told.
    pub campaign: u32,
    /// The tenants who had it first.
    pub tenants: [u32; IMMUNE],
    /// The first prompts that brought it.
    pub prompts: [u16; PROMPTS],
}

impl Piece {
    /// As it is told.
    pub fn told(&self) -> Told {
        let prompts = self.prompts.iter().rev().fold(0, |bits, &prompt| bits << 16 | u64::from(prompt));
        let first = WORTH | u64::from(self.campaign) << PROMPT_BITS | prompts;
        [first, u64::from(self.tenants[1]) << 32 | u64::from(self.tenants[0])]
    }

    /// What was told.
    pub fn of([first, second]: Told) -> Self {
        let campaign = (first & (WORTH - 1)) >> PROMPT_BITS;
        let prompts = [first as u16, (first >> 16) as u16, (first >> 32) as u16];
        Self { campaign: campaign as u32, tenants: [second as u32, (second >> 32) as u32], prompts }
    }

    fn comes_with(&self, other: &Self) -> bool {
        let same = self.prompts.iter().filter(|prompt| other.prompts.contains(prompt)).count();
        2 * same >= PROMPTS
    }
}

/// The name of a campaign as it is told; 0 stays none.
pub fn told_name(name: u32) -> u32 {
    if name == 0 { 0 } else { (name - 1) % NAMES + 1 }
}

/// What a worker sees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sight {
    /// How the account stands.
    pub standing: Standing,
    /// The campaign whose budget the request draws on; 0 for none.
    pub campaign: u32,
    /// What is done about that campaign.
    pub rung: Rung,
}

type Seen = (Piece, u8);

/// Look at a request. Cost: a cache line for each key while any campaign is convicted, else one.
pub fn look<M: Memory>(area: &Area<M>, account: u64, tenant: u64, facts: &Facts) -> Sight {
    let standing = standing(area, account);
    let mut sight = Sight { standing: standing.unwrap_or_default(), ..Sight::default() };
    if sight.standing.is_released || area.convicted().load(Relaxed) == 0 {
        return sight;
    }
    // A fresh account has sent so little that any match is usual for it.
    let is_usual = standing.is_none_or(|standing| standing.is_usual);
    let home = if sight.standing.is_member { sight.standing.campaign } else { 0 };
    let found = pieces(area, facts);
    let mut campaigns = ArrayVec::<u32, 4>::new();
    for campaign in [home].into_iter().chain(found.iter().map(|(piece, _)| piece.campaign)) {
        if campaign != 0 && !campaigns.is_full() && !campaigns.contains(&campaign) {
            campaigns.push(campaign);
        }
    }
    for campaign in campaigns {
        let rung = Rung::from_number(area.rung(campaign).load(Relaxed) as u8);
        let is_own = |(piece, _): &&Seen| campaign != home && piece.tenants.contains(&short(tenant));
        let its = found.iter().filter(|(piece, _)| piece.campaign == campaign).filter(|seen| !is_own(seen));
        let its: ArrayVec<Seen, MOST> = its.copied().collect();
        let is_much = its.len() * PAYS_SHARE >= facts.keys.len();
        let is_enough = || its.len() >= PAYS_KEYS && is_usual || units(&its) >= PAYS_UNITS;
        let is_members = campaign == home && !its.is_empty() && found.len() >= MATCHES;
        if rung != Rung::Observe && (is_members || is_much && is_enough()) {
            (sight.campaign, sight.rung) = (campaign, rung);
            break;
        }
    }
    sight
}

/// How an account stands; `None` when there is nothing to be told.
pub fn standing<M: Memory>(area: &Area<M>, account: u64) -> Option<Standing> {
    area.accounts().get(account).map(Standing::of)
}

const MOST: usize = MAX_KEYS + MAX_SEGMENTS + PREFIXES.len();

fn pieces<M: Memory>(area: &Area<M>, facts: &Facts) -> ArrayVec<Seen, MOST> {
    let book = area.pieces();
    keys(facts).filter_map(|(key, place, _)| Some((Piece::of(book.get(key)?), place))).take(MOST).collect()
}

/// Pieces of text, as [`crate::campaign::units`] tells them apart.
fn units(seen: &[Seen]) -> usize {
    let mut units = ArrayVec::<Seen, MAX_UNITS>::new();
    for (piece, place) in seen {
        let belongs = |unit: &Seen| unit.1 == *place && *place != NOWHERE || unit.0.comes_with(piece);
        if !units.iter().any(belongs) {
            _ = units.try_push((*piece, *place));
        }
    }
    units.len()
}
