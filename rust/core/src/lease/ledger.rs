//! The ledger: an entry of 40 words for each reservation in flight.
//!
//! ```text
//! words 0..64  head: magic, version, entries, identity of the table, … (8..16 belong to the host)
//! entry        owner, heartbeat, account, flags, instants of the last charge and renewal, two unused; 16 × (place, hold)
//! ```

use super::LEASE;
use super::line::{Hold, Owner, Place};
use crate::counter::give_back;
use crate::error::Error;
use crate::layout::WORDS_HOST;
use crate::limiter::MAX_POLICIES;
use crate::sync::{AcqRel, Acquire, AtomicU64, Relaxed, SeqCst};
use crate::table::{Memory, Table};
use crate::time::{Clock, Nanos};
use crate::word::Generation;

/// "rlguard" and a letter for what it is.
pub const MAGIC: u64 = u64::from_be_bytes(*b"rlguardL");
/// Changes whenever the meaning of a word does.
pub const VERSION: u64 = 1;
/// Words of an entry.
pub const ENTRY_WORDS: usize = LINES + 2 * MAX_POLICIES;
#[cfg(loom)]
/// Loom tracks every word.
pub const MIN_ENTRIES: u64 = 1;
#[cfg(not(loom))]
/// Fewest entries: a small table serves few keys, but each may have several streams.
pub const MIN_ENTRIES: u64 = 256;
/// Most entries: 5 MiB, more streams than one host serves.
pub const MAX_ENTRIES: u64 = 16_384;
/// Keys of a table for each entry.
const KEYS_PER_ENTRY: u64 = 64;
/// Used entries in a row that a newcomer looks at; then it takes one that was never used, or none.
const MAX_PROBES: u64 = 256;
/// Times that a word is swapped anew; only a reclaimer changes somebody else's, once.
const MAX_TRIES: u32 = 64;

const HEAD: usize = 64;
const WORD_MAGIC: usize = 0;
const WORD_VERSION: usize = 1;
const WORD_ENTRIES: usize = 2;
/// What tells the table from others: a hash of its seed.
const WORD_TABLE: usize = 3;
const _: () = assert!(WORDS_HOST.start == 8 && WORDS_HOST.end == 16);
/// Entries that have been used so far are those below.
const WORD_HIGH: usize = 16;
const WORD_RECLAIMED: usize = 24;
const WORD_UNLISTED: usize = 32;

const OWNER: usize = 0;
const HEARTBEAT: usize = 1;
const ACCOUNT: usize = 2;
const FLAGS: usize = 3;
const CHARGED_AT: usize = 4;
const RENEWED_AT: usize = 5;
const LINES: usize = 8;
/// The flag of an entry whose output nobody may look past; below it stands the number of its lines.
const FIRM: u64 = 1 << 8;

/// Entries of the ledger of a table for `capacity` keys.
pub fn entries_for(capacity: u64) -> u64 {
    (capacity / KEYS_PER_ENTRY).clamp(MIN_ENTRIES, MAX_ENTRIES)
}

/// Words of such a ledger.
pub fn words_for(capacity: u64) -> usize {
    HEAD + entries_for(capacity) as usize * ENTRY_WORDS
}

/// Entries of reservations in flight, of all processes of a table.
pub struct Ledger<M> {
    memory: M,
    /// The entry that this process freed last: it is warm, and those in use stay close together.
    freed: AtomicU64,
}

/// What the counters of a ledger say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries in use.
    pub live: u64,
    /// Entries taken back from owners that died or were stopped.
    pub reclaimed: u64,
    /// Reservations for which there was no room.
    pub unlisted: u64,
}

/// An entry in one use.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    index: usize,
    owner: Owner,
}

/// Whose reservation an entry lists.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Secret hash of the account; 0: none.
    pub account: u64,
    /// May nobody look past its output?
    pub firm: bool,
    /// Lines that it may use.
    pub lines: usize,
}

impl<M: Memory> Ledger<M> {
    /// Make a ledger of zeroed memory for the table of this seed.
    pub fn format(memory: M, entries: u64, table: u64) -> Result<Self, Error> {
        let words = memory.words();
        if words.len() != HEAD + entries as usize * ENTRY_WORDS {
            return Err(Error::store(format!("{} words hold no ledger of {entries} entries", words.len())));
        }
        words[WORD_VERSION].store(VERSION, Relaxed);
        words[WORD_ENTRIES].store(entries, Relaxed);
        words[WORD_TABLE].store(table, Relaxed);
        words[WORD_MAGIC].store(MAGIC, SeqCst);
        Self::open(memory)
    }

    /// Recognise a ledger that somebody else made. `StoreError` for anything else.
    pub fn open(memory: M) -> Result<Self, Error> {
        let words = memory.words();
        if words.len() < HEAD || words[WORD_MAGIC].load(Acquire) != MAGIC {
            return Err(Error::store("file is no ratelimit-guard ledger of leases: delete it"));
        }
        let version = words[WORD_VERSION].load(Relaxed);
        if version != VERSION {
            return Err(Error::store(format!(
                "ledger of leases has layout version {version}, this release knows {VERSION}: use one release on all workers, or stop them and delete the file"
            )));
        }
        let entries = words[WORD_ENTRIES].load(Relaxed);
        if !(MIN_ENTRIES..=MAX_ENTRIES).contains(&entries) || words.len() != HEAD + entries as usize * ENTRY_WORDS {
            return Err(Error::store("ledger of leases is truncated: delete the file"));
        }
        Ok(Self { memory, freed: AtomicU64::new(0) })
    }

