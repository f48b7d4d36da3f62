//! Keys that campaigns share: runs of five words, and how the user's turn begins. Digits are masked.

use super::sequence::Sequence;
use super::words::BREAK;
use arrayvec::ArrayVec;

/// Words of a key.
pub const WORDS: usize = 5;
/// Keys kept at most: those with the smallest hashes.
pub const MAX_KEYS: usize = 128;
/// Words at the start of the user's turn whose hashes make its prefix ladder.
pub const PREFIXES: [usize; 3] = [4, 8, 16];
/// Words at the end of the user's turn whose hash is its suffix.
pub const SUFFIX: usize = 4;

/// A text of up to [`MAX_SPARSE`] words keeps a key in four, one of twice as many a key in eight, and so on: whatever
/// a text keeps, a shorter one with the same passage keeps too.
const SPARSE_BITS: u32 = 2;
const MAX_SPARSE: usize = 256;

/// Words of a line or sentence that are one place: who writes no full stops shall not make one of all he says.
pub const PLACE_WORDS: usize = 24;
/// The low byte of a hash makes room for the segment, so that one number is sorted.
const PLACE: u64 = 0xff;

/// The keys of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Sampled hashes of runs of five words, in rising order, none twice. The low byte is 0.
    pub hashes: Vec<u64>,
    /// The number of the line or sentence that each stands in, of long ones the number of the part of [`PLACE_WORDS`]
    /// words: from 0, and 255 for all behind.
    pub places: Vec<u8>,
    /// The number of the first one behind the boundary.
    pub boundary: u8,
}

/// Where in a text a word stands.
#[derive(Default)]
struct Place {
    number: u64,
    words: usize,
}

impl Place {
    /// To the next word.
    #[inline(always)]
    fn step(&mut self, flag: u8) {
        self.words += 1;
        if flag & BREAK != 0 || self.words == PLACE_WORDS {
            *self = Self { number: (self.number + 1).min(PLACE), words: 0 };
        }
    }
}

/// Keys of words, whose lines and sentences begin where `flags` says. Runs cross neither the end of one nor `boundary`:
/// half of a template and the beginning of what follows it are nobody's phrase.
#[inline(always)]
pub fn keys(words: &[u64], flags: &[u8], boundary: usize) -> Keys {
    let drop = (1u64 << (SPARSE_BITS + (words.len() / MAX_SPARSE).max(1).ilog2())) - 1;
    let mut found = [0; 2 * MAX_KEYS];
    let (mut count, mut at, mut first) = (0, Place::default(), 0);
    for (start, end) in [(0, boundary), (boundary, words.len())] {
        let (part, flags) = (&words[start..end], &flags[start..end]);
        first = at.number as u8;
        for (run, flags) in part.windows(WORDS).zip(flags.windows(WORDS)) {
            let crosses = (flags[1] | flags[2] | flags[3] | flags[4]) & BREAK;
            // No branch: a processor cannot guess one key in four.
            let key = join(run);
            found[count] = key & !PLACE | at.number;
            count += usize::from((key & drop) | u64::from(crosses) == 0);
            at.step(flags[1]);
            if count == found.len() {
                count = smallest(&mut found);
            }
        }
        // The last words begin no run, and the end is a break.
        let seen = if flags.len() < WORDS { 1 } else { flags.len() + 2 - WORDS };
        flags.iter().skip(seen).for_each(|&flag| at.step(flag));
        at.step(BREAK);
    }
    let count = smallest(&mut found[..count]);
    let (hashes, places) = found[..count].iter().map(|key| (key & !PLACE, (key & PLACE) as u8)).unzip();
    Keys { hashes, places, boundary: first }
}

/// Hashes of the first words, as many of [`PREFIXES`] as there are words for.
#[inline(always)]
pub fn prefixes(words: &[u64]) -> ArrayVec<u64, { PREFIXES.len() }> {
    PREFIXES.iter().filter_map(|&length| words.get(..length)).map(Sequence::of).collect()
}

/// Hash of the last words; 0 when there are fewer than [`SUFFIX`].
#[inline(always)]
pub fn suffix(words: &[u64]) -> u64 {
    words.len().checked_sub(SUFFIX).map_or(0, |start| Sequence::of(&words[start..]))
}

/// Order matters: each word is turned by another amount. The lowest bits decide what is kept, so they too get some of
/// each.
#[inline(always)]
fn join(run: &[u64]) -> u64 {
    let turned = |place: usize| run[place].rotate_left(13 * place as u32);
    let sum = turned(0).wrapping_add(turned(1)).wrapping_add(turned(2)).wrapping_add(turned(3)).wrapping_add(turned(4));
    let product = (sum ^ sum >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// Move the smallest different keys to the front, in rising order, of equal ones the first. Returns how many.
fn smallest(found: &mut [u64]) -> usize {
    found.sort_unstable();
    let mut count = 0;
    for place in 0..found.len() {
        if count < MAX_KEYS && (count == 0 || found[place] | PLACE != found[count - 1] | PLACE) {
            found[count] = found[place];
            count += 1;
        }
    }
    count
}
