//! What hosts tell each other: observations on their way to the one that judges for all, and what it told of them.
//!
//! Both are framed as states are ([`crate::saved`]), and begin with a mark of the secret: under another one the hashes
//! mean nothing. What was read is within the bounds that the ring and the books have.

use super::area::{ACCOUNTS, Area, PIECES};
use super::book::{Book, Told};
use super::look::{NAMES, Piece, Standing};
use super::record::{Record, is_own};
use super::ring::MAX_WORDS;
use crate::error::Error;
use crate::hash::{ByHash, Seed};
use crate::prompt::keys::MAX_KEYS;
use crate::saved::{ensure, load, save};
use crate::sync::Relaxed;
use crate::table::Memory;
use borsh::{BorshDeserialize, BorshSerialize, io};

/// Unix time in seconds up to which another host's clock is believed: the year 5138.
const MAX_TIME: f64 = 1e11;

/// Records as bytes.
pub fn batch(seed: Seed, records: &[Vec<u64>]) -> Result<Vec<u8>, Error> {
    save("batch", &(mark(seed), records))
}

/// The records of [`batch`]. `StoreError` for anything else, also when one of them says what no worker tells.
pub fn read_batch(seed: Seed, bytes: &[u8]) -> Result<Vec<Vec<u64>>, Error> {
    let (told, records): (u64, Vec<Vec<u64>>) = load("batch", bytes)?;
    check(seed, told)?;
    match records.iter().find(|words| !is_told(words)) {
        Some(_) => Err(Error::store("a batch of observations cannot be used: it holds a record that no worker writes")),
        None => Ok(records),
    }
}

fn is_told(words: &[u64]) -> bool {
    words.len() < MAX_WORDS // it is one longer in the ring
        && is_own(words)
        && Record::read(words).is_some_and(|record| match record {
            Record::Observation(seen) => (0.0..=MAX_TIME).contains(&seen.time) && seen.facts.keys.len() <= MAX_KEYS,
            _ => true,
        })
}

/// All that the books tell, as it goes from host to host.
#[derive(Debug, BorshSerialize, BorshDeserialize)]
pub struct Verdicts {
    mark: u64,
    convicted: u64,
    time: u64,
    accounts: Vec<(u64, Told)>,
    pieces: Vec<(u64, Told)>,
    rungs: Vec<(u32, u8)>,
}

impl Verdicts {
    /// What an area tells now. Cost: 5 ms, most of it for empty places.
    pub fn of<M: Memory>(area: &Area<M>) -> Self {
        let rung = |name| area.rung(name).load(Relaxed) as u8;
        Self {
            mark: mark(area.seed()),
            convicted: area.convicted().load(Relaxed),
            time: area.time().load(Relaxed),
            accounts: area.accounts().iter().collect(),
            pieces: area.pieces().iter().collect(),
            rungs: (1..=NAMES).map(|name| (name, rung(name))).filter(|(_, rung)| *rung != 0).collect(),
        }
    }

    /// As bytes: 24 for each account and piece.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        save("verdicts", self)
    }

    /// What [`Verdicts::bytes`] wrote under this secret, or a `StoreError`.
    pub fn read(seed: Seed, bytes: &[u8]) -> Result<Self, Error> {
        let mut verdicts: Self = load("verdicts", bytes)?;
        check(seed, verdicts.mark)?;
        let possible = verdicts.bound();
        possible.map(|()| verdicts).map_err(|why| Error::store(format!("the verdicts cannot be used: {why}")))
    }

    /// Refuse what no books hold, and take away bits that mean nothing.
    fn bound(&mut self) -> io::Result<()> {
        ensure(self.accounts.len() <= ACCOUNTS && self.pieces.len() <= PIECES, "number of verdicts")?;
        ensure(self.rungs.iter().all(|(name, _)| (1..=NAMES).contains(name)), "name of a campaign")?;
        for (_, told) in &mut self.accounts {
            let standing = Standing::of(*told);
            ensure(standing.score.is_finite(), "score")?;
            *told = standing.told();
        }
        self.pieces.iter_mut().for_each(|(_, told)| *told = Piece::of(*told).told());
        Ok(())
    }

    /// Tell just this, and nothing else any longer. For the one who writes.
    pub fn tell<M: Memory>(&self, area: &Area<M>) {
        replace(area.accounts(), &self.accounts);
        replace(area.pieces(), &self.pieces);
        let rungs: ByHash<u8> = self.rungs.iter().map(|&(name, rung)| (u64::from(name), rung)).collect();
        for name in 1..=NAMES {
            let rung = rungs.get(&u64::from(name)).copied().unwrap_or_default();
            area.rung(name).store(u64::from(rung), Relaxed);
        }
        area.learned().store(1, Relaxed);
        area.convicted().store(self.convicted, Relaxed);
        area.time().store(self.time, Relaxed);
    }
}

/// What goes makes room first: then all that stood in a set of the other book finds room in this one's.
fn replace(book: Book<'_>, told: &[(u64, Told)]) {
    let stays: ByHash<()> = told.iter().map(|&(key, _)| (key, ())).collect();
    for place in 0..book.capacity() {
        if let Some((key, _)) = book.at(place).filter(|(key, _)| !stays.contains_key(key)) {
            book.remove(key);
        }
    }
    for &(key, told) in told {
        _ = book.set_told(key, told);
    }
}

fn mark(seed: Seed) -> u64 {
    seed.digest(b"exchange").0[0]
}

fn check(seed: Seed, told: u64) -> Result<(), Error> {
    if told == mark(seed) {
        return Ok(());
    }
    Err(Error::store("another host keys its hashes with another secret: use one baseline on all hosts"))
}