    /// The memory it lives in.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Was it made for this table, with so many entries?
    pub fn belongs_to(&self, entries: u64, table: u64) -> bool {
        self.entries() == entries && self.word(WORD_TABLE).load(Relaxed) == table
    }

    /// Walk all entries that have been used. Cost: a cache line for each.
    pub fn stats(&self) -> Stats {
        let live = self.used().filter(|index| self.owner(*index).pid() != 0).count() as u64;
        let word = |word| self.word(word).load(Relaxed);
        Stats { live, reclaimed: word(WORD_RECLAIMED), unlisted: word(WORD_UNLISTED) }
    }

    /// Take an entry for a reservation of `me`. None: there is no room, which is counted.
    pub fn claim(&self, me: Owner, terms: Terms, now: Nanos) -> Option<Entry> {
        let (high, entries) = (self.used().end as u64, self.entries());
        let from = self.freed.load(Relaxed);
        let near = (0..high.min(MAX_PROBES)).map(|step| (from + step) % high);
        let taken = near.chain(high..entries).find_map(|index| self.try_claim(index as usize, me, now));
        let Some(entry) = taken else {
            self.word(WORD_UNLISTED).fetch_add(1, Relaxed);
            return None;
        };
        self.freed.store(entry.index as u64, Relaxed);
        self.at(entry.index, ACCOUNT).store(terms.account, Relaxed);
        self.at(entry.index, FLAGS).store(terms.lines as u64 | if terms.firm { FIRM } else { 0 }, Relaxed);
        Some(entry)
    }

    fn try_claim(&self, index: usize, me: Owner, now: Nanos) -> Option<Entry> {
        let seen = self.owner(index);
        if seen.pid() != 0 {
            return None;
        }
        raise(self.word(WORD_HIGH), index as u64 + 1);
        // Before it is ours: an entry with an old heartbeat is taken back.
        raise(self.at(index, HEARTBEAT), now.0);
        let owner = me.after(seen);
        self.swap_owner(index, seen, owner).then_some(Entry { index, owner })
    }

    /// Give an entry back whose lines are all lowered.
    pub fn free(&self, entry: Entry) {
        if self.is_of(entry) {
            self.at(entry.index, ACCOUNT).store(0, Relaxed);
            self.swap_owner(entry.index, entry.owner, entry.owner.gone());
            self.freed.store(entry.index as u64, Relaxed);
        }
    }

    /// Tell that the owner lives.
    pub fn beat(&self, entry: Entry, now: Nanos) {
        if self.is_of(entry) {
            raise(self.at(entry.index, HEARTBEAT), now.0);
        }
    }

    /// List units at a place, in a line that lists none. None: the entry was taken back, and nothing is listed.
    pub fn list(&self, entry: Entry, line: usize, place: Place, hold: Hold, at: Nanos) -> Option<()> {
        let time = if place.is_permit() { RENEWED_AT } else { CHARGED_AT };
        self.swap_as(entry, LINES + 2 * line, place.0)?;
        if !self.is_of(entry) {
            return None;
        }
        self.at(entry.index, time).store(at.0, SeqCst);
        self.swap_as(entry, LINES + 2 * line + 1, hold.0)?;
        Some(())
    }

    /// Replace what a line lists. False: the entry was taken back, and what the line listed was given back.
    #[inline]
    pub fn swap(&self, entry: Entry, line: usize, old: Hold, new: Hold) -> bool {
        self.at(entry.index, LINES + 2 * line + 1).compare_exchange(old.0, new.0, AcqRel, Acquire).is_ok()
    }

    /// Replace what the line of a permit lists by its renewal at `at`. False: as for [`Ledger::swap`].
    pub fn renew(&self, entry: Entry, line: usize, old: Hold, new: Hold, at: Nanos) -> bool {
        if !self.is_of(entry) {
            return false;
        }
        self.at(entry.index, RENEWED_AT).store(at.0, SeqCst);
        self.swap(entry, line, old, new)
    }

    /// A hold of this use of an entry.
    pub fn hold(&self, entry: Entry, mark: u64, amount: u64) -> Hold {
        Hold::new(entry.owner, mark, amount)
    }

    /// A place of this use of an entry.
    pub fn place(&self, entry: Entry, cell: (usize, Generation), is_permit: bool) -> Place {
        Place::new(entry.owner, cell, is_permit)
    }

    /// Has the account a reservation in flight?
    pub fn has(&self, account: u64) -> bool {
        self.used().any(|index| self.at(index, ACCOUNT).load(Relaxed) == account && self.owner(index).pid() != 0)
    }

