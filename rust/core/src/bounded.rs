//! A map from secret hashes with a bound: when it is full, a new key takes the place of the least worth of
//! [`DRAWN`] that are drawn at random.

use crate::hash::{ByHash, mix};
use crate::saved::ensure;
use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Entries compared when one has to go; of a thousand entries of no worth and as many others one in 65,536 draws has
/// none without worth.
pub const DRAWN: usize = 16;

/// The map. Grows with its entries up to its capacity.
#[derive(Clone, Debug)]
pub struct Bounded<V> {
    capacity: usize,
    slots: Vec<Slot<V>>,
    /// Keys are secret hashes, so nobody can aim at one bucket.
    index: ByHash<u32>,
    uses: u64,
}

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Slot<V> {
    key: u64,
    used: u64,
    value: V,
}

impl<V> Bounded<V> {
    /// A map of at most `capacity` entries, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), slots: Vec::new(), index: ByHash::default(), uses: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// An entry, without making one.
    pub fn get(&self, key: u64) -> Option<&V> {
        self.index.get(&key).map(|&place| &self.slots[place as usize].value)
    }

    /// An entry to be changed, without making one.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        self.index.get(&key).map(|&place| &mut self.slots[place as usize].value)
    }

    /// Every entry.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().map(|slot| &slot.value)
    }

    /// Every entry, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().map(|slot| &mut slot.value)
    }

    /// The entry of a key, made if it has none, and what had to go for it: the first by `worth`, of equals the one
    /// unused for longest.
    pub fn entry<W: Ord>(
        &mut self,
        key: u64,
        make: impl FnOnce() -> V,
        worth: impl Fn(&V) -> W,
    ) -> (&mut V, Option<V>) {
        self.uses += 1;
        let (place, gone) = match self.index.get(&key) {
            Some(&place) => (place as usize, None),
            None => self.insert(key, make(), worth),
        };
        let slot = &mut self.slots[place];
        slot.used = self.uses;
        (&mut slot.value, gone)
    }

    /// Forget an entry.
    pub fn remove(&mut self, key: u64) -> bool {
        let Some(place) = self.index.remove(&key) else { return false };
        self.slots.swap_remove(place as usize);
        if let Some(moved) = self.slots.get(place as usize) {
            self.index.insert(moved.key, place);
        }
        true
    }

    fn insert<W: Ord>(&mut self, key: u64, value: V, worth: impl Fn(&V) -> W) -> (usize, Option<V>) {
        let slot = Slot { key, used: 0, value };
        if self.slots.len() < self.capacity {
            self.index.insert(key, self.slots.len() as u32);
            self.slots.push(slot);
            return (self.slots.len() - 1, None);
        }
        let place = self.victim(key, worth);
        let gone = std::mem::replace(&mut self.slots[place], slot);
        self.index.remove(&gone.key);
        self.index.insert(key, place as u32);
        (place, Some(gone.value))
    }

    fn victim<W: Ord>(&self, key: u64, worth: impl Fn(&V) -> W) -> usize {
        let draw = |number: u64| {
            let random = mix(key ^ mix(self.uses * DRAWN as u64 + number));
            ((u128::from(random) * self.slots.len() as u128) >> 64) as usize
        };
        let rank = |&place: &usize| {
            let slot = &self.slots[place];
            (worth(&slot.value), slot.used)
        };
        (0..DRAWN as u64).map(draw).min_by_key(rank).unwrap_or_default()
    }
}

/// Slots stand in their order, because places are drawn; where each key stands follows from them.
impl<V: BorshSerialize> BorshSerialize for Bounded<V> {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        (self.capacity, self.uses, &self.slots).serialize(writer)
    }
}

impl<V: BorshDeserialize> BorshDeserialize for Bounded<V> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let (capacity, uses, slots) = <(usize, u64, Vec<Slot<V>>)>::deserialize_reader(reader)?;
        let index: ByHash<u32> = slots.iter().map(|slot| slot.key).zip(0..).collect();
        let is_map = slots.len() <= capacity && index.len() == slots.len();
        // Draws are numbered by the uses, many times as many.
        ensure(is_map && capacity > 0 && uses < u64::MAX / 2 / DRAWN as u64, "map of accounts")?;
        Ok(Self { capacity, slots, index, uses })
    }
}
