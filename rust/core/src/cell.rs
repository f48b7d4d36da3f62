//! A cell: the atomic words of one counter, and the few ways in which they may change.

use crate::layout::STATE_WORDS;
use crate::sync::{AcqRel, Acquire, AtomicU64};
use crate::word::{Expiry, Generation, Head, Key, Past};

/// The five words of one counter.
#[derive(Clone, Copy)]
pub struct Cell<'t> {
    /// Position in the table, for receipts.
    pub index: usize,
    /// The word that says whose cell this is.
    pub key: &'t AtomicU64,
    /// Head, expiry and two words for the past.
    pub state: &'t [AtomicU64; STATE_WORDS],
}

/// What was read from a cell: consistent as long as the head has not moved since.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Read first.
    pub head: Head,
    /// Read second; whoever rewrites them raises the expiry before.
    pub past: [Past; 2],
    /// Read last: if the past was already rewritten for a later time, this tells.
    pub expiry: Expiry,
}

const HEAD: usize = 0;
const EXPIRY: usize = 1;
const PAST: usize = 2;

impl Cell<'_> {
    /// Read the key word.
    pub fn key(&self) -> Key {
        Key(self.key.load(Acquire))
    }
    /// Read the head.
    pub fn head(&self) -> Head {
        Head(self.state[HEAD].load(Acquire))
    }
    /// Read the expiry.
    pub fn expiry(&self) -> Expiry {
        Expiry(self.state[EXPIRY].load(Acquire))
    }
    /// Read the state in the order that makes it consistent.
    #[inline]
    pub fn snapshot(&self) -> Snapshot {
        let head = self.head();
        let past = [Past(self.state[PAST].load(Acquire)), Past(self.state[PAST + 1].load(Acquire))];
        Snapshot { head, past, expiry: self.expiry() }
    }
    /// Swap the key word; false if it was not `old` any more.
    pub fn swap_key(&self, old: Key, new: Key) -> bool {
        self.key.compare_exchange(old.0, new.0, AcqRel, Acquire).is_ok()
    }
    /// Swap the head; false if it was not `old` any more. This is where a decision happens.
    #[inline]
    pub fn swap_head(&self, old: Head, new: Head) -> bool {
        self.state[HEAD].compare_exchange(old.0, new.0, AcqRel, Acquire).is_ok()
    }
    /// Swap one word of the past.
    pub fn swap_past(&self, word: usize, old: Past, new: Past) -> bool {
        old == new || self.state[PAST + word].compare_exchange(old.0, new.0, AcqRel, Acquire).is_ok()
    }
    /// Clear what `generation` has in the past as the snapshot saw it. False: somebody else is writing there.
    pub fn clear_past(&self, snapshot: &Snapshot, generation: Generation) -> bool {
        let clear = |(word, past): (usize, &Past)| !past.belongs_to(generation) || self.swap_past(word, *past, Past(0));
        snapshot.past.iter().enumerate().all(clear)
    }
    /// Swap the expiry.
    pub fn swap_expiry(&self, old: Expiry, new: Expiry) -> bool {
        self.state[EXPIRY].compare_exchange(old.0, new.0, AcqRel, Acquire).is_ok()
    }

    /// Make the expiry at least `nanos`. False if the word belongs to another life by now.
    pub fn raise_expiry(&self, generation: Generation, nanos: u64) -> bool {
        let goal = Expiry::new(generation, nanos);
        loop {
            let seen = self.expiry();
            if seen.generation() != generation {
                return false;
            }
            if seen.nanos() >= goal.nanos() || self.swap_expiry(seen, goal) {
                return true;
            }
        }
    }
}

impl Snapshot {
    /// A cell in which nothing but this head was ever written.
    pub fn fresh(head: Head, expiry_nanos: u64) -> Self {
        Self { head, past: [Past(0); 2], expiry: Expiry::new(head.generation(), expiry_nanos) }
    }
    /// The expiry, if it belongs to the head's life.
    pub fn expiry_nanos(&self) -> Option<u64> {
        (self.expiry.generation() == self.head.generation()).then(|| self.expiry.nanos())
    }
    /// In use, but from `now` on without meaning?
    pub fn is_expired(&self, now: u64) -> bool {
        self.head.is_live() && self.expiry_nanos().is_some_and(|expiry| expiry <= now)
    }
}
