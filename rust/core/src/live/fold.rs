//! Records in, books out: what the elected process does with each observation.

use super::area::Area;
use super::ladder::{Ladder, Rung, Steps};
use super::look::{NAMES, Piece, Standing, told_name};
use super::record::{Observation, Record};
use crate::audit::judge::{Case, Judge, Judged};
use crate::audit::ledger::Entry;
use crate::campaign::cells::Cell;
use crate::campaign::convicted::Membership;
use crate::campaign::shared::keys;
use crate::detector::Level;
use crate::detector::profile::Profile;
use crate::hash::{ByHash, mix};
use crate::sync::Relaxed;
use crate::table::Memory;
use std::collections::HashSet;

/// Requests from which on the standing of an account is told whatever it is: one match in so many is no habit.
const ESTABLISHED: u32 = 25;
/// Keys looked at anew with each observation, so that the books follow what changes without a request.
const WALK: usize = 32;
/// Seconds between two looks at who kept quiet.
const QUIET: f64 = 600.0;
/// Accounts that operators released: decisions of people, which are few.
pub const MAX_RELEASED: usize = 1 << 16;

/// Accounts that can be told of, half a kilobyte each: a service runs for longer than a log.
const MAX_LINES: usize = 1 << 17;

/// Folds records.
#[derive(Debug)]
pub struct Folder {
    /// Judges requests as for a log.
    pub judge: Judge,
    /// How far to go with accounts, by their hashes.
    pub accounts: Ladder,
    /// How far to go with campaigns, by their told names.
    pub campaigns: Ladder,
    /// Accounts that the operator released.
    pub released: ByHash<()>,
    /// How far the stream between hosts was read.
    pub read_up_to: [u64; 2],
    /// Where the walk over keys, and that over told pieces, goes on.
    walk: [usize; 2],
    /// Convicted campaigns when all was told last.
    told: usize,
    quiet_at: f64,
    /// When the request before came.
    previous: f64,
}

impl Folder {
    /// One that has seen nothing.
    pub fn new(judge: Judge, steps: Steps, secret: u64) -> Self {
        let [accounts, campaigns] = [(); 2].map(|()| Ladder::new(steps, secret));
        Self {
            judge,
            accounts,
            campaigns,
            released: ByHash::default(),
            read_up_to: [0; 2],
            walk: [0; 2],
            told: 0,
            quiet_at: f64::NEG_INFINITY,
            previous: f64::INFINITY,
        }
    }

    /// Add a record and tell what changed. Cost: about 9 µs for an observation of 1 KB, and 20 µs for one of a convicted
    /// campaign, whose keys have eight tenants each to be looked at.
    pub fn fold<M: Memory>(&mut self, area: &Area<M>, record: &Record) {
        match record {
            Record::Observation(seen) => self.observe(area, seen),
            Record::ReleaseAccount(account) => self.release_account(area, *account),
            Record::ReleaseCampaign(name) => self.release_campaign(area, *name),
            Record::Save => {}
            Record::ReadUpTo(place) => self.stand_at(area, *place),
        }
        area.folded().fetch_add(1, Relaxed);
    }

    /// Tell everything anew: at the beginning of a term, and when a campaign was convicted or is none any longer.
    /// Cost: 20 ms for half a million keys.
    pub fn tell_all<M: Memory>(&mut self, area: &Area<M>) {
        let convicted = self.judge.correlator.campaigns.convicted;
        self.told = convicted;
        for place in 0..self.judge.correlator.capacity() {
            self.tell_key(area, place);
        }
        for place in 0..area.pieces().capacity() {
            self.untell_piece(area, place);
        }
        self.tell_rungs(area);
        self.tell_accounts(area);
        self.stand_at(area, self.read_up_to);
        area.learned().store(0, Relaxed);
        area.convicted().store(convicted as u64, Relaxed);
    }

    fn stand_at<M: Memory>(&mut self, area: &Area<M>, place: [u64; 2]) {
        self.read_up_to = place;
        area.read_up_to().iter().zip(place).for_each(|(word, value)| word.store(value, Relaxed));
    }

