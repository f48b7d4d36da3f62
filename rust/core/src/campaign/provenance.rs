//! Answers that come back from somebody else.
//!
//! The service knows to whom it gave an answer. When another tenant sends it as part of a conversation, the two share a
//! conversation: seats of a relay do so all the time, because each turn goes to whichever seat is free. Nobody's own
//! answers count, nor what several were given (canned ones) or several send (a conversation that somebody published),
//! nor short ones. A member both sends others' answers and has his own sent by others: who only quotes, and who is only
//! quoted, is no seat.

use super::campaigns::{Campaigns, Kind};
use super::cells::since;
use super::{Found, HORIZON_HOURS, Request};
use crate::bounded::Bounded;
use crate::hash::mix;
use crate::saved::{ensure, read_list, read_sparse, write_list, write_sparse};
use arrayvec::ArrayVec;
use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Words of an answer that is told from others.
pub const MIN_WORDS: u32 = 12;
/// Tenants that may have been given one and the same answer.
const RECEIVERS: usize = 2;
/// Tenants that may send it without having been given it.
const SENDERS: usize = 2;
/// Tenants that must have sent answers of a member.
const MIN_TAKERS: usize = 1;
/// Partners of whom one account had answers: more are not remembered.
pub const PARTNERS: usize = 4;
/// Partners that make a member of a relay, and of these as many that restrict it as a whole.
pub const MIN_PARTNERS: usize = 3;
/// The same in a convicted campaign: then fewer are enough.
pub const MIN_PARTNERS_KNOWN: usize = 2;
/// Evidence of a member: as many as a campaign needs convict.
const NATS: f64 = 1.6;
/// Campaign of seats whose relay the operator released: their links say nothing.
const ACQUITTED: u32 = u32::MAX;
/// Cells that an answer may stand in.
const WAYS: usize = 4;

/// An answer and who was given it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Given {
    tag: u64,
    to: [u32; RECEIVERS],
    sent_by: [u32; SENDERS],
    hour: u16,
    is_shared: bool,
}

/// What a tenant showed.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
struct Seat {
    #[borsh(serialize_with = "write_list", deserialize_with = "read_list")]
    partners: ArrayVec<u32, PARTNERS>,
    #[borsh(serialize_with = "write_list", deserialize_with = "read_list")]
    takers: ArrayVec<u32, MIN_TAKERS>,
    campaign: u32,
}

impl Seat {
    /// Does it take and give, as seats of a relay do?
    fn is_seat(&self, partners: usize) -> bool {
        self.partners.len() >= partners && self.takers.len() >= MIN_TAKERS
    }
}

/// Answers, seats, and who has ever been given an answer that was told of.
#[derive(Clone, Debug)]
pub struct Provenance {
    answers: Box<[Given]>,
    sets: u64,
    seats: Bounded<Seat>,
    receivers: Box<[u64]>,
}

/// Bits by which receivers are remembered; with ten thousand of them one in a hundred strangers passes for one.
const RECEIVER_BITS: usize = 1 << 20;

impl Provenance {
    /// Room for about `answers` answers and `seats` tenants with links.
    pub fn new(answers: usize, seats: usize) -> Self {
        let sets = answers.div_ceil(WAYS).max(1);
        Self {
            answers: vec![Given::default(); sets * WAYS].into(),
            sets: sets as u64,
            seats: Bounded::new(seats),
            receivers: vec![0; RECEIVER_BITS / 64].into(),
        }
    }

    /// Follow the answers of a request's conversation, and remember the one it got. Cost: a cache line for each.
    pub fn observe(&mut self, request: &Request<'_>, tenant: u32, hour: u16, campaigns: &mut Campaigns) -> Found {
        let partners = self.partners(request, tenant, hour);
        let (hash, words) = request.answer;
        if words >= MIN_WORDS {
            self.give(hash, tenant, hour);
            let place = receiver(tenant);
            self.receivers[place / 64] |= 1 << (place % 64);
        }
        for &partner in &partners {
            self.link(tenant, partner, request.time, campaigns);
        }
        self.judge(tenant, !partners.is_empty(), campaigns)
    }

    /// Who was given the answers that this tenant sends and was not given himself.
    fn partners(&mut self, request: &Request<'_>, tenant: u32, hour: u16) -> ArrayVec<u32, PARTNERS> {
        let mut partners = ArrayVec::new();
        let place = receiver(tenant);
        // Whose answers nobody told of may have been given any.
        if self.receivers[place / 64] & 1 << (place % 64) == 0 {
            return partners;
        }
        for answer in request.facts.answers.iter().filter(|answer| answer.words >= MIN_WORDS) {
            let Some(given) = self.get(answer.hash, hour) else { continue };
            let is_foreign = !given.to.contains(&tenant) && given.is_sent_by(tenant);
            if is_foreign && !partners.is_full() && !partners.contains(&given.to[0]) {
                partners.push(given.to[0]);
            }
        }
        partners
    }

    /// Those of a campaign that is none may go on.
    pub fn acquit(&mut self, is_its: impl Fn(u32) -> bool) {
        for seat in self.seats.values_mut().filter(|seat| is_its(seat.campaign)) {
            *seat = Seat { campaign: ACQUITTED, ..Seat::default() };
        }
    }

