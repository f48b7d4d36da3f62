//! Who used a content key first, in fixed memory: one cache line for each key.
//!
//! A tenant counts once for a key, and only with a prompt that did not bring the one before him: who copies a whole
//! prompt shows nothing. The order is kept, because whose a phrase is depends on who used it first.

use super::HORIZON_HOURS;
use crate::hash::mix;
use crate::saved::{ensure, read_sparse, write_sparse};
use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Tenants that a cell remembers: the first ones.
pub const FIRST: usize = 8;
/// Tenants whose own a key is: whoever brought it up, and whoever met him there, is never judged by it.
pub const IMMUNE: usize = 2;
/// Cells that a key may stand in.
const WAYS: usize = 4;
/// Owner of keys that the history shares. Time does not forget them.
pub const KNOWN: u32 = u32::MAX;
/// Owner of keys that a community shares.
pub const COMMUNITY: u32 = u32::MAX - 1;

/// What is remembered of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[repr(C, align(64))]
pub struct Cell {
    tag: u64,
    /// The first tenants in order, each as 32 bits that are not 0.
    pub tenants: [u32; FIRST],
    /// The prompts that each of them brought first, as 16 bits.
    pub prompts: [u16; FIRST],
    /// The campaign whose pieces it stands among; 0 for none, or [`KNOWN`].
    pub owner: u32,
    /// The hour when it came up.
    first: u16,
    /// The hour of its last use.
    last: u16,
}

const _: () = assert!(size_of::<Cell>() == 64);

impl Cell {
    /// How many tenants it remembers.
    pub fn count(&self) -> usize {
        self.tenants.iter().take_while(|&&tenant| tenant != 0).count()
    }

    /// Is it nobody's, whoever uses it?
    pub fn is_known(&self) -> bool {
        self.owner >= COMMUNITY
    }

    /// Was this tenant there before others could have it from somewhere?
    pub fn is_own_of(&self, tenant: u32) -> bool {
        self.tenants[..IMMUNE].contains(&tenant)
    }

    /// Was it used again after an hour?
    pub fn is_lasting(&self) -> bool {
        since(self.last, self.first) > 0
    }

    /// The hour when it came up.
    pub fn first_hour(&self) -> u16 {
        self.first
    }

    /// Hours since it came up.
    pub fn age(&self, hour: u16) -> u16 {
        since(hour, self.first)
    }

    /// Do two keys come in the same prompts? Then they are pieces of one text. Compared are the first `count`.
    pub fn comes_with(&self, other: &Self, count: usize) -> bool {
        let others = &other.prompts[..count];
        let same = self.prompts[..count].iter().filter(|&prompt| others.contains(prompt)).count();
        2 * same >= count
    }

    fn add(&mut self, tenant: u32, prompt: u16, hour: u16) {
        // Clocks may go back; a cell does not grow younger by it.
        if since(hour, self.last) > 0 {
            self.last = hour;
        }
        let count = self.count();
        let is_copy = count > 0 && self.prompts[count - 1] == prompt;
        if count < FIRST && !is_copy && !self.tenants[..count].contains(&tenant) {
            self.tenants[count] = tenant;
            self.prompts[count] = prompt;
        }
    }
}

/// What is needed of a cell to find it and to compare its worth: those of a set lie in one cache line.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    tag: u32,
    last: u16,
    /// 0 is empty.
    worth: u16,
}

/// Worth of what the history knows, and of what a campaign owns; below that as many tenants as count.
const WORTH_KNOWN: u16 = 16;
const WORTH_OWNED: u16 = 8;
const WORTH_MOST: usize = IMMUNE + 2;

impl Mark {
    fn of(cell: &Cell) -> Self {
        let worth = match cell.owner {
            KNOWN => WORTH_KNOWN,
            0 | COMMUNITY => cell.count().clamp(1, WORTH_MOST) as u16,
            _ => WORTH_OWNED,
        };
        Self { tag: short(cell.tag), last: cell.last, worth }
    }

    fn is_alive(self, hour: u16) -> bool {
        self.worth == WORTH_KNOWN || self.worth > 0 && since(hour, self.last) < HORIZON_HOURS
    }

    /// What goes first: empty and forgotten ones, what one tenant used, what was used longest ago; last what belongs
    /// to somebody.
    fn order(self, hour: u16) -> (u16, u16) {
        if self.is_alive(hour) { (self.worth, u16::MAX - since(hour, self.last)) } else { (0, 0) }
    }
}

/// The cells, and their marks.
#[derive(Clone, Debug)]
pub struct Cells {
    cells: Box<[Cell]>,
    marks: Box<[[Mark; WAYS]]>,
}