    /// What has faded or become part of another takes its rung with it: its name may be told of a new one some day.
    fn tell_rungs<M: Memory>(&mut self, area: &Area<M>) {
        let campaigns = self.judge.correlator.campaigns.iter().map(|(_, campaign)| told_name(campaign.name));
        let alive: HashSet<u64> = campaigns.map(u64::from).collect();
        let gone: Vec<u64> = self.campaigns.iter().map(|(name, _)| name).filter(|name| !alive.contains(name)).collect();
        gone.into_iter().for_each(|name| self.campaigns.remove(name));
        for name in 1..=NAMES {
            let rung = self.campaigns.stand(u64::from(name)).map_or(Rung::Observe, |stand| stand.rung);
            area.rung(name).store(rung as u64, Relaxed);
        }
    }

    /// A new area knows nobody of whom something was told in the one before.
    fn tell_accounts<M: Memory>(&self, area: &Area<M>) {
        let book = area.accounts();
        for &account in self.judge.suspects.keys() {
            book.set_told(account, Standing { is_released: true, ..Standing::default() }.told());
        }
        for (account, stand) in self.accounts.iter().filter(|(account, _)| book.get(*account).is_none()) {
            let requests = self.judge.detector.accounts.get(account).map_or(0, Profile::requests);
            let Membership { campaign, is_member, is_usual, score, .. } =
                self.judge.correlator.membership(account, requests);
            let campaign = told_name(self.judge.correlator.campaigns.name(campaign));
            let (rung, score) = (stand.rung, score.max(1.0) as f32);
            let standing = Standing { rung, is_whole: true, is_member, is_usual, is_released: false, campaign, score };
            book.set_told(account, standing.told());
        }
    }

    fn observe<M: Memory>(&mut self, area: &Area<M>, seen: &Observation) {
        let [account, tenant, network] = seen.who;
        let [name, tenant_name, id] = seen.names.each_ref().map(String::as_str);
        let answer_tokens = seen.answer_tokens.unwrap_or(0);
        let entry = Entry { account: name, tenant: tenant_name, id, time: seen.time, answer_tokens, is_answered: true };
        let Observation { facts, answer, answer_tokens, is_declared, .. } = seen;
        let is_declared = *is_declared || self.released.contains_key(&account);
        let (answer, answer_tokens) = (*answer, *answer_tokens);
        let case = Case { entry, account, tenant, network, facts, answer_tokens, answer, is_declared };
        if self.judge.ledger.tallies().len() >= MAX_LINES {
            self.judge.ledger.halve();
        }
        let judged = self.judge.add(&case);
        // A clock may be wrong for one request, and right again for the next.
        let time = seen.time.min(std::mem::replace(&mut self.previous, seen.time));
        self.tell_account(area, &case, &judged, time);
        self.tell_campaign(area, &judged, time);
        if self.judge.correlator.campaigns.convicted != self.told {
            self.tell_all(area);
        } else if self.told > 0 {
            self.tell_keys(area, seen);
        }
        self.calm(area, time);
        area.time().store(seen.time as u64, Relaxed);
    }

    fn tell_account<M: Memory>(&mut self, area: &Area<M>, case: &Case<'_>, judged: &Judged, time: f64) {
        let (account, Judged { assessment, found }) = (case.account, judged);
        // Nothing is done about it, also when a worker finds pieces in what it sends.
        let is_released = case.is_declared || self.judge.suspects.contains_key(&account);
        let membership = self.judge.correlator.membership(account, assessment.requests);
        let is_whole = !is_released && (assessment.level == Level::Throttle || found.is_whole);
        let rung = if is_whole { self.accounts.seen(account, time) } else { Rung::Observe };
        let campaign = if found.is_whole { found.campaign } else { membership.campaign };
        let standing = Standing {
            rung,
            is_whole,
            is_member: membership.is_member && !is_released,
            is_usual: membership.is_usual,
            is_released,
            campaign: told_name(self.judge.correlator.campaigns.name(campaign)),
            score: assessment.score.max(membership.score) as f32,
        };
        let book = area.accounts();
        let is_worth_telling = standing.is_whole || standing.is_member || is_released;
        if is_worth_telling || assessment.requests >= ESTABLISHED || book.get(account).is_some() {
            book.set_told(account, standing.told());
        }
    }