    /// Output that reservations in flight hold in a cell and have not spent, but those that are firm.
    pub fn unspent(&self, cell: (usize, Generation)) -> u64 {
        let open = |index: &usize| self.owner(*index).pid() != 0 && self.at(*index, FLAGS).load(Relaxed) & FIRM == 0;
        self.used().filter(open).map(|index| self.unspent_of(index, cell)).sum()
    }

    fn unspent_of(&self, index: usize, cell: (usize, Generation)) -> u64 {
        let lines = (self.at(index, FLAGS).load(Relaxed) & (FIRM - 1)).min(MAX_POLICIES as u64) as usize;
        let listed = |line: usize| {
            let place = Place(self.at(index, LINES + 2 * line).load(Acquire));
            (place.cell() == cell && !place.is_permit())
                .then(|| Hold(self.at(index, LINES + 2 * line + 1).load(Acquire)).amount())
        };
        (0..lines).filter_map(listed).sum()
    }

    /// Take back what dead owners hold, and those not heard of for a lease; how many entries. `is_dead` is asked once
    /// for several entries of one process in a row.
    pub fn reclaim<T: Memory>(
        &self,
        table: &Table<T>,
        me: Owner,
        is_dead: impl Fn(Owner) -> bool,
        clock: &impl Clock,
    ) -> u64 {
        let same = |owner: Owner| owner.after(Owner(0));
        let mut last = (Owner(0), false);
        let mut lost = |index: usize| {
            let owner = self.owner(index);
            if owner.pid() == 0 {
                return None;
            }
            if last.0 != same(owner) {
                last = (same(owner), same(owner) != same(me) && is_dead(owner));
            }
            let silent = clock.now() - Nanos(self.at(index, HEARTBEAT).load(Acquire));
            (last.1 || silent > LEASE).then_some((index, owner))
        };
        let lost = self.used().filter_map(&mut lost);
        lost.filter(|(index, seen)| self.take_back(table, *index, *seen, me, clock.now())).count() as u64
    }

    fn take_back<T: Memory>(&self, table: &Table<T>, index: usize, seen: Owner, me: Owner, now: Nanos) -> bool {
        let entry = Entry { index, owner: me.after(seen) };
        // Others must not take it over from us meanwhile.
        raise(self.at(index, HEARTBEAT), now.0);
        if !self.swap_owner(index, seen, entry.owner) {
            return false;
        }
        for line in 0..MAX_POLICIES {
            let empty = Hold::new(entry.owner, 0, 0);
            if let Some(hold) = self.swap_as(entry, LINES + 2 * line + 1, empty.0).map(Hold) {
                self.refund(table, index, line, hold, now);
            }
        }
        self.free(entry);
        self.word(WORD_RECLAIMED).fetch_add(1, Relaxed);
        true
    }

    /// What a line listed goes back to its cell, if that still is what it was.
    fn refund<T: Memory>(&self, table: &Table<T>, index: usize, line: usize, hold: Hold, now: Nanos) {
        let place = Place(self.at(index, LINES + 2 * line).load(Acquire));
        let at = if place.is_permit() { RENEWED_AT } else { CHARGED_AT };
        let at = Nanos(self.at(index, at).load(Acquire));
        // Whatever somebody scribbled here: no cell lies outside of the table.
        if hold.amount() > 0 && place.cell().0 < table.cells() {
            give_back(table, place.cell(), hold.mark(), hold.amount(), at, now);
        }
    }

    /// Put a value into a word of an entry that is still ours; what stood there before. Reading first and looking at
    /// the owner second shows that what is swapped is of no later use.
    fn swap_as(&self, entry: Entry, word: usize, new: u64) -> Option<u64> {
        let word = self.at(entry.index, word);
        for _ in 0..MAX_TRIES {
            let old = word.load(SeqCst);
            if !self.is_of(entry) {
                break;
            }
            if word.compare_exchange(old, new, SeqCst, Acquire).is_ok() {
                return Some(old);
            }
        }
        None
    }

    fn swap_owner(&self, index: usize, old: Owner, new: Owner) -> bool {
        self.at(index, OWNER).compare_exchange(old.0, new.0, SeqCst, Acquire).is_ok()
    }

    fn is_of(&self, entry: Entry) -> bool {
        self.owner(entry.index) == entry.owner
    }

    fn owner(&self, index: usize) -> Owner {
        Owner(self.at(index, OWNER).load(SeqCst))
    }

    fn used(&self) -> std::ops::Range<usize> {
        0..self.word(WORD_HIGH).load(Acquire).min(self.entries()) as usize
    }

    fn entries(&self) -> u64 {
        ((self.memory.words().len() - HEAD) / ENTRY_WORDS) as u64
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        &self.memory.words()[word]
    }

    fn at(&self, index: usize, word: usize) -> &AtomicU64 {
        &self.memory.words()[HEAD + index * ENTRY_WORDS + word]
    }
}

/// Make a word at least `value`.
fn raise(word: &AtomicU64, value: u64) {
    let mut seen = word.load(Acquire);
    while seen < value {
        match word.compare_exchange(seen, value, SeqCst, Acquire) {
            Ok(_) => break,
            Err(there) => seen = there,
        }
    }
}
