//! Tells accounts that act as one: from what strangers share that no stranger should, request by request, without
//! clock and without I/O.
//!
//! **The way of a request.** Its content keys are looked up in [`cells`]; those that enough strangers used before are
//! hot. Hot keys of one text are a unit ([`units`]). What the account does with units, repeat one or rotate among many,
//! is weighed in [`rotator`]; [`standing`] says whose a key is by its first users, [`campaigns`] weighs all accounts
//! of a campaign together. Beside it [`provenance`] follows answers that come back from somebody else.
//!
//! **Two families of evidence are needed**: *content* (texts shared by strangers that the history does not know) and
//! *behaviour* (rotation), or *provenance* and behaviour (conversations that hop again and again). Identity is needed
//! nowhere; tenants of one payer are one tenant, so that who is related in the open is no stranger.
//!
//! **The request pays.** A request that holds enough of a convicted campaign's own pieces is restricted by itself,
//! whoever sends it, and nothing else of its account; an account is restricted as a whole only when its own evidence is
//! overwhelming and most of what it sends belongs to the campaign.

pub mod campaigns;
pub mod cells;
pub mod convicted;
pub mod provenance;
pub mod rotator;
pub mod shared;
pub mod standing;
pub mod units;

use crate::bounded::Bounded;
use crate::hash::short;
use crate::prompt::facts::Facts;
use crate::saved::ensure;
use arrayvec::ArrayVec;
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};
use campaigns::{Campaigns, Kind};
use cells::{Cell, Cells, FIRST, IMMUNE};
use provenance::Provenance;
use rotator::{ROTATES, Rotator};
use shared::{SharedKeys, keys};
use standing::Standings;
use units::{Shared, units};

/// Hours after which what was not seen again is forgotten: a week.
pub const HORIZON_HOURS: u16 = 7 * 24;
/// The same in seconds.
pub const HORIZON: u64 = HORIZON_HOURS as u64 * 3600;
const DAY_HOURS: u16 = 24;
const DAY: u64 = DAY_HOURS as u64 * 3600;
/// Requests between two sweeps, however clocks jump.
const SWEEPS: u32 = 4_096;
/// Tenants of which a campaign needs so many as members.
pub const MEMBERS: usize = 6;
/// Strangers that make a key hot where no history says what is common.
pub const HOT: usize = 8;
/// Tenants of a small history that make a key common. Of [`SMALL`] tenants three use a phrase by chance, of ten times
/// as many one more.
const COMMON: usize = 3;
/// Tenants of a small history.
const SMALL: f64 = 5_000.0;
/// Hot keys that a request matches with.
pub const MATCHES: usize = 2;
/// Strangers from which on a convicted campaign's pieces are looked for.
const EARLY: usize = 3;
/// Keys of a convicted campaign that restrict a request of an account that shows nothing itself, or else units.
pub const PAYS_KEYS: usize = 4;
/// Units of it.
pub const PAYS_UNITS: usize = 3;
/// And of the request's keys at least one in so many: in a long text of one's own some phrases are always others'.
pub const PAYS_SHARE: usize = 8;
/// Nats of an account's own, two events, from which any match with a piece of its campaign restricts.
pub const PAYS_OWN: f64 = 1.5;
/// Nats of an account's own that restrict all it sends.
pub const WHOLE: f64 = 4.6;
/// When this share of it matches.
pub const WHOLE_SHARE: f64 = 0.6;
/// Share of a request's owned keys that makes an account that does not rotate a user of a campaign's pieces.
const VOTES: f64 = 0.3;
/// Keys that two campaigns must both have with one rotating account to be one.
const MERGES: usize = 2;

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Content keys: 72 bytes each.
    pub keys: usize,
    /// Accounts with shared pieces: about 330 bytes each.
    pub accounts: usize,
    /// Answers whose receivers are known: 32 bytes each.
    pub answers: usize,
}

impl Default for Room {
    /// 56 MiB when all of it is in use.
    fn default() -> Self {
        Self { keys: 1 << 19, accounts: 1 << 15, answers: 1 << 18 }
    }
}

/// What strangers share in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As many tenants of the history make a key common; one more in the traffic after it make a key hot.
    pub tenants: usize,
    /// The common keys.
    pub keys: Vec<u64>,
    /// Keys that one or two tenants used again and again, and who: their own, also when others have them today.
    pub owned: Vec<(u64, [u32; IMMUNE])>,
}

