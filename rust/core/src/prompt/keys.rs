//! Keys that campaigns share: runs of five words, and how the user's turn begins. Digits are masked.

use super::sequence::Sequence;
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

/// Sampled hashes of runs of five words, in rising order, none twice; runs do not cross `boundary`.
#[inline(always)]
pub fn keys(words: &[u64], boundary: usize) -> Vec<u64> {
    let drop = (1u64 << (SPARSE_BITS + (words.len() / MAX_SPARSE).max(1).ilog2())) - 1;
    let mut found = [0; 2 * MAX_KEYS];
    let mut count = 0;
    for part in [&words[..boundary], &words[boundary..]] {
        for run in part.windows(WORDS) {
            // No branch: a processor cannot guess one key in four.
            let key = join(run);
            found[count] = key;
            count += usize::from(key & drop == 0);
            if count == found.len() {
                count = smallest(&mut found);
            }
        }
    }
    let count = smallest(&mut found[..count]);
    found[..count].to_vec()
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

/// Move the smallest different keys to the front, in rising order. Returns how many.
fn smallest(found: &mut [u64]) -> usize {
    found.sort_unstable();
    let mut count = 0;
    for place in 0..found.len() {
        if count < MAX_KEYS && (count == 0 || found[place] != found[count - 1]) {
            found[count] = found[place];
            count += 1;
        }
    }
    count
}
