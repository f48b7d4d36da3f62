//! Who used a content key first, in fixed memory: one cache line for each key.
//!
//! A tenant counts once for a key, and only with a prompt that did not bring the one before him: who copies a whole
//! prompt shows nothing. The order is kept, because whose a phrase is depends on who used it first.

use super::HORIZON_HOURS;
use crate::hash::mix;

/// Tenants that a cell remembers: the first ones.
pub const FIRST: usize = 8;
/// Tenants whose own a key is: whoever brought it up, and whoever met him there, is never judged by it.
pub const IMMUNE: usize = 2;
/// Cells that a key may stand in.
const WAYS: usize = 4;
/// Owner of keys that the history shares. They are never forgotten.
pub const KNOWN: u32 = u32::MAX;
/// Owner of keys that a community shares.
pub const COMMUNITY: u32 = u32::MAX - 1;

/// What is remembered of a key.
#[derive(Clone, Copy, Debug, Default)]
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

/// The cells.
#[derive(Clone, Debug)]
pub struct Cells {
    cells: Box<[Cell]>,
    sets: u64,
}

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

    /// Not forgotten by now.
    fn is_alive(&self, hour: u16) -> bool {
        self.tag != 0 && (self.owner == KNOWN || since(hour, self.last) < HORIZON_HOURS)
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

    /// What goes first: empty and forgotten ones, what one tenant used, what was used longest ago; last what belongs
    /// to somebody.
    fn worth(&self, hour: u16) -> (bool, bool, usize, u16) {
        let is_alive = self.is_alive(hour);
        (
            is_alive,
            is_alive && self.owner != 0 && self.owner != COMMUNITY,
            self.count().min(IMMUNE + 2),
            u16::MAX - since(hour, self.last),
        )
    }
}

impl Cells {
    /// Room for about `capacity` keys: a cache line for each.
    pub fn new(capacity: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).max(1);
        Self { cells: vec![Cell::default(); sets * WAYS].into(), sets: sets as u64 }
    }

    /// How many keys there is room for.
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// All of them, also empty ones.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cell> {
        self.cells.iter_mut()
    }

    /// Keys with their cells.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Cell)> {
        self.cells.iter().filter(|cell| cell.tag != 0).map(|cell| (cell.tag, cell))
    }

    /// The cell of a key, unless it was not used for longer than anything is remembered.
    pub fn get(&self, key: u64, hour: u16) -> Option<&Cell> {
        let start = self.start(key);
        self.cells[start..start + WAYS].iter().find(|cell| cell.tag == key && cell.is_alive(hour))
    }

    /// The cell of a key, to be changed.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut Cell> {
        let start = self.start(key);
        self.cells[start..start + WAYS].iter_mut().find(|cell| cell.tag == key)
    }

    /// A tenant used a key, in a prompt, in an hour. A new key takes the place of the one of its set that is worth
    /// least.
    pub fn add(&mut self, key: u64, tenant: u32, prompt: u16, hour: u16) {
        let start = self.start(key);
        let set = &mut self.cells[start..start + WAYS];
        let place = set.iter().position(|cell| cell.tag == key && cell.is_alive(hour));
        let place = place.unwrap_or_else(|| {
            // An expired cell of the same key goes before any other, so that no key stands twice.
            let worth = |place: &usize| (set[*place].tag != key, set[*place].worth(hour));
            let place = (0..WAYS).min_by_key(worth).unwrap_or_default();
            set[place] = Cell { tag: key, first: hour, last: hour, ..Cell::default() };
            place
        });
        set[place].add(tenant, prompt, hour);
    }

    /// Nobody shall be judged by this key.
    pub fn set_known(&mut self, key: u64) {
        self.add(key, 1, 0, 0);
        if let Some(cell) = self.get_mut(key) {
            cell.owner = KNOWN;
        }
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
    fn start(&self, key: u64) -> usize {
        ((u128::from(mix(key)) * u128::from(self.sets)) >> 64) as usize * WAYS
    }
}

/// Hours from one to another, over the end of the count; none when the other lies ahead.
pub fn since(hour: u16, past: u16) -> u16 {
    (hour.wrapping_sub(past) as i16).max(0) as u16
}
