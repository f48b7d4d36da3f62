//! The shared memory of a detector: who made it, the ring, and the books.

use super::book::{Book, ENTRY};
use super::ring::{HEAD_WORDS, Ring};
use crate::error::Error;
use crate::hash::Seed;
use crate::layout::WORDS_HOST;
use crate::sync::{AtomicU64, Relaxed, SeqCst};
use crate::table::Memory;
use std::ops::Range;

/// "rlguard" and a letter for what it is.
pub const MAGIC: u64 = u64::from_be_bytes(*b"rlguardD");
/// Changes whenever the meaning of a word does.
pub const VERSION: u64 = 1;

const WORD_MAGIC: usize = 0;
const WORD_VERSION: usize = 1;
/// Two words of the secret that keys all hashes.
const WORD_SEED: usize = 4;
/// A number that no other area has.
const WORD_ID: usize = 6;
// Words 8 to 16 belong to the host, as in the table of counters.
const _: () = assert!(WORDS_HOST.start == 8 && WORDS_HOST.end == 16);
/// Campaigns that are convicted now: while it is 0 nobody looks for pieces.
const WORD_CONVICTED: usize = 16;
/// Records that were folded.
const WORD_FOLDED: usize = 24;
/// Times that a process became the one that folds.
const WORD_TERMS: usize = 32;
/// Times that the state was saved.
const WORD_SAVED: usize = 40;
/// Unix time, in seconds, of the last record that was folded.
const WORD_TIME: usize = 48;
/// The process that was elected last.
const WORD_LEADER: usize = 56;
/// Where in the ring the state stood that was saved last.
const WORD_SAVED_UP_TO: usize = 57;
/// Two words: how far the stream between hosts was read.
const WORD_READ_UP_TO: usize = 58;
/// 1: what the books tell was judged by another host.
const WORD_LEARNED: usize = 60;

/// Words of the ring: 4 MiB, some seven thousand observations.
pub const RING_WORDS: usize = 1 << 19;
/// Accounts whose standing is told: 2 MiB. Those of whom nothing is to be told need none.
pub const ACCOUNTS: usize = 1 << 16;
/// Pieces of convicted campaigns: 4 MiB.
pub const PIECES: usize = 1 << 17;
/// Campaigns whose rung is told, by name.
pub const CAMPAIGNS: usize = 1 << 12;

const RING: Range<usize> = 64..64 + HEAD_WORDS + RING_WORDS;
const ACCOUNT_BOOK: Range<usize> = RING.end..RING.end + ACCOUNTS * ENTRY;
const PIECE_BOOK: Range<usize> = ACCOUNT_BOOK.end..ACCOUNT_BOOK.end + PIECES * ENTRY;
const RUNGS: Range<usize> = PIECE_BOOK.end..PIECE_BOOK.end + CAMPAIGNS;
/// Words of an area: 10 MiB.
pub const AREA_WORDS: usize = RUNGS.end;

/// The area.
#[derive(Debug)]
pub struct Area<M>(M);

impl<M: Memory> Area<M> {
    /// Make an area of zeroed memory.
    pub fn format(memory: M, seed: Seed, id: u64) -> Result<Self, Error> {
        let words = memory.words();
        if words.len() < AREA_WORDS {
            return Err(Error::store(format!("{} words hold no detector", words.len())));
        }
        words[WORD_VERSION].store(VERSION, Relaxed);
        words[WORD_SEED].store(seed.0[0], Relaxed);
        words[WORD_SEED + 1].store(seed.0[1], Relaxed);
        words[WORD_ID].store(id, Relaxed);
        words[WORD_MAGIC].store(MAGIC, SeqCst);
        Self::open(memory)
    }

    /// Recognise an area that somebody else made. `StoreError` for anything else.
    pub fn open(memory: M) -> Result<Self, Error> {
        let words = memory.words();
        if words.len() != AREA_WORDS || words[WORD_MAGIC].load(SeqCst) != MAGIC {
            return Err(Error::store("file is no ratelimit-guard detector, or a truncated one: delete it"));
        }
        let version = words[WORD_VERSION].load(Relaxed);
        if version != VERSION {
            return Err(Error::store(format!(
                "detector has layout version {version}, this release knows {VERSION}: use one release on all workers, or stop them and delete the file"
            )));
        }
        Ok(Self(memory))
    }

    /// The memory it lives in.
    pub fn memory(&self) -> &M {
        &self.0
    }
    /// A number that no other area has: places in its ring mean nothing elsewhere.
    pub fn id(&self) -> u64 {
        self.word(WORD_ID).load(Relaxed)
    }
    /// What keys all hashes.
    pub fn seed(&self) -> Seed {
        Seed([self.word(WORD_SEED).load(Relaxed), self.word(WORD_SEED + 1).load(Relaxed)])
    }
    /// Observations that wait.
    pub fn ring(&self) -> Ring<'_> {
        Ring::new(&self.0.words()[RING])
    }
    /// How accounts stand.
    pub fn accounts(&self) -> Book<'_> {
        Book::new(&self.0.words()[ACCOUNT_BOOK])
    }
    /// What belongs to convicted campaigns.
    pub fn pieces(&self) -> Book<'_> {
        Book::new(&self.0.words()[PIECE_BOOK])
    }
    /// The word in which the rung of the campaign of this name is told.
    pub fn rung(&self, name: u32) -> &AtomicU64 {
        &self.0.words()[RUNGS.start + name as usize % CAMPAIGNS]
    }
    /// Campaigns that are convicted now.
    pub fn convicted(&self) -> &AtomicU64 {
        self.word(WORD_CONVICTED)
    }
    /// Records that were folded.
    pub fn folded(&self) -> &AtomicU64 {
        self.word(WORD_FOLDED)
    }
    /// Times that a process was elected.
    pub fn terms(&self) -> &AtomicU64 {
        self.word(WORD_TERMS)
    }
    /// Times that the state was saved.
    pub fn saved(&self) -> &AtomicU64 {
        self.word(WORD_SAVED)
    }
    /// The process that was elected last.
    pub fn leader(&self) -> &AtomicU64 {
        self.word(WORD_LEADER)
    }
    /// Where in the ring the state stood that was saved last.
    pub fn saved_up_to(&self) -> &AtomicU64 {
        self.word(WORD_SAVED_UP_TO)
    }
    /// 1: what the books tell was judged by another host.
    pub fn learned(&self) -> &AtomicU64 {
        self.word(WORD_LEARNED)
    }
    /// How far the stream between hosts was read.
    pub fn read_up_to(&self) -> &[AtomicU64] {
        &self.0.words()[WORD_READ_UP_TO..][..2]
    }
    /// Unix time of the last record that was folded.
    pub fn time(&self) -> &AtomicU64 {
        self.word(WORD_TIME)
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        &self.0.words()[word]
    }
}