/// What counts of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Secret hash of its account.
    pub account: u64,
    /// Secret hash of its tenant, or of who pays for several.
    pub tenant: u64,
    /// Requests of the account so far, this one too; 0 when nobody counts them.
    pub requests: u32,
    /// Its prompt.
    pub facts: &'a Facts,
    /// Hash of the answer it got, and its words; 0 when that is not known.
    pub answer: (u64, u32),
    /// Seconds since any fixed moment.
    pub time: u64,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// The campaign that it belongs to, convicted or not; 0 for none.
    pub campaign: u32,
    /// It holds pieces that strangers share, or an answer given to somebody else.
    pub matches: bool,
    /// It brought a combination that is new to its account; `None` where that does not count.
    pub event: Option<bool>,
    /// Its account shows the campaign itself.
    pub is_member: bool,
    /// It pays from the campaign's budget.
    pub pays: bool,
    /// Its account is restricted as a whole.
    pub is_whole: bool,
    /// The account's own evidence, over what restricts it as a whole.
    pub score: f64,
}

/// Correlates accounts.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Correlator {
    cells: Cells,
    accounts: Bounded<Rotator>,
    standings: Standings,
    provenance: Provenance,
    /// The campaigns.
    pub campaigns: Campaigns,
    /// What tenants had before the first request, until there is one and its hour is known.
    owned: Vec<(u64, [u32; IMMUNE])>,
    /// Tenants that make a key hot.
    #[borsh(deserialize_with = "read_hot")]
    hot: usize,
    /// The day of the last sweep, and requests since.
    swept: u64,
    unswept: u32,
    /// When the request before came.
    previous: u64,
}

impl Correlator {
    /// One that has seen nothing; `known` is what the history shares, `None` without one.
    pub fn new(room: Room, known: Option<&Known>) -> Self {
        let hot = known.map_or(HOT, |known| known.tenants + 1).clamp(EARLY + 1, FIRST);
        let mut cells = Cells::new(room.keys);
        known.iter().flat_map(|known| &known.keys).take(room.keys / 2).for_each(|&key| cells.set_known(key));
        Self {
            cells,
            accounts: Bounded::new(room.accounts),
            // Twice as many places as accounts: few of them meet.
            standings: Standings::new(2 * room.accounts),
            provenance: Provenance::new(room.answers, room.accounts),
            campaigns: Campaigns::default(),
            owned: known.map(|known| known.owned.clone()).unwrap_or_default(),
            hot,
            swept: 0,
            unswept: 0,
            previous: u64::MAX,
        }
    }

    /// What `tenants` tenants shared so far: what a later [`Correlator::new`] is to know. Pieces of those that rotate
    /// are left out, so that a campaign in the history does not make itself known.
    pub fn known(&self, tenants: usize) -> Known {
        let decades = (tenants as f64 / SMALL).max(1.0).log10() as usize;
        let common = (COMMON + decades).min(FIRST - 1);
        let is_common =
            |cell: &Cell| cell.is_known() || cell.count() >= common && !self.standings.is_pure(cell, |_| true);
        let keys = self.cells.iter().filter(|(_, cell)| is_common(cell)).map(|(key, _)| key).collect();
        let is_owned = |cell: &Cell| !is_common(cell) && (cell.is_lasting() || cell.count() > 1);
        let first = |cell: &Cell| [cell.tenants[0], cell.tenants[1]];
        let owned = self.cells.iter().filter(|(_, cell)| is_owned(cell)).map(|(key, cell)| (key, first(cell)));
        Known { tenants: common, keys, owned: owned.collect() }
    }

    /// Add an answered request. Cost: 2 µs for a kilobyte, most of it cache misses.
    pub fn observe(&mut self, request: &Request<'_>) -> Found {
        // A clock may be wrong for one request, and right again for the next.
        let time = request.time.min(std::mem::replace(&mut self.previous, request.time));
        self.sweep(time);
        let hour = (request.time / 3600) as u16;
        self.standings.hour = hour;
        let tenant = short(request.tenant);
        let facts = request.facts;
        self.remember_owners(hour);
        let mut found = self.content(request, tenant, hour);
        for (key, ..) in keys(facts) {
            self.cells.add(key, tenant, (facts.digest >> 40) as u16, hour);
        }
        let seen = self.provenance.observe(request, tenant, hour, &mut self.campaigns);
        if seen.pays || found.campaign == 0 && seen.matches {
            found = Found { score: found.score.max(seen.score), is_whole: found.is_whole || seen.is_whole, ..seen };
        }
        found
    }