    fn tell_campaign<M: Memory>(&mut self, area: &Area<M>, judged: &Judged, time: f64) {
        let campaigns = &self.judge.correlator.campaigns;
        let number = campaigns.root(judged.found.campaign);
        if campaigns.is_convicted(number) && judged.found.pays {
            let name = told_name(campaigns.name(number));
            let rung = self.campaigns.seen(u64::from(name), time);
            area.rung(name).store(rung as u64, Relaxed);
        }
    }

    fn tell_keys<M: Memory>(&mut self, area: &Area<M>, seen: &Observation) {
        let book = area.pieces();
        for (key, ..) in keys(&seen.facts) {
            match self.judge.correlator.cell(key).and_then(|cell| self.piece(cell)) {
                Some(piece) => _ = book.set_told(key, piece.told()),
                None if book.get(key).is_some() => book.remove(key),
                None => {}
            }
        }
        for _ in 0..WALK {
            let [key, piece] = self.walk;
            self.tell_key(area, key);
            self.untell_piece(area, piece);
            self.walk = [(key + 1) % self.judge.correlator.capacity(), (piece + 1) % book.capacity()];
        }
    }

    fn tell_key<M: Memory>(&self, area: &Area<M>, place: usize) {
        let Some((key, cell)) = self.judge.correlator.cell_at(place) else { return };
        if let Some(piece) = self.piece(cell) {
            area.pieces().set_told(key, piece.told());
        }
    }

    fn untell_piece<M: Memory>(&self, area: &Area<M>, place: usize) {
        let Some((key, _)) = area.pieces().at(place) else { return };
        if self.judge.correlator.cell(key).and_then(|cell| self.piece(cell)).is_none() {
            area.pieces().remove(key);
        }
    }

    fn piece(&self, cell: &Cell) -> Option<Piece> {
        let campaign = self.judge.correlator.owner(cell)?;
        let campaign = told_name(self.judge.correlator.campaigns.name(campaign));
        let ([one, two, ..], [first, second, third, ..]) = (cell.tenants, cell.prompts);
        Some(Piece { campaign, tenants: [one, two], prompts: [first, second, third] })
    }

    /// Who kept quiet comes down; what he no longer sends cannot say so.
    fn calm<M: Memory>(&mut self, area: &Area<M>, time: f64) {
        if time < self.quiet_at && self.quiet_at - time <= QUIET {
            return;
        }
        self.quiet_at = time + QUIET;
        for (name, rung) in self.campaigns.calm(time) {
            area.rung(name as u32).store(rung as u64, Relaxed);
        }
        for (account, rung) in self.accounts.calm(time) {
            if let Some(standing) = area.accounts().get(account).map(Standing::of) {
                area.accounts().set_told(account, Standing { rung, ..standing }.told());
            }
        }
    }

    /// From now on it is observed at most, and what it did so far is forgotten.
    fn release_account<M: Memory>(&mut self, area: &Area<M>, account: u64) {
        if self.released.len() < MAX_RELEASED {
            self.released.insert(account, ());
            self.judge.suspects.insert(account, ());
        }
        self.judge.detector.accounts.remove(account);
        self.accounts.remove(account);
        let standing = Standing { is_released: true, ..Standing::default() };
        area.accounts().set_told(account, standing.told());
    }

    fn release_campaign<M: Memory>(&mut self, area: &Area<M>, name: u32) {
        if let Some(number) = self.judge.correlator.campaigns.named(name) {
            self.judge.correlator.acquit(number);
        }
        let told = told_name(name);
        self.campaigns.remove(u64::from(told));
        area.rung(told).store(Rung::Observe as u64, Relaxed);
        for (account, standing) in area.accounts().iter().map(|(key, told)| (key, Standing::of(told))) {
            if standing.campaign == told {
                self.accounts.remove(account);
                let free = Standing { campaign: 0, is_member: false, is_whole: false, rung: Rung::Observe, ..standing };
                area.accounts().set_told(account, free.told());
            }
        }
        self.tell_all(area);
    }

    /// A secret by which delays are chosen.
    pub fn secret_of(seed: crate::hash::Seed) -> u64 {
        mix(seed.0[0] ^ seed.0[1].rotate_left(32))
    }
}
