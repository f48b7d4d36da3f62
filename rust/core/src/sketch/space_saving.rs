//! SpaceSaving (Metwally, Agrawal and El Abbadi, "Efficient computation of frequent and top-k elements in data
//! streams", 2005): the items that a stream holds most of, in fixed memory.
//!
//! The naive way counts every item. Here an item that has no counter takes over the smallest one together with its
//! count, and remembers that count as its possible error. With `total` units seen by `capacity` counters:
//!
//! - `count - error` <= what the item truly has <= `count`;
//! - `error` <= `total / capacity`, and so is the smallest count of a full sketch, the bound of every absent item;
//! - every item that truly has more than `total / capacity` is present.
//!
//! Merging keeps all three (Agarwal, Cormode, Huang, Phillips, Wei and Yi, "Mergeable summaries", 2012), since the
//! counts never add up to more than `total`. Numbers end at `u64::MAX`: a total beyond it stays there, and then only
//! the first promise is kept, of truths that end there, too.
//!
//! The smallest counter is found by a heap, so that a stream of nothing but new items costs no scan.

mod bytes;
mod heap;

use crate::error::Error;
use heap::Heap;

/// Most counters: the 144 KiB of heap and index then still lie in a core's own cache.
pub const MAX_CAPACITY: u64 = 4096;

/// What is known of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The caller's hash or number of it.
    pub item: u64,
    /// No less than what it truly has.
    pub count: u64,
    /// By how much `count` may be too large.
    pub error: u64,
}

/// The most frequent items.
#[derive(Clone, Debug)]
pub struct SpaceSaving {
    capacity: usize,
    total: u64,
    heap: Heap,
}

impl SpaceSaving {
    /// An empty sketch. The seed should be secret where others choose the items: it keeps them from crowding one
    /// stretch of the index. No answer depends on it.
    pub fn new(capacity: u64, seed: u64) -> Result<Self, Error> {
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(Error::config(format!("capacity must be 1 to {MAX_CAPACITY} counters, got {capacity}")));
        }
        let capacity = capacity as usize;
        Ok(Self { capacity, total: 0, heap: Heap::new(capacity, seed) })
    }

    /// Count an item `count` times more; 0 changes nothing. Cost: about 15 ns for an item that keeps its place, 60 to
    /// 100 ns for a takeover.
    pub fn update(&mut self, item: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.total = self.total.saturating_add(count);
        match self.heap.find(item) {
            Ok(place) => self.heap.add(place, count),
            Err(cell) if self.heap.len() < self.capacity => self.heap.push(Counter { item, count, error: 0 }, cell),
            Err(_) => {
                let error = self.floor();
                self.heap.replace_smallest(Counter { item, count: error.saturating_add(count), error });
            }
        }
    }

    /// The `k` largest counters, largest first; of equal counts the surer one, then the smaller item. Cost:
    /// looks at all counters, sorts `k`.
    pub fn top(&self, k: usize) -> Vec<Counter> {
        largest(self.heap.counters().collect(), k)
    }

    /// The most that an item may have, and by how much that may be too large. Equal for an item that is absent.
    pub fn estimate(&self, item: u64) -> (u64, u64) {
        self.heap.find(item).map_or((self.floor(), self.floor()), |place| {
            let Counter { count, error, .. } = self.heap.counter(place);
            (count, error)
        })
    }

    /// Take in another sketch of the same capacity: the promises then hold for both streams together.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.capacity != other.capacity {
            let (mine, theirs) = (self.capacity, other.capacity);
            return Err(Error::usage(format!("capacities {mine} and {theirs} do not merge: use one capacity")));
        }
        let plus = |counter: Counter, beside: &Self| {
            let (count, error) = beside.estimate(counter.item);
            let (count, error) = (counter.count.saturating_add(count), counter.error.saturating_add(error));
            Counter { count, error, ..counter }
        };
        let mine = self.heap.counters().map(|counter| plus(counter, other));
        let theirs = other.heap.counters().filter(|counter| self.heap.find(counter.item).is_err());
        let both = largest(mine.chain(theirs.map(|counter| plus(counter, self))).collect(), self.capacity);
        self.total = self.total.saturating_add(other.total);
        self.heap.refill(&both);
        Ok(())
    }

    /// Most counters that it will use.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Everything ever counted, of all items.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Counters in use.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Nothing was counted yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most that an absent item may have.
    fn floor(&self) -> u64 {
        if self.len() < self.capacity { 0 } else { self.heap.counter(0).count }
    }
}

fn largest(mut counters: Vec<Counter>, k: usize) -> Vec<Counter> {
    let order = |counter: &Counter| (!counter.count, counter.error, counter.item);
    if k < counters.len() {
        counters.select_nth_unstable_by_key(k, order);
        counters.truncate(k);
    }
    counters.sort_unstable_by_key(order);
    counters
}
