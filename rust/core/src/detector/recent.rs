//! Short memories of hashes: sets of four, so that a hash is mistaken for another once in 16,384 times and not once
//! for every entry there is.

use borsh::{BorshDeserialize, BorshSerialize};

const WAYS: usize = 4;
/// Requests whose prompts are remembered.
pub const PROMPTS: usize = 128;

/// The last hashes, four for each of `SETS` (a power of two) groups. 8 bytes a set.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Recent<const SETS: usize>([[u16; WAYS]; SETS]);

/// The first hashes, never forgotten: four for each of `SETS` groups. 8 bytes a set.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct First<const SETS: usize>([[u16; WAYS]; SETS]);

/// A byte of the prompt of each of the last requests.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Prompts([u8; PROMPTS]);

impl Default for Prompts {
    fn default() -> Self {
        Self([0; PROMPTS])
    }
}

impl Prompts {
    /// Whether the request `age` before request `number` had this prompt, as far as that is remembered. Mistaken once
    /// in 256 times.
    pub fn had(&self, number: u32, age: u32, digest: u64) -> bool {
        (1..=PROMPTS as u32).contains(&age) && self.0[number.wrapping_sub(age) as usize % PROMPTS] == byte(digest)
    }

    /// The prompt of request `number`.
    pub fn set(&mut self, number: u32, digest: u64) {
        self.0[number as usize % PROMPTS] = byte(digest);
    }
}

fn byte(hash: u64) -> u8 {
    (hash >> 40) as u8
}

impl<const SETS: usize> Default for Recent<SETS> {
    fn default() -> Self {
        Self([[0; WAYS]; SETS])
    }
}

impl<const SETS: usize> Default for First<SETS> {
    fn default() -> Self {
        Self([[0; WAYS]; SETS])
    }
}

impl<const SETS: usize> Recent<SETS> {
    /// Whether a hash is there; it then is, as the newest.
    pub fn replace(&mut self, hash: u64) -> bool {
        let (tag, set) = (tag(hash), &mut self.0[hash as usize % SETS]);
        let way = set.iter().position(|known| *known == tag);
        set[..=way.unwrap_or(WAYS - 1)].rotate_right(1);
        set[0] = tag;
        way.is_some()
    }
}

impl<const SETS: usize> First<SETS> {
    /// Whether a hash is there; it then is, if there was room.
    pub fn insert(&mut self, hash: u64) -> bool {
        let (tag, set) = (tag(hash), &mut self.0[hash as usize % SETS]);
        let is_known = set.contains(&tag);
        if let Some(place) = set.iter_mut().find(|place| **place == 0).filter(|_| !is_known) {
            *place = tag;
        }
        is_known
    }
}

/// Sixteen bits, never zero: that is an empty place.
fn tag(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}
