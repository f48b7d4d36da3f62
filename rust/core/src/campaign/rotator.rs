//! What an account does with shared pieces: repeats its own, or draws on a stock.
//!
//! Honest people who share a text have it from somewhere and stay with it: the second request with a viral prompt holds
//! the same shared piece as the first. Members of a campaign draw on a stock of templates, phrases or seed tasks:
//! nearly each of their requests brings a piece, or two pieces together, that they did not use before, and others did.
//!
//! The evidence is a CUSUM (Page, 1954) of log-likelihood ratios of that event: [`HONEST`] of the requests against
//! [`GUILTY`]. Below [`FLOOR`] it does not fall, so that a past as an honest account is no credit without end.

use super::HORIZON;
use super::units::Unit;
use crate::hash::mix;
use crate::saved::ensure;
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

/// Rate of such requests, among those with shared pieces, that honest accounts may have. Users of a public prompt pack
/// that no history knows have 0.16, 0.4 in their first requests.
pub const HONEST: f64 = 0.3;
/// Rate of members.
pub const GUILTY: f64 = 0.85;
/// Nats: two events in a row make up for whatever was before.
pub const FLOOR: f64 = -1.2;
/// Nats from which an account counts as one that rotates: a single event is enough at first.
pub const ROTATES: f64 = 0.5;
/// Least share of events among the requests since its first match: a heavy tenant meets others' words now and then.
pub const MIN_SHARE: f64 = 0.04;
/// Keys that are remembered of an account: pieces it used, and by which it is assigned to a campaign.
pub const KEYS: usize = 24;

/// Units of a request whose combinations count: of more, a sample.
const COMBINED: usize = 4;
/// Bits of the memory for used combinations.
const BITS: usize = 256;
/// Of these as many may be set until it starts anew: else everything would seem used.
const MAX_SET: u32 = 96;

/// An account that sent shared pieces.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Rotator {
    used: [u64; BITS / 64],
    keys: [u64; KEYS],
    #[borsh(deserialize_with = "read_filled")]
    filled: u8,
    /// Nats.
    pub evidence: f32,
    /// The highest so far.
    pub highest: f32,
    /// Nats that it has added to its campaign.
    pub given: f32,
    /// Requests since its first match.
    pub requests: u32,
    /// Requests that matched.
    pub matches: u32,
    /// Matches that brought something new.
    pub events: u32,
    /// Its campaign; 0 for none.
    pub campaign: u32,
    /// Seconds, of its last request.
    pub last: u64,
}

impl Default for Rotator {
    fn default() -> Self {
        Self {
            used: [0; BITS / 64],
            keys: [0; KEYS],
            filled: 0,
            evidence: 0.0,
            highest: 0.0,
            given: 0.0,
            requests: 0,
            matches: 0,
            events: 0,
            campaign: 0,
            last: 0,
        }
    }
}

fn read_filled<R: Read>(reader: &mut R) -> io::Result<u8> {
    let filled = u8::deserialize_reader(reader)?;
    ensure(usize::from(filled) <= KEYS, "number of pieces")?;
    Ok(filled)
}

/// What a match adds to the evidence.
pub fn step(is_event: bool) -> f64 {
    match is_event {
        true => (GUILTY / HONEST).ln(),
        false => ((1.0 - GUILTY) / (1.0 - HONEST)).ln(),
    }
}

impl Rotator {
    /// A request of its came. Who was away for longer than anything is remembered starts anew.
    pub fn begin(&mut self, now: u64) {
        if self.requests > 0 && now > self.last.saturating_add(HORIZON) {
            *self = Self::default();
        }
        self.requests += 1;
        self.last = self.last.max(now);
    }

    /// Who goes first when there is no room.
    pub fn worth(&self) -> (bool, bool) {
        (self.rotates(), self.matches > 1)
    }

    /// Add a match. Whether it is an event; `None` when nothing can be said, because all is new.
    pub fn add(&mut self, units: &[Unit<'_>], digest: u64) -> Option<bool> {
        let is_full = self.used.iter().map(|word| word.count_ones()).sum::<u32>() > MAX_SET;
        let is_first = self.matches == 0 || is_full;
        if is_full {
            self.used = [0; BITS / 64];
        }
        let is_new = self.combine(units, digest);
        self.matches += 1;
        for unit in units {
            self.keep(unit.key.key);
        }
        if is_first {
            return None;
        }
        self.events += u32::from(is_new);
        self.evidence = (f64::from(self.evidence) + step(is_new)).max(FLOOR) as f32;
        self.highest = self.highest.max(self.evidence);
        Some(is_new)
    }

    /// Evidence that counts: none where events are rare among all requests. Of an account of a convicted campaign the
    /// highest so far: with a small stock it has at some time used every combination.
    pub fn standing(&self, is_convicted: bool) -> f64 {
        let is_rare = f64::from(self.events) < MIN_SHARE * f64::from(self.requests);
        let evidence = f64::from(if is_convicted { self.highest } else { self.evidence });
        if is_rare { evidence.min(0.0) } else { evidence }
    }

    /// Does it rotate?
    pub fn rotates(&self) -> bool {
        self.standing(false) >= ROTATES
    }

    /// Does at least this share of its requests match?
    pub fn is_mostly(&self, share: f64) -> bool {
        f64::from(self.matches) >= share * f64::from(self.requests)
    }

    /// Are matches more than what happens to everybody, of all the requests of its account?
    pub fn is_share_of(&self, requests: u32) -> bool {
        f64::from(self.matches) >= MIN_SHARE * f64::from(requests)
    }

    /// Pieces it used.
    pub fn keys(&self) -> &[u64] {
        &self.keys[..usize::from(self.filled)]
    }

    /// Remember units and pairs of them. Was one of them new?
    fn combine(&mut self, units: &[Unit<'_>], digest: u64) -> bool {
        let mut names: Vec<u64> = units.iter().map(Unit::name).collect();
        names.sort_unstable_by_key(|name| mix(name ^ digest));
        names.truncate(COMBINED);
        let mut is_new = false;
        for (place, &one) in names.iter().enumerate() {
            is_new |= self.set(mix(one));
            for &two in &names[..place] {
                // The same for both orders.
                is_new |= self.set(mix(mix(one) ^ mix(two)));
            }
        }
        is_new
    }

    fn set(&mut self, hash: u64) -> bool {
        let (word, bit) = (&mut self.used[(hash >> 6) as usize % (BITS / 64)], 1 << (hash % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// When there is no room, a key takes the place of some other.
    fn keep(&mut self, key: u64) {
        if self.keys().contains(&key) {
            return;
        }
        let place = match usize::from(self.filled) {
            KEYS => (mix(key ^ u64::from(self.matches)) % KEYS as u64) as usize,
            free => free,
        };
        self.filled = self.filled.max(place as u8 + 1);
        self.keys[place] = key;
    }
}