    fn remember_owners(&mut self, hour: u16) {
        for (key, tenants) in std::mem::take(&mut self.owned) {
            self.cells.set_own(key, tenants, hour);
        }
    }

    fn content(&mut self, request: &Request<'_>, tenant: u32, hour: u16) -> Found {
        let shared = SharedKeys::find(request.facts, &self.cells, tenant, hour, self.hot);
        let matches = shared.hot.len() >= MATCHES;
        if matches {
            let (rotator, _) = self.accounts.entry(request.account, Rotator::default, Rotator::worth);
            rotator.begin(request.time);
            let event = rotator.add(&units(shared.hot.iter(), self.hot), request.facts.digest);
            let campaign = self.assign(request, tenant, hour, event);
            let found = Found { campaign, matches, event, ..Found::default() };
            return self.judge(request, &shared, found);
        }
        if let Some(rotator) = self.accounts.get_mut(request.account) {
            rotator.begin(request.time);
        }
        self.judge(request, &shared, Found::default())
    }

    /// Find the campaign of an account by the pieces it used, after a match. Ownership goes by votes, not by chains of
    /// single links; who rotates also opens campaigns, joins them and takes pieces into them, but only pure ones.
    fn assign(&mut self, request: &Request<'_>, tenant: u32, hour: u16, event: Option<bool>) -> u32 {
        let Some(rotator) = self.accounts.get(request.account) else { return 0 };
        let rotates = rotator.rotates();
        let keys: ArrayVec<u64, { rotator::KEYS }> = rotator.keys().iter().copied().collect();
        let home = self.campaigns.root(rotator.campaign);
        // What was given to a forgotten campaign is not owed to the next.
        let given = if home == 0 { 0.0 } else { f64::from(rotator.given) };
        let account = short(request.account);
        self.standings.set(tenant, account, home, rotator.standing(self.campaigns.is_convicted(home)));

        let (mut votes, mut free) = (Vec::<(usize, u32)>::new(), ArrayVec::<u64, { rotator::KEYS }>::new());
        for key in keys {
            let Some(cell) = self.cells.get(key, hour).filter(|cell| !cell.is_known()) else { continue };
            match self.campaigns.root(cell.owner) {
                0 if rotates && self.standings.is_pure(cell, |_| true) => free.push(key),
                0 => {}
                owner => match votes.iter_mut().find(|(_, known)| *known == owner) {
                    Some((count, _)) => *count += 1,
                    None => votes.push((1, owner)),
                },
            }
        }
        votes.sort_unstable_by_key(|&(count, owner)| (std::cmp::Reverse(count), owner));
        let all = votes.iter().map(|(count, _)| count).sum::<usize>() + free.len();
        let mut campaign = match votes.first() {
            Some(&(count, owner)) if rotates || count as f64 >= VOTES * all as f64 => owner,
            None if !free.is_empty() => self.campaigns.open(Kind::Rotation, request.time),
            _ => 0,
        };
        if campaign == 0 {
            return 0;
        }
        if rotates {
            let most = votes.first().map_or(0, |(count, _)| *count);
            let is_convicted = self.campaigns.is_convicted(campaign);
            for (count, other) in votes.into_iter().skip(1) {
                // One account of a campaign does not convict the others of its group.
                if most.min(count) >= MERGES && self.campaigns.is_convicted(other) == is_convicted {
                    campaign = self.campaigns.merge(campaign, other);
                }
            }
            for key in &free {
                self.cells.set_owner(*key, campaign);
            }
        }
        if let Some(whole) = self.campaigns.get_mut(campaign) {
            let given = event.map_or(given, |event| whole.add(event, given));
            if rotates {
                whole.join(tenant);
                whole.pieces += free.len() as u64;
            }
            if let Some(rotator) = self.accounts.get_mut(request.account) {
                (rotator.campaign, rotator.given) = (campaign, given as f32);
            }
        }
        if rotates {
            self.campaigns.touch(campaign, request.time);
        }
        if let Some(rotator) = self.accounts.get(request.account) {
            let standing = rotator.standing(self.campaigns.is_convicted(campaign));
            self.standings.set(tenant, account, campaign, standing);
        }
        campaign
    }

