//! A sketch as bytes: format, seed, number of minima, size of the set (or [`LARGE`]), minima, set; all little-endian.

use super::{EXACT, MAX_PERM, MinHash};
use crate::error::Error;

const FORMAT: u8 = 1;
const HEAD: usize = 13;
const LARGE: u16 = u16::MAX;

impl MinHash {
    /// To be read by [`from_bytes`](Self::from_bytes) on any machine. `seed` is that of the hashes.
    pub fn to_bytes(&self, seed: u64) -> Vec<u8> {
        let set = self.set();
        let mut bytes = vec![FORMAT];
        bytes.extend(seed.to_le_bytes());
        bytes.extend((self.values().len() as u16).to_le_bytes());
        bytes.extend(set.map_or(LARGE, |set| set.len() as u16).to_le_bytes());
        bytes.extend(self.values().iter().chain(set.unwrap_or_default()).flat_map(|number| number.to_le_bytes()));
        bytes
    }

    /// The sketch and its seed. A usage error for bytes that [`to_bytes`](Self::to_bytes) cannot have written.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, u64), Error> {
        parse(bytes).ok_or_else(|| Error::usage("not the bytes of a MinHash: cut off, changed, or of another format"))
    }
}

fn parse(bytes: &[u8]) -> Option<(MinHash, u64)> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let seed = u64::from_le_bytes(*head[1..].first_chunk()?);
    let num_perm = usize::from(u16::from_le_bytes(*head[9..].first_chunk()?));
    let size = u16::from_le_bytes(*head[11..].first_chunk()?);
    let (numbers, left) = rest.as_chunks::<4>();
    let numbers: Vec<u32> = numbers.iter().map(|number| u32::from_le_bytes(*number)).collect();
    let in_set = if size == LARGE { 0 } else { usize::from(size) };
    let fits = head[0] == FORMAT && left.is_empty() && numbers.len() == num_perm + in_set;
    if !fits || !(1..=MAX_PERM).contains(&num_perm) || in_set > EXACT {
        return None;
    }
    let (values, set) = numbers.split_at(num_perm);
    let sketch = MinHash::from_parts(values.to_vec(), (size != LARGE).then(|| set.to_vec()))?;
    let mut again = MinHash::new(num_perm);
    again.add(set);
    // Of a whole set the minima are known.
    (size == LARGE || again == sketch && !set.contains(&0)).then_some((sketch, seed))
}