    fn is_acquitted(&self, tenant: u32) -> bool {
        self.seats.get(u64::from(tenant)).is_some_and(|seat| seat.campaign == ACQUITTED)
    }

    fn link(&mut self, tenant: u32, partner: u32, now: u64, campaigns: &mut Campaigns) {
        if self.is_acquitted(tenant) || self.is_acquitted(partner) {
            return;
        }
        let worth = |seat: &Seat| (seat.campaign != 0, seat.partners.len());
        let other = self.seats.get(u64::from(partner)).map_or(0, |seat| campaigns.root(seat.campaign));
        let (seat, _) = self.seats.entry(u64::from(tenant), Seat::default, worth);
        let mine = campaigns.root(seat.campaign);
        if !seat.partners.is_full() && !seat.partners.contains(&partner) {
            seat.partners.push(partner);
        }
        let is_member = seat.is_seat(MIN_PARTNERS);
        seat.campaign = match (mine, other) {
            (0, 0) => campaigns.open(Kind::Provenance, now),
            (0, other) => other,
            (mine, 0) => mine,
            (mine, other) => campaigns.merge(mine, other),
        };
        let number = seat.campaign;
        let (giver, _) = self.seats.entry(u64::from(partner), Seat::default, worth);
        giver.campaign = number;
        if !giver.takers.is_full() && !giver.takers.contains(&tenant) {
            giver.takers.push(tenant);
        }
        if let Some(campaign) = campaigns.get_mut(number) {
            campaign.pieces += 1;
            if is_member {
                if campaign.join(tenant) {
                    campaign.gain(NATS);
                }
                campaigns.touch(number, now);
            }
        }
    }

    fn judge(&self, tenant: u32, matches: bool, campaigns: &Campaigns) -> Found {
        let Some(seat) = self.seats.get(u64::from(tenant)) else { return Found { matches, ..Found::default() } };
        let campaign = campaigns.root(seat.campaign);
        let is_convicted = campaigns.is_convicted(campaign);
        let is_whole = is_convicted && seat.is_seat(MIN_PARTNERS_KNOWN);
        Found {
            campaign: if matches || is_whole { campaign } else { 0 },
            matches,
            event: matches.then_some(true),
            is_member: is_whole,
            pays: is_whole,
            is_whole,
            score: if is_convicted { seat.partners.len() as f64 / MIN_PARTNERS_KNOWN as f64 } else { 0.0 },
        }
    }

    fn get(&mut self, hash: u64, hour: u16) -> Option<&mut Given> {
        let start = self.start(hash);
        self.answers[start..start + WAYS].iter_mut().find(|given| given.is(hash, hour))
    }

    /// Of a full set the oldest goes.
    fn give(&mut self, hash: u64, tenant: u32, hour: u16) {
        let start = self.start(hash);
        let set = &mut self.answers[start..start + WAYS];
        let known = set.iter_mut().find(|given| given.is(hash, hour));
        let Some(given) = known else {
            let age = |place: &usize| (set[*place].tag != 0, std::cmp::Reverse(since(hour, set[*place].hour)));
            let place = (0..WAYS).min_by_key(age).unwrap_or_default();
            set[place] = Given { tag: hash, to: [tenant, 0], hour, ..Given::default() };
            return;
        };
        if given.to.contains(&tenant) {
            return;
        }
        match given.to.iter_mut().find(|receiver| **receiver == 0) {
            Some(free) => *free = tenant,
            None => given.is_shared = true,
        }
    }

    fn start(&self, hash: u64) -> usize {
        ((u128::from(mix(hash)) * u128::from(self.sets)) >> 64) as usize * WAYS
    }
}

impl BorshSerialize for Provenance {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        write_sparse(&self.answers, writer)?;
        self.seats.serialize(writer)?;
        write_sparse(&self.receivers, writer)
    }
}

impl BorshDeserialize for Provenance {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let answers: Box<[Given]> = read_sparse(reader)?;
        let seats = Bounded::deserialize_reader(reader)?;
        let receivers: Box<[u64]> = read_sparse(reader)?;
        let is_whole = answers.len().is_multiple_of(WAYS) && receivers.len() == RECEIVER_BITS / 64;
        ensure(is_whole, "number of answers or receivers")?;
        let sets = (answers.len() / WAYS) as u64;
        Ok(Self { answers, sets, seats, receivers })
    }
}

impl Given {
    fn is(&self, hash: u64, hour: u16) -> bool {
        self.tag == hash && since(hour, self.hour) < HORIZON_HOURS
    }

    /// Somebody sends it who was not given it. Does that say something about him?
    fn is_sent_by(&mut self, tenant: u32) -> bool {
        if self.sent_by.contains(&tenant) || self.is_shared {
            return !self.is_shared;
        }
        match self.sent_by.iter_mut().find(|sender| **sender == 0) {
            Some(free) => *free = tenant,
            None => self.is_shared = true,
        }
        !self.is_shared
    }
}

/// The lowest bit of a tenant is always set.
fn receiver(tenant: u32) -> usize {
    (tenant >> 1) as usize % RECEIVER_BITS
}