    /// Does the request pay, or its account?
    fn judge(&self, request: &Request<'_>, shared: &SharedKeys, mut found: Found) -> Found {
        if self.campaigns.convicted == 0 {
            return found;
        }
        let rotator = self.accounts.get(request.account);
        let is_usual = rotator.is_some_and(|rotator| rotator.is_share_of(request.requests));
        let home = rotator.map_or(0, |rotator| self.campaigns.root(rotator.campaign));
        let standing = rotator.map_or(0.0, |rotator| rotator.standing(self.campaigns.is_convicted(home)));
        // Who rotates among a campaign's pieces is no victim of it, also where he was first.
        let is_member = standing >= PAYS_OWN && self.campaigns.is_convicted(home);
        let mut convicted = self.convicted(shared);
        if is_member {
            convicted.retain(|campaign| *campaign != home);
            convicted.truncate(convicted.capacity() - 1);
            convicted.insert(0, home);
        }
        for campaign in convicted {
            // Mostly it is: a comparison spares a look for its root.
            let is_own = |home| home == campaign || self.campaigns.root(home) == campaign;
            let is_member = is_member && home == campaign;
            let keys = shared.all().chain(shared.own.iter().filter(|_| is_member));
            let pure: Vec<Shared> = keys.filter(|key| self.standings.is_pure(&key.cell, is_own)).copied().collect();
            let is_much = pure.len() * PAYS_SHARE >= request.facts.keys.len();
            let is_enough = || pure.len() >= PAYS_KEYS && is_usual || units(pure.iter(), EARLY).len() >= PAYS_UNITS;
            let is_own = is_member && !pure.is_empty() && shared.count() >= MATCHES;
            let pays = is_own || is_much && is_enough();
            if pays {
                (found.campaign, found.pays) = (campaign, true);
                break;
            }
        }
        if let Some(rotator) = rotator.filter(|_| self.campaigns.is_convicted(home)) {
            found.is_member = standing >= ROTATES && [0, home].contains(&found.campaign);
            found.score = standing / WHOLE;
            found.is_whole = standing >= WHOLE && rotator.is_mostly(WHOLE_SHARE);
            if found.is_whole {
                (found.campaign, found.pays) = (home, true);
            }
        }
        found
    }

    /// Convicted campaigns that the first users of some shared keys belong to.
    fn convicted(&self, shared: &SharedKeys) -> ArrayVec<u32, 4> {
        let mut found = ArrayVec::<u32, 4>::new();
        if shared.all().count() < MATCHES {
            return found;
        }
        for key in shared.all() {
            for home in self.standings.homes(&key.cell) {
                if found.contains(&home) {
                    continue;
                }
                let campaign = self.campaigns.root(home);
                if !found.is_full() && !found.contains(&campaign) && self.campaigns.is_convicted(campaign) {
                    found.push(campaign);
                }
            }
        }
        found
    }

    /// Once a day of traffic campaigns fade, and what many tenants have shared for a day, and hardly any of the first
    /// rotates, is a community's and says nothing about anybody. Cost: 5 ms for half a million keys.
    fn sweep(&mut self, now: u64) {
        self.unswept += 1;
        let is_due = now / DAY > self.swept || now / DAY + 1 < self.swept;
        if !is_due || self.unswept < SWEEPS && self.swept != 0 {
            return;
        }
        (self.swept, self.unswept) = (now / DAY, 0);
        self.campaigns.fade(now);
        let hour = (now / 3600) as u16;
        let standings = &self.standings;
        self.cells.set_owners(cells::COMMUNITY, |cell| {
            let is_old = cell.owner == 0 && cell.count() == FIRST && cell.age(hour) >= DAY_HOURS;
            is_old && 4 * standings.homes(cell).count() < FIRST
        });
    }
}

/// No key has more tenants.
fn read_hot<R: Read>(reader: &mut R) -> io::Result<usize> {
    let hot = usize::deserialize_reader(reader)?;
    ensure((EARLY + 1..=FIRST).contains(&hot), "number of strangers")?;
    Ok(hot)
}
