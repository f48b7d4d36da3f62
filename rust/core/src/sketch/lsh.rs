//! Locality-sensitive hashing of MinHash signatures in a fixed room (Indyk and Motwani, 1998; banding as in Leskovec,
//! Rajaraman and Ullman, Mining of Massive Datasets, 3.4).
//!
//! A signature is cut into bands of rows; two that agree in all rows of a band meet in a line of that band, with
//! probability 1 − (1 − Jʳ)ᵇ. Who meets is then compared: sets of up to [`STORED`] hashes by themselves, larger ones
//! by eight bits of 128 minima. A line is one cache line of sixteen references, newest first; a full line forgets its
//! oldest, and so does the index as a whole.

use super::minhash::{EXACT, MAX_PERM, MinHash, common};
use crate::error::Error;
use crate::hash::mix;
use arrayvec::ArrayVec;

/// Largest index: 6 GB with 42 bands.
pub const MAX_CAPACITY: usize = (1 << 24) - 1;
/// The most bands: each costs an insert and a query one cache line.
pub const MAX_BANDS: usize = 64;
/// Hashes of a stored set that is compared exactly, sixteen bits of each: of two unrelated sets of this size six pairs
/// in a hundred seem to share a hash.
pub const STORED: usize = 64;

const WAYS: usize = 16;
/// References are on average at three quarters of a line: with sixteen places a line then loses one in sixty before
/// its time.
const FILL: (usize, usize) = (3, 4);
const EMPTY: u32 = u32::MAX;
const MINIMA: usize = 2 * STORED;

/// Sixteen references: a few bits of the band's hash, and the number of an entry.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
struct Line([u32; WAYS]);

/// What is kept of a signature.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    /// Hashes of the set, or `LARGE`.
    size: u16,
    room: [u8; MINIMA],
}

const LARGE: u16 = u16::MAX;

/// An index that never grows.
#[derive(Clone, Debug)]
pub struct Lsh {
    bands: usize,
    rows: usize,
    capacity: usize,
    tag_shift: u32,
    next: usize,
    /// Minima of the first sketch, and so of all: their number is part of what is compared.
    minima: Option<usize>,
    lines: Vec<Line>,
    entries: Vec<Entry>,
}

/// Bands and rows for a threshold: the most rows at which two sketches just as similar as that are found 99 times in
/// 100, with all of `num_perm` minima.
pub fn banding(threshold: f64, num_perm: usize) -> (usize, usize) {
    let bands = |rows: usize| (num_perm / rows).clamp(1, MAX_BANDS);
    let missed = |rows: usize| (1.0 - threshold.powi(rows as i32)).powi(bands(rows) as i32);
    let rows = (1..=num_perm).rev().find(|&rows| missed(rows) <= 0.01).unwrap_or(1);
    (bands(rows), rows)
}

/// Something stored that is similar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// What the caller called it.
    pub key: u64,
    /// Its Jaccard similarity, exact or estimated.
    pub similarity: f64,
}

