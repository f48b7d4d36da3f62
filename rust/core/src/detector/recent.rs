//! Short memories of hashes: sets of four, so that a hash is mistaken for another once in 16,384 times and not once
//! for every entry there is.

const WAYS: usize = 4;

/// The last hashes, four for each of `SETS` (a power of two) groups. 8 bytes a set.
#[derive(Clone, Debug)]
pub struct Recent<const SETS: usize>([[u16; WAYS]; SETS]);

/// Hashes that are never forgotten, as far as there is room: one for each of `PLACES`. 2 bytes a place.
#[derive(Clone, Debug)]
pub struct First<const PLACES: usize>([u16; PLACES]);

impl<const SETS: usize> Default for Recent<SETS> {
    fn default() -> Self {
        Self([[0; WAYS]; SETS])
    }
}

impl<const PLACES: usize> Default for First<PLACES> {
    fn default() -> Self {
        Self([0; PLACES])
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

impl<const PLACES: usize> First<PLACES> {
    /// Whether a hash is there; it then is, if its place was free.
    pub fn insert(&mut self, hash: u64) -> bool {
        let (tag, place) = (tag(hash), &mut self.0[hash as usize % PLACES]);
        let is_known = *place == tag;
        if *place == 0 {
            *place = tag;
        }
        is_known
    }
}

/// Sixteen bits, never zero: that is an empty place.
fn tag(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}
