//! What an account asked before: its segments, with when and where each stood last. 1,248 bytes.
//!
//! A set-associative table: a segment's hash picks a set of four entries, the oldest of which makes room. An entry is
//! one word of 32 bits.

use borsh::{BorshDeserialize, BorshSerialize};

/// Sets of the table. With 64 of them pools of seeds are found only after twice the requests; more do not fit the
/// profile.
pub const SETS: usize = 78;
const WAYS: usize = 4;

/// Hits of a segment whose rhythm is known.
const SETTLED: u32 = 2;
/// Largest gaps, in requests, of the classes but the last.
const GAPS: [u32; 7] = [1, 2, 3, 5, 8, 13, 22];
/// Requests are numbered modulo this: an entry that no request touched for longer seems younger than it is.
pub const NUMBERS: u32 = 1 << NUMBER.width;

/// Where a row stood in its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Place {
    /// Before all others.
    First = 1,
    /// Between others.
    Inner = 2,
    /// Behind all others.
    Last = 3,
}

/// A segment's set and tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    set: u8,
    tag: u16,
}

impl Slot {
    /// Of a well-mixed hash.
    pub fn of(hash: u64) -> Self {
        let set = ((hash >> 32) * SETS as u64) >> 32;
        Self { set: set as u8, tag: (hash & u64::from(TAG.most())) as u16 }
    }
}

/// Some bits of an entry.
struct Bits {
    shift: u32,
    width: u32,
}

impl Bits {
    const fn after(self, width: u32) -> Self {
        Self { shift: self.shift + self.width, width }
    }
    const fn most(&self) -> u32 {
        (1 << self.width) - 1
    }
}

const TAG: Bits = Bits { shift: 0, width: 14 };
const NUMBER: Bits = TAG.after(10);
const PLACE: Bits = NUMBER.after(2);
const EXTRA: Bits = PLACE.after(1);
const GAP: Bits = EXTRA.after(3);
const HITS: Bits = GAP.after(2);

/// What is known about a segment. Zero is no entry: a place is never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry(u32);

impl Entry {
    fn get(self, bits: &Bits) -> u32 {
        self.0 >> bits.shift & bits.most()
    }
    fn set(&mut self, bits: &Bits, value: u32) {
        self.0 = self.0 & !(bits.most() << bits.shift) | (value & bits.most()) << bits.shift;
    }

    /// The request that held it last, modulo [`NUMBERS`].
    pub fn number(self) -> u32 {
        self.get(&NUMBER)
    }
    /// Whether it stood first, or last, in that request.
    pub fn stood(self, place: Place) -> bool {
        self.get(&PLACE) == place as u32
    }
    /// Comes back so often that it is part of the account's template: its median gap is at most two requests.
    pub fn is_constant(self) -> bool {
        self.get(&HITS) >= SETTLED && self.get(&GAP) <= 1
    }
    /// A constant that now and then is missing.
    pub fn flickers(self) -> bool {
        self.is_constant() && self.get(&GAP) == 1
    }
    /// The class of its usual gap, 0 to 7, when it comes back in request `number`.
    pub fn gap_class(self, number: u32) -> u32 {
        let usual = self.get(&GAP);
        if self.get(&HITS) < SETTLED { usual.max(class(self.age(number))) } else { usual }
    }

    /// Requests from the one that held it last to `number`, modulo [`NUMBERS`].
    pub fn age(self, number: u32) -> u32 {
        number.wrapping_sub(self.number()) % NUMBERS
    }

    /// A running median of the gaps, in classes: one step towards each new one.
    fn hit(&mut self, number: u32) {
        let (usual, class) = (self.get(&GAP), class(self.age(number)));
        let next = match self.get(&HITS) {
            0 => class,
            _ => usual + u32::from(class > usual) - u32::from(class < usual),
        };
        self.set(&GAP, next);
        self.set(&HITS, (self.get(&HITS) + 1).min(HITS.most()));
        self.set(&NUMBER, number);
    }
}

fn class(gap: u32) -> u32 {
    GAPS.iter().filter(|&&most| gap > most).count() as u32
}

/// The table. Within a set the entry that was used last stands last.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Recall([[Entry; WAYS]; SETS]);

impl Default for Recall {
    fn default() -> Self {
        Self([[Entry::default(); WAYS]; SETS])
    }
}

impl Recall {
    /// The entry of a segment that is known.
    pub fn find(&self, slot: Slot) -> Option<Entry> {
        let set = &self.0[slot.set as usize];
        way(set, slot).map(|way| set[way])
    }

    /// A constant came again: its place stays, since it has none among the rows.
    pub fn touch_constant(&mut self, slot: Slot, number: u32) {
        let set = &mut self.0[slot.set as usize];
        if let Some(way) = way(set, slot)
            && set[way].age(number) > 0
        {
            set[way].hit(number);
            set[way..].rotate_left(1);
        }
    }

    /// A row stood in request `number`. `keep` says that it is worth room: an end, or one of the two inner rows that
    /// stand for all. Others are extra: remembered while there is room, and the first to go.
    pub fn touch(&mut self, slot: Slot, number: u32, place: Place, keep: bool) {
        let set = &mut self.0[slot.set as usize];
        let way = match way(set, slot) {
            Some(way) if set[way].age(number) == 0 => return,
            Some(way) => {
                set[way].hit(number);
                way
            }
            None => {
                let Some(way) = victim(set, keep) else { return };
                set[way] = Entry::default();
                set[way].set(&TAG, u32::from(slot.tag));
                set[way].set(&NUMBER, number);
                set[way].set(&EXTRA, 1);
                way
            }
        };
        set[way].set(&PLACE, place as u32);
        if keep {
            set[way].set(&EXTRA, 0);
        }
        set[way..].rotate_left(1);
    }
}

fn way(set: &[Entry; WAYS], slot: Slot) -> Option<usize> {
    set.iter().position(|entry| entry.get(&TAG) == u32::from(slot.tag) && entry.0 != 0)
}

/// Where a new entry goes: an empty place, else the oldest extra, else the oldest if the new one is worth it.
fn victim(set: &[Entry; WAYS], keep: bool) -> Option<usize> {
    let empty = set.iter().position(|entry| entry.0 == 0);
    let extra = || set.iter().position(|entry| entry.get(&EXTRA) == 1);
    empty.or_else(extra).or(keep.then_some(0))
}