impl Cells {
    /// Room for about `capacity` keys: 72 bytes for each.
    pub fn new(capacity: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).max(1);
        Self { cells: vec![Cell::default(); sets * WAYS].into(), marks: vec![Default::default(); sets].into() }
    }

    /// How many keys there is room for.
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// Keys with their cells.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Cell)> {
        self.cells.iter().filter(|cell| cell.tag != 0).map(|cell| (cell.tag, cell))
    }

    /// The cell of a key, unless it was not used for longer than anything is remembered. Cost: a cache line for a key
    /// that is not there, two for one that is.
    pub fn get(&self, key: u64, hour: u16) -> Option<&Cell> {
        let (set, tag) = (self.set(key), short(key));
        let is_it = |mark: &Mark| mark.tag == tag && mark.is_alive(hour);
        let ways = self.marks[set].iter().enumerate().filter(|(_, mark)| is_it(mark));
        ways.map(|(way, _)| &self.cells[set * WAYS + way]).find(|cell| cell.tag == key)
    }

    /// A tenant used a key, in a prompt, in an hour. A new key takes the place of the one of its set that is worth
    /// least.
    pub fn add(&mut self, key: u64, tenant: u32, prompt: u16, hour: u16) {
        let (set, tag) = (self.set(key), short(key));
        let start = set * WAYS;
        let is_it = |way: usize, mark: &Mark| mark.tag == tag && mark.worth > 0 && self.cells[start + way].tag == key;
        let known = self.marks[set].iter().enumerate().find(|(way, mark)| is_it(*way, mark)).map(|(way, _)| way);
        // An expired cell of the same key begins anew where it stands, so that no key stands twice.
        let alive = known.filter(|&way| self.marks[set][way].is_alive(hour));
        let oldest = || (0..WAYS).min_by_key(|&way| self.marks[set][way].order(hour)).unwrap_or_default();
        let way = known.unwrap_or_else(oldest);
        let cell = &mut self.cells[start + way];
        if alive.is_none() {
            *cell = Cell { tag: key, first: hour, last: hour, ..Cell::default() };
        }
        cell.add(tenant, prompt, hour);
        self.marks[set][way] = Mark::of(cell);
    }

    /// Say whose a key is.
    pub fn set_owner(&mut self, key: u64, owner: u32) {
        let start = self.set(key) * WAYS;
        if let Some(way) = self.cells[start..start + WAYS].iter().position(|cell| cell.tag == key) {
            self.own(start + way, owner);
        }
    }

    /// Say whose all keys are that are like this. Cost: 5 ms for half a million keys.
    pub fn set_owners(&mut self, owner: u32, is_its: impl Fn(&Cell) -> bool) {
        for place in 0..self.cells.len() {
            if self.cells[place].tag != 0 && is_its(&self.cells[place]) {
                self.own(place, owner);
            }
        }
    }

    fn own(&mut self, place: usize, owner: u32) {
        self.cells[place].owner = owner;
        self.marks[place / WAYS][place % WAYS] = Mark::of(&self.cells[place]);
    }

    /// Nobody shall be judged by this key.
    pub fn set_known(&mut self, key: u64) {
        self.add(key, 1, 0, 0);
        self.set_owner(key, KNOWN);
    }

    /// These tenants had this key before anybody that is seen from `hour` on.
    pub fn set_own(&mut self, key: u64, tenants: [u32; IMMUNE], hour: u16) {
        // Prompts that no request is likely to bring.
        let made_up = |place: usize| (mix(key) >> (16 * place)) as u16;
        for (place, &tenant) in tenants.iter().enumerate().filter(|(_, tenant)| **tenant != 0) {
            self.add(key, tenant, made_up(place), hour);
        }
    }

    /// Long texts keep their smallest keys, so these are mixed before they choose.
    fn set(&self, key: u64) -> usize {
        ((u128::from(mix(key)) * self.marks.len() as u128) >> 64) as usize
    }
}

/// Marks follow from their cells.
impl BorshSerialize for Cells {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        write_sparse(&self.cells, writer)
    }
}

impl BorshDeserialize for Cells {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let cells = read_sparse(reader)?;
        let (sets, rest) = cells.as_chunks();
        ensure(rest.is_empty(), "number of keys")?;
        let empty = Cell::default();
        let mark = |cell: &Cell| if *cell == empty { Mark::default() } else { Mark::of(cell) };
        let marks = sets.iter().map(|set: &[Cell; WAYS]| set.each_ref().map(mark)).collect();
        Ok(Self { cells, marks })
    }
}

/// What tells the keys of a set apart at first sight. The low byte of runs is 0.
fn short(key: u64) -> u32 {
    (key >> 16) as u32
}

/// Hours from one to another, over the end of the count; none when the other lies ahead.
pub fn since(hour: u16, past: u16) -> u16 {
    (hour.wrapping_sub(past) as i16).max(0) as u16
}