impl Lsh {
    /// An empty index of the last `capacity` signatures. A config error for sizes out of range.
    pub fn new(capacity: usize, bands: usize, rows: usize) -> Result<Self, Error> {
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(Error::config(format!("capacity must be 1 to {MAX_CAPACITY}, got {capacity}")));
        }
        if !(1..=MAX_BANDS).contains(&bands) || rows == 0 || bands.saturating_mul(rows) > MAX_PERM {
            let bounds = format!("bands must be 1 to {MAX_BANDS} and bands × rows at most {MAX_PERM}");
            return Err(Error::config(format!("{bounds}, got {bands} bands of {rows} rows")));
        }
        let lines = (capacity * bands * FILL.1).div_ceil(WAYS * FILL.0);
        let (mut references, mut entries) = (Vec::new(), Vec::new());
        let room = references.try_reserve_exact(lines).and_then(|()| entries.try_reserve_exact(capacity));
        room.map_err(|_| {
            Error::config(format!("no memory for {capacity} sketches in {bands} bands: make it smaller"))
        })?;
        references.resize(lines, Line([EMPTY; WAYS]));
        Ok(Self {
            bands,
            rows,
            capacity,
            tag_shift: usize::BITS - capacity.leading_zeros(),
            next: 0,
            minima: None,
            lines: references,
            entries,
        })
    }

    /// How many signatures it remembers at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many it remembers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was inserted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bands.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// Minima of a band.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Minima that a signature needs: bands × rows.
    pub fn num_perm(&self) -> usize {
        self.bands * self.rows
    }

    /// Bytes when full.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.lines.as_slice()) + self.capacity * size_of::<Entry>()
    }

    /// Remember a signature under `key`, in place of the oldest when there is no room. Keys may repeat. A usage error
    /// when it has fewer minima than the bands need, or not as many as those before. Cost: a cache line a band.
    pub fn insert(&mut self, key: u64, sketch: &MinHash) -> Result<(), Error> {
        self.check(sketch)?;
        self.minima = Some(sketch.values().len());
        let number = self.next;
        self.next = (number + 1) % self.capacity;
        let entry = Entry::of(key, sketch);
        match self.entries.get_mut(number) {
            Some(oldest) => *oldest = entry,
            None => self.entries.push(entry),
        }
        for (place, tag) in self.places(sketch) {
            let line = &mut self.lines[place].0;
            line.copy_within(..WAYS - 1, 1);
            line[0] = tag | number as u32;
        }
        Ok(())
    }

    /// What is stored and at least `threshold` similar, most similar first. A usage error as for
    /// [`insert`](Self::insert). Cost: a cache line a band, and about 0.1 µs for each signature that shares one; never
    /// more than sixteen a band.
    pub fn query(&self, sketch: &MinHash, threshold: f64) -> Result<Vec<Match>, Error> {
        self.check(sketch)?;
        let places = self.places(sketch);
        // All lines are on their way from memory before the first is looked at.
        let warm = places.iter().fold(0, |any, &(place, _)| any | self.lines[place].0[0]);
        std::hint::black_box(warm);
        let mut numbers: ArrayVec<u32, { MAX_BANDS * WAYS }> = ArrayVec::new();
        let number_bits = (1 << self.tag_shift) - 1;
        for (place, tag) in places {
            for &reference in &self.lines[place].0 {
                if (reference ^ tag) & !number_bits == 0 {
                    numbers.push(reference & number_bits);
                }
            }
        }
        numbers.sort_unstable();
        // As above: entries lie anywhere, and all of one are on three lines at most.
        let touch = |any: u8, entry: &Entry| any | entry.room[0] | entry.room[MINIMA / 2] | entry.room[MINIMA - 1];
        let entries =
            || numbers.chunk_by(|one, next| one == next).filter_map(|same| self.entries.get(same[0] as usize));
        std::hint::black_box(entries().fold(0, touch));
        let asked = Asked::of(sketch);
        let mut found = Vec::new();
        for entry in entries() {
            let similarity = entry.similarity(&asked, threshold);
            if similarity >= threshold {
                found.push(Match { key: entry.key, similarity });
            }
        }
        found.sort_by(|one, other| other.similarity.total_cmp(&one.similarity));
        Ok(found)
    }

    fn check(&self, sketch: &MinHash) -> Result<(), Error> {
        let has = sketch.values().len();
        match self.minima {
            Some(first) if first != has => Err(Error::usage(format!(
                "the index holds sketches of num_perm {first}, this one has {has}: make all alike"
            ))),
            None if has < self.num_perm() => {
                let needed = self.num_perm();
                Err(Error::usage(format!("the index needs sketches of num_perm {needed} or more, this one has {has}")))
            }
            _ => Ok(()),
        }
    }

    /// The line of each band, and the tag of what belongs there.
    fn places(&self, sketch: &MinHash) -> ArrayVec<(usize, u32), MAX_BANDS> {
        let mut places = ArrayVec::new();
        for (band, rows) in sketch.values().chunks_exact(self.rows).take(self.bands).enumerate() {
            let mut hash = band as u64;
            for &value in rows {
                hash = (hash ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            }
            let hash = mix(hash);
            let place = (u128::from(hash) * self.lines.len() as u128) >> 64;
            places.push((place as usize, (hash as u32) << self.tag_shift));
        }
        places
    }
}

/// A signature as a query needs it.
struct Asked {
    set: Option<ArrayVec<u16, EXACT>>,
    minima: [u8; MINIMA],
}

impl Asked {
    fn of(sketch: &MinHash) -> Self {
        Self { set: sketch.set().map(|set| set.iter().map(|&hash| high(hash)).collect()), minima: minima(sketch) }
    }
}

impl Entry {
    fn of(key: u64, sketch: &MinHash) -> Self {
        match sketch.set().filter(|set| set.len() <= STORED) {
            Some(set) => {
                let mut room = [0; MINIMA];
                for (room, &hash) in room.as_chunks_mut::<2>().0.iter_mut().zip(set) {
                    *room = high(hash).to_le_bytes();
                }
                Self { key, size: set.len() as u16, room }
            }
            None => Self { key, size: LARGE, room: minima(sketch) },
        }
    }

    /// Jaccard similarity; 0 where the sizes alone keep it below `threshold`.
    fn similarity(&self, asked: &Asked, threshold: f64) -> f64 {
        if self.size == LARGE {
            let equal = self.room.iter().zip(&asked.minima).filter(|(mine, theirs)| mine == theirs).count();
            // Of minima that differ, one in 256 agrees in its eight bits (Li and König, 2010).
            let chance = 1.0 / 256.0;
            return ((equal as f64 / MINIMA as f64 - chance) / (1.0 - chance)).max(0.0);
        }
        // A set too large to be kept is more than twice as large as this one.
        let Some(theirs) = &asked.set else { return 0.0 };
        let size = usize::from(self.size);
        if (size.min(theirs.len()) as f64 / size.max(theirs.len()).max(1) as f64) < threshold
            && size.max(theirs.len()) > 0
        {
            return 0.0;
        }
        let mut mine = [0; STORED];
        for (mine, room) in mine.iter_mut().zip(self.room.as_chunks::<2>().0) {
            *mine = u16::from_le_bytes(*room);
        }
        let common = common(&mine[..size], theirs);
        let all = size + theirs.len() - common;
        if all == 0 { 1.0 } else { common as f64 / all as f64 }
    }
}

fn high(hash: u32) -> u16 {
    (hash >> 16) as u16
}

/// Eight bits of each of the first minima; all of them again where there are fewer.
fn minima(sketch: &MinHash) -> [u8; MINIMA] {
    let mut minima = [0; MINIMA];
    for (minimum, &value) in minima.iter_mut().zip(sketch.values().iter().cycle()) {
        *minimum = (mix(u64::from(value)) >> 56) as u8;
    }
    minima
}
