//! MinHash: the share of two sets that is common to both, from a few hundred bytes of each (Broder, 1997).
//!
//! Each of `num_perm` fixed permutations of the 32-bit hashes keeps its minimum; two sets agree in a minimum with the
//! probability of their Jaccard similarity J, so the estimate's standard error is √(J(1−J)/num_perm). Sets of at most
//! [`EXACT`] hashes are kept whole as well, and two of those are compared exactly.

mod bytes;

use crate::hash::mix;
use crate::vector::wide;
use std::sync::LazyLock;

/// Permutations when nobody says otherwise.
pub const NUM_PERM: usize = 128;
/// The most permutations: 4 KiB of values.
pub const MAX_PERM: usize = 1_024;
/// Hashes of a set that is kept whole: most prompts of people, and twice what an index compares exactly.
pub const EXACT: usize = 128;

const LANES: usize = 32;

/// h → a·h + b modulo 2³², a odd. Fixed for ever: signatures are kept and exchanged. Secrecy is the hashes' business.
struct Permutations {
    a: [u32; MAX_PERM],
    b: [u32; MAX_PERM],
}

static PERMUTATIONS: LazyLock<Permutations> = LazyLock::new(|| Permutations {
    a: std::array::from_fn(|index| mix(2 * index as u64 + 1) as u32 | 1),
    b: std::array::from_fn(|index| mix(2 * index as u64 + 2) as u32),
});

/// Distinct 32-bit hashes, up to [`EXACT`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distinct {
    /// Sorted; empty once there were too many.
    hashes: Vec<u32>,
    overflow: bool,
}

/// Signature of a set, and the set itself while it is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinHash {
    values: Vec<u32>,
    distinct: Distinct,
}

impl MinHash {
    /// Of the empty set. `num_perm` is 1 to [`MAX_PERM`].
    pub fn new(num_perm: usize) -> Self {
        Self { values: vec![u32::MAX; num_perm.clamp(1, MAX_PERM)], distinct: Distinct::default() }
    }

    /// From stored values and set; `None` when there are too many of either or the set is not sorted and distinct.
    pub fn from_parts(values: Vec<u32>, set: Option<Vec<u32>>) -> Option<Self> {
        let distinct =
            set.map_or(Distinct { hashes: Vec::new(), overflow: true }, |hashes| Distinct { hashes, overflow: false });
        let fits = (1..=MAX_PERM).contains(&values.len()) && distinct.hashes.len() <= EXACT;
        (fits && distinct.hashes.is_sorted_by(|one, next| one < next)).then_some(Self { values, distinct })
    }

    /// The minimum of each permutation; `u32::MAX` for the empty set.
    pub fn values(&self) -> &[u32] {
        &self.values
    }

    /// The whole set in rising order, while it has at most [`EXACT`] hashes.
    pub fn set(&self) -> Option<&[u32]> {
        (!self.distinct.overflow).then_some(&self.distinct.hashes)
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        !self.distinct.overflow && self.distinct.hashes.is_empty()
    }

    /// Add hashes, none of them 0. Cost with AVX2: 0.03 ns per hash and permutation.
    pub fn add(&mut self, hashes: &[u32]) {
        wide(
            #[inline(always)]
            || self.add_here(hashes),
        );
    }

    /// [`add`](Self::add) compiled into its caller.
    #[inline(always)]
    pub fn add_here(&mut self, hashes: &[u32]) {
        minima(&mut self.values, hashes);
        self.distinct.add(hashes);
    }

    /// Become the union of both sets. Both need as many permutations.
    pub fn merge(&mut self, other: &Self) {
        for (value, &theirs) in self.values.iter_mut().zip(&other.values) {
            *value = theirs.min(*value);
        }
        match other.set() {
            Some(set) => self.distinct.add(set),
            None => self.distinct.forget(),
        }
    }

    /// Jaccard similarity, 0 to 1: exact when both sets are whole, else the share of equal values. Two empty sets are
    /// equal. Both need as many permutations.
    pub fn jaccard(&self, other: &Self) -> f64 {
        match (self.set(), other.set()) {
            (Some(mine), Some(theirs)) => exact_jaccard(mine, theirs),
            _ => {
                let equal = self.values.iter().zip(&other.values).filter(|(mine, theirs)| mine == theirs).count();
                equal as f64 / self.values.len() as f64
            }
        }
    }

