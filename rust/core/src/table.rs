//! `Table`: a fixed number of cells in somebody's memory, found by hash, claimed and given up by compare-and-swap
//! alone.
//!
//! A key may live in eight rows of eight cells, its *candidates*, always tried in the same order and alternating
//! between the two halves of the table. Keys that nobody vouched for are put into the lower half only. Searches end
//! early at a cell of the lower half that was never used: whoever came before would have taken it.
//!
//! Nothing sweeps. A cell whose expiry has passed is taken by the next newcomer that meets it; nothing else is ever
//! taken, so an exhausted key is not forgotten to make room. How cells change hands: `table/claim.rs`.

mod claim;

pub use claim::vacate;

use crate::cell::Cell;
use crate::error::Error;
use crate::hash::{Digest, Seed, mix};
use crate::layout::*;
use crate::registry::Registry;
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst};
use crate::time::Nanos;
use crate::word::{Generation, Key, next};

#[cfg(not(loom))]
/// Rows in which a key may live. With eight cells each, a table filled to three quarters turns away fewer than one newcomer in
/// 100,000.
pub const RUNS: u64 = 8;
#[cfg(loom)]
/// Small, so that all interleavings can be tried.
pub const RUNS: u64 = 2;

/// Words in memory that outlive every reference to them.
pub trait Memory {
    /// All of them, always the same.
    fn words(&self) -> &[AtomicU64];
}

impl<T: AsRef<[AtomicU64]>> Memory for T {
    fn words(&self) -> &[AtomicU64] {
        self.as_ref()
    }
}

/// Fixed-size table of cells.
pub struct Table<M> {
    memory: M,
    seed: Seed,
    /// Rows in one half.
    half: u64,
}

/// Where a key lives, or is moving in.
#[derive(Clone, Copy)]
pub struct Found<'t> {
    /// Its cell.
    pub cell: Cell<'t>,
    /// The life in which it is the key's.
    pub generation: Generation,
    /// False: somebody began to move the key in and may have died over it.
    pub is_live: bool,
}

/// What the counters of a table say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Cells in all.
    pub cells: u64,
    /// Cells in use at the given instant.
    pub live: u64,
    /// Decisions refused because no cell was free.
    pub full_refused: u64,
    /// Decisions allowed although no cell was free.
    pub full_allowed: u64,
}

impl<M: Memory> Table<M> {
    /// Make a table of zeroed memory. Cost: writes one page; the rest is touched when used.
    pub fn format(memory: M, capacity: u64, seed: Seed) -> Result<Self, Error> {
        check_capacity(capacity)?;
        let words = memory.words();
        if words.len() < words_for(capacity) {
            return Err(Error::store(format!("{} words hold no table of capacity {capacity}", words.len())));
        }
        words[WORD_VERSION].store(VERSION, Relaxed);
        words[WORD_CAPACITY].store(capacity, Relaxed);
        words[WORD_SEED].store(seed.0[0], Relaxed);
        words[WORD_SEED + 1].store(seed.0[1], Relaxed);
        words[WORD_MAGIC].store(MAGIC, SeqCst);
        Self::open(memory)
    }

    /// Recognise a table that somebody else made. `StoreError` for anything else.
    pub fn open(memory: M) -> Result<Self, Error> {
        let words = memory.words();
        if words.len() < ROWS_START {
            return Err(Error::store("file is truncated: delete it"));
        }
        let [magic, version, capacity] =
            [WORD_MAGIC, WORD_VERSION, WORD_CAPACITY].map(|word| words[word].load(Acquire));
        if magic != MAGIC {
            return Err(Error::store("file is no ratelimit-guard table: name another path or delete it"));
        }
        if version != VERSION {
            let text = format!(
                "table has layout version {version}, this release knows {VERSION}: use one release on all workers, or stop them and delete the file"
            );
            return Err(Error::store(text));
        }
        check_capacity(capacity).map_err(|why| Error::store(format!("table is damaged ({why}): delete the file")))?;
        if words.len() != words_for(capacity) {
            let (there, needed) = (words.len() * 8, words_for(capacity) * 8);
            return Err(Error::store(format!("file has {there} bytes and needs {needed}: it is truncated, delete it")));
        }
        let seed = Seed([words[WORD_SEED].load(Acquire), words[WORD_SEED + 1].load(Acquire)]);
        Ok(Self { seed, half: rows_for(capacity) as u64 / 2, memory })
    }

