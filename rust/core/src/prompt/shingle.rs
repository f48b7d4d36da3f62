//! Word hashes into shingle hashes: overlapping runs of words (Broder, 1997).

use crate::hash::mix;

/// Words of a shingle.
pub const WORDS: usize = 3;

/// Words whose shingles are all kept: 20 KB of English, 12 KB of Chinese.
pub const DENSE: usize = 4_096;

/// Beyond [`DENSE`] words a shingle is kept when its own hash says so, one in eight; so two texts that share a passage
/// keep the same of it.
const SPARSE_BITS: u32 = 3;

/// Append the 32-bit hash of each shingle of a text. One or two words are one shingle.
#[inline(always)]
pub fn shingles(words: &[u64], out: &mut Vec<u32>) {
    match *words {
        [] => {}
        [one] => out.push(spread(join(one, 0, 0))),
        [one, two] => out.push(spread(join(one, two, 0))),
        _ => runs(words, 0, out),
    }
}

/// Append the 32-bit hash of each run of three among `words`, before which the text has `before` others.
#[inline(always)]
pub fn runs(words: &[u64], before: usize, out: &mut Vec<u32>) {
    let all = words.len().saturating_sub(WORDS - 1);
    let dense = all.min((DENSE + 1 - WORDS).saturating_sub(before));
    let start = out.len();
    out.resize(start + dense, 0);
    for (out, run) in out[start..].iter_mut().zip(words.windows(WORDS)) {
        *out = spread(join(run[0], run[1], run[2]));
    }
    for run in words[dense..].windows(WORDS) {
        let sum = join(run[0], run[1], run[2]);
        if mix(sum).trailing_zeros() >= SPARSE_BITS {
            out.push(spread(sum));
        }
    }
}

/// Order matters: each word is turned by another amount.
#[inline(always)]
fn join(one: u64, two: u64, three: u64) -> u64 {
    one.wrapping_add(two.rotate_left(21)).wrapping_add(three.rotate_left(42))
}

/// Word hashes are random already; one multiplication undoes what overlapping sums have in common. Never 0, see
/// [`MinHash`](crate::sketch::minhash::MinHash).
#[inline(always)]
fn spread(sum: u64) -> u32 {
    (((sum ^ sum >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32).max(1)
}