    /// How many distinct hashes were added: exact while the set is whole, else estimated from the minima.
    pub fn count(&self) -> f64 {
        if let Some(set) = self.set() {
            return set.len() as f64;
        }
        let sum: f64 = self.values.iter().map(|&value| (f64::from(value) + 0.5) / 4_294_967_296.0).sum();
        (self.values.len() as f64 / sum - 1.0).max(0.0)
    }
}

impl Distinct {
    #[inline(always)]
    fn add(&mut self, hashes: &[u32]) {
        if self.overflow || hashes.is_empty() {
            return;
        }
        if self.hashes.is_empty() && hashes.len() <= EXACT {
            self.hashes = hashes.to_vec();
            self.hashes.sort_unstable();
            self.hashes.dedup();
            return;
        }
        if surely_too_many(hashes) {
            self.forget();
            return;
        }
        let mut seen = Seen { slots: [0; SLOTS], hashes: [0; EXACT], count: 0 };
        if seen.insert_all(&self.hashes) && seen.insert_all(hashes) {
            self.hashes = seen.sorted();
        } else {
            self.forget();
        }
    }

    fn forget(&mut self) {
        *self = Self { hashes: Vec::new(), overflow: true };
    }
}

/// Whether more than [`EXACT`] different ones are there for sure: a bit each, without branches. Most long texts are
/// told by this.
#[inline(always)]
fn surely_too_many(hashes: &[u32]) -> bool {
    let mut bits = [0u64; 64];
    let mut count = 0;
    for &hash in &hashes[..hashes.len().min(2 * EXACT)] {
        let (word, bit) = ((hash / 64) as usize % bits.len(), hash % 64);
        count += (!bits[word] >> bit) & 1;
        bits[word] |= 1 << bit;
    }
    count as usize > EXACT
}

/// A small open-addressed set; a text that repeats itself has few distinct shingles, however long it is. Zero marks an
/// empty slot.
struct Seen {
    slots: [u32; SLOTS],
    hashes: [u32; EXACT],
    count: usize,
}

/// Eight for each hash, so that few of them meet.
const SLOTS: usize = 8 * EXACT;

impl Seen {
    /// False when there are too many.
    #[inline(always)]
    fn insert_all(&mut self, hashes: &[u32]) -> bool {
        for &hash in hashes {
            let mut slot = hash as usize % SLOTS;
            while self.slots[slot] != 0 && self.slots[slot] != hash {
                slot = (slot + 1) % SLOTS;
            }
            if self.slots[slot] == 0 {
                if self.count == EXACT {
                    return false;
                }
                self.slots[slot] = hash;
                self.hashes[self.count] = hash;
                self.count += 1;
            }
        }
        true
    }

    fn sorted(&self) -> Vec<u32> {
        let mut hashes = self.hashes[..self.count].to_vec();
        hashes.sort_unstable();
        hashes
    }
}

/// Lower each permutation's minimum; 32 permutations at a time stay in registers while the hashes pass.
#[inline(always)]
fn minima(values: &mut [u32], hashes: &[u32]) {
    let Permutations { a, b } = &*PERMUTATIONS;
    let (a, b) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
    for ((values, a), b) in values.chunks_mut(LANES).zip(a).zip(b) {
        let mut lanes = [u32::MAX; LANES];
        lanes[..values.len()].copy_from_slice(values);
        for &hash in hashes {
            for lane in 0..LANES {
                lanes[lane] = lanes[lane].min(hash.wrapping_mul(a[lane]).wrapping_add(b[lane]));
            }
        }
        values.copy_from_slice(&lanes[..values.len()]);
    }
}

fn exact_jaccard(mine: &[u32], theirs: &[u32]) -> f64 {
    let common = common(mine, theirs);
    let all = mine.len() + theirs.len() - common;
    if all == 0 { 1.0 } else { common as f64 / all as f64 }
}

/// How many values two rising lists share.
pub fn common<T: Ord + Copy>(mine: &[T], theirs: &[T]) -> usize {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < mine.len() && j < theirs.len() {
        common += usize::from(mine[i] == theirs[j]);
        let (a, b) = (mine[i], theirs[j]);
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    common
}
