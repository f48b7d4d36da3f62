//! The counters in a binary heap, smallest first, and an open-addressing index that finds those of an item.
//!
//! An update moves a counter by at most `log2(capacity)` places. The index is at most half full and keyed, so that a
//! probe stays short whatever the items; each counter knows its cell of the index, so that moving it needs no probe.

use super::Counter;
use crate::hash::mix;

const EMPTY: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    counter: Counter,
    /// Cell of the index that names this entry's place.
    cell: u16,
}

impl Entry {
    /// The item breaks ties, so that what a sketch does next depends on nothing but its counters.
    fn rank(&self) -> u128 {
        u128::from(self.counter.count) << 64 | u128::from(self.counter.item)
    }
}

#[derive(Clone, Debug)]
pub struct Heap {
    entries: Vec<Entry>,
    /// Places in the heap by hash of the item, probed linearly.
    index: Box<[u16]>,
    seed: u64,
}

impl Heap {
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self { entries: Vec::new(), index: vec![EMPTY; (2 * capacity).next_power_of_two()].into(), seed }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// In no order.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        self.entries.iter().map(|entry| entry.counter)
    }

    /// The counter at a place; the smallest is at 0.
    pub fn counter(&self, place: usize) -> Counter {
        self.entries[place].counter
    }

    /// Place of an item, or else the cell of the index for it.
    pub fn find(&self, item: u64) -> Result<usize, usize> {
        let mut cell = self.home(item);
        loop {
            match self.index[cell] {
                EMPTY => return Err(cell),
                place if self.counter(place.into()).item == item => return Ok(place.into()),
                _ => cell = self.after(cell),
            }
        }
    }

    pub fn add(&mut self, place: usize, count: u64) {
        let mut entry = self.entries[place];
        entry.counter.count = entry.counter.count.saturating_add(count);
        self.sink(place, entry);
    }

    /// A counter for an item that has none, at the cell that `find` gave.
    pub fn push(&mut self, counter: Counter, cell: usize) {
        let entry = Entry { counter, cell: cell as u16 };
        let mut place = self.len();
        self.entries.push(entry);
        while place > 0 && entry.rank() < self.entries[(place - 1) / 2].rank() {
            self.put(place, self.entries[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        self.put(place, entry);
    }

    /// A larger counter, for an item that has none, instead of the smallest.
    pub fn replace_smallest(&mut self, counter: Counter) {
        self.vacate(self.entries[0].cell.into());
        let (Ok(cell) | Err(cell)) = self.find(counter.item); // after vacating, which may move the end of the probe
        self.sink(0, Entry { counter, cell: cell as u16 });
    }

    /// These counters, of different items, instead of all.
    pub fn refill(&mut self, counters: &[Counter]) {
        self.entries.clear();
        self.index.fill(EMPTY);
        for counter in counters {
            let (Ok(cell) | Err(cell)) = self.find(counter.item);
            self.push(*counter, cell);
        }
    }

    /// Put an entry at a place, or as far below as there are smaller ones.
    fn sink(&mut self, mut place: usize, entry: Entry) {
        loop {
            let mut child = 2 * place + 1;
            if child + 1 < self.len() {
                // A sum and no branch, since nothing predicts which of the two it is.
                child += usize::from(self.entries[child + 1].rank() < self.entries[child].rank());
            }
            if child >= self.len() || entry.rank() <= self.entries[child].rank() {
                return self.put(place, entry);
            }
            self.put(place, self.entries[child]);
            place = child;
        }
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.index[usize::from(entry.cell)] = place as u16;
        self.entries[place] = entry;
    }

    /// Empty a cell and close the gap, so that every probe still ends at the first empty cell.
    fn vacate(&mut self, mut gap: usize) {
        let mut cell = self.after(gap);
        while self.index[cell] != EMPTY {
            let place = usize::from(self.index[cell]);
            let home = self.home(self.counter(place).item);
            if self.distance(home, cell) >= self.distance(gap, cell) {
                self.index[gap] = place as u16;
                self.entries[place].cell = gap as u16;
                gap = cell;
            }
            cell = self.after(cell);
        }
        self.index[gap] = EMPTY;
    }

    fn home(&self, item: u64) -> usize {
        mix(item ^ self.seed) as usize & (self.index.len() - 1)
    }

    fn after(&self, cell: usize) -> usize {
        (cell + 1) & (self.index.len() - 1)
    }

    /// Steps that a probe takes from one cell to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.index.len() - 1)
    }
}