    /// The memory it lives in.
    pub fn memory(&self) -> &M {
        &self.memory
    }
    /// Keys that fit comfortably.
    pub fn capacity(&self) -> u64 {
        self.memory.words()[WORD_CAPACITY].load(Relaxed)
    }
    /// Its secret.
    pub fn seed(&self) -> Seed {
        self.seed
    }
    /// The quotas it knows.
    pub fn registry(&self) -> Registry<'_> {
        Registry::new(self.memory.words())
    }
    /// Count an event in one of the words of the header.
    pub fn count(&self, word: usize) {
        self.memory.words()[word].fetch_add(1, Relaxed);
    }

    /// Cells in all.
    pub fn cells(&self) -> usize {
        2 * self.half as usize * ROW_CELLS
    }

    /// Walk the whole table. Cost: about 2 ns per cell.
    pub fn stats(&self, now: Nanos) -> Stats {
        let cells = self.cells() as u64;
        let in_use = |cell: &Cell<'_>| {
            let snapshot = cell.snapshot();
            snapshot.head.is_live() && !snapshot.is_expired(now.0)
        };
        let live = (0..cells as usize).map(|index| self.cell(index)).filter(in_use).count() as u64;
        let word = |word: usize| self.memory.words()[word].load(Relaxed);
        Stats { cells, live, full_refused: word(WORD_FULL_REFUSED), full_allowed: word(WORD_FULL_ALLOWED) }
    }

    /// The cell at a position.
    pub fn cell(&self, index: usize) -> Cell<'_> {
        let row = self.row((index / ROW_CELLS) as u64);
        row_cell(row, index, index % ROW_CELLS)
    }

    fn row(&self, row: u64) -> &[AtomicU64; ROW_WORDS] {
        let start = ROWS_START + row as usize * ROW_WORDS;
        self.memory.words()[start..].first_chunk().expect("rows lie inside the memory: checked when opened")
    }

    /// A key's row in the given run of the search: a position in one half, the halves alternating.
    #[inline]
    fn row_of(&self, digest: Digest, run: u64) -> u64 {
        let [_, bits] = digest.0;
        let spread = if run == 0 { bits } else { mix(bits.wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15))) };
        let position = (u128::from(spread) * u128::from(self.half)) >> 64;
        position as u64 + ((bits ^ run) & 1) * self.half
    }

    /// A key's candidates in their order, up to where a search may stop.
    fn candidates(&self, digest: Digest) -> impl Iterator<Item = Cell<'_>> {
        let mut stop = false;
        (0..RUNS)
            .map_while(move |run| {
                if stop {
                    return None;
                }
                let number = self.row_of(digest, run);
                let row = self.row(number);
                let never_used = row[..ROW_CELLS].iter().any(|key| key.load(Acquire) == Key::NEVER_USED.0);
                stop = never_used && number < self.half;
                Some((number, row))
            })
            .flat_map(move |(number, row)| cells_of(number, row, home_of(digest)))
    }

    /// The cell of a key, if it has one. Cost: one cache line of keys per run looked at, and one of state, fetched at
    /// once when the key lives in its home place.
    #[inline]
    pub fn find(&self, digest: Digest, now: Nanos) -> Option<Found<'_>> {
        let wanted = Key::new(digest.0[0], 0);
        for run in 0..RUNS {
            let number = self.row_of(digest, run);
            let row = self.row(number);
            let mut never_used = false;
            for place in places_from(home_of(digest)) {
                let key = Key(row[place].load(Acquire));
                never_used |= key == Key::NEVER_USED;
                if key.same_tag(wanted) {
                    let cell = row_cell(row, number as usize * ROW_CELLS + place, place);
                    if let Some(found) = self.recognise(cell, key, now) {
                        return Some(found);
                    }
                }
            }
            if never_used && number < self.half {
                return None;
            }
        }
        None
    }

    /// Does the cell really belong to the key that its key word names?
    fn recognise<'t>(&self, cell: Cell<'t>, key: Key, now: Nanos) -> Option<Found<'t>> {
        let head = cell.head();
        if head.is_live() && head.generation() == next(key.generation()) {
            self.settle(&cell, key, head, now);
            // A takeover between the two readings looks the same, but then the key word names somebody else.
            if !cell.key().same_tag(key) {
                return None;
            }
        } else if head.generation() != key.generation() {
            return None;
        }
        Some(Found { cell, generation: head.generation(), is_live: head.is_live() })
    }
}

/// Where in a row a key is looked for first. Processors guess right and fetch its state before they have compared
/// the key.
#[inline]
fn home_of(digest: Digest) -> usize {
    (digest.0[1] >> 1) as usize % ROW_CELLS
}

#[inline]
fn places_from(home: usize) -> impl Iterator<Item = usize> {
    (0..ROW_CELLS).map(move |step| (home + step) % ROW_CELLS)
}

fn cells_of(number: u64, row: &[AtomicU64; ROW_WORDS], home: usize) -> impl Iterator<Item = Cell<'_>> {
    places_from(home).map(move |place| row_cell(row, number as usize * ROW_CELLS + place, place))
}

#[inline]
fn row_cell(row: &[AtomicU64; ROW_WORDS], index: usize, place: usize) -> Cell<'_> {
    let start = ROW_CELLS + place * STATE_WORDS;
    let state = row[start..].first_chunk().expect("place is below ROW_CELLS");
    Cell { index, key: &row[place], state }
}

/// A capacity that can be addressed.
pub fn check_capacity(capacity: u64) -> Result<(), Error> {
    if (1..=MAX_CAPACITY).contains(&capacity) {
        return Ok(());
    }
    Err(Error::config(format!("capacity must be 1 to {MAX_CAPACITY}, got {capacity}")))
}
