//! A plain text to the hashes of its shingles: the way of [`MinHash`] without a body.

use super::normalize::normalize;
use super::shingle::{WORDS, runs, shingles};
use super::words::{Keys, Words};
use crate::sketch::minhash::MinHash;
use crate::vector::wide;

/// Buffers that a text passes through. Reused, so that nothing is allocated once they are warm.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) text: Vec<u8>,
    pub(super) words: Words,
    pub(super) shingles: Vec<u32>,
}

/// Bytes that are read at once, so that a long text needs no more room than a short one.
const CHUNK: usize = 64 << 10;
/// A chunk ends behind a space where there is one this near to its end.
const NEAR: usize = 1 << 10;

/// Add the word 3-shingles of `text` to a sketch. The whole text is read; from [`DENSE`](super::shingle::DENSE) words
/// on its shingles are sampled by their own hash. Cost with AVX2 and 128 permutations: about 1.3 ns per byte of
/// English.
pub fn add_text(sketch: &mut MinHash, text: &[u8], keys: &Keys, scratch: &mut Scratch) {
    scratch.clear();
    let (mut rest, mut before) = (text, 0);
    while rest.len() > CHUNK {
        let (chunk, more) = rest.split_at(chunk_end(rest));
        before += add_chunk(sketch, chunk, before, keys, scratch);
        rest = more;
    }
    if before > 0 {
        add_chunk(sketch, rest, before, keys, scratch);
        return;
    }
    wide(
        #[inline(always)]
        || {
            scratch.text.clear();
            normalize(rest, false, usize::MAX, &mut scratch.text);
            scratch.words.cut::<false>(&mut scratch.text, keys);
            shingles(scratch.words.hashes(), &mut scratch.shingles);
            sketch.add_here(&scratch.shingles);
        },
    );
}

/// Add the runs of words that end in a chunk. Returns by how many words the next one's first run begins later.
fn add_chunk(sketch: &mut MinHash, chunk: &[u8], before: usize, keys: &Keys, scratch: &mut Scratch) -> usize {
    wide(
        #[inline(always)]
        || {
            scratch.text.clear();
            scratch.shingles.clear();
            normalize(chunk, false, usize::MAX, &mut scratch.text);
            scratch.words.cut::<false>(&mut scratch.text, keys);
            runs(scratch.words.hashes(), before, &mut scratch.shingles);
            sketch.add_here(&scratch.shingles);
            scratch.words.keep_last(WORDS - 1)
        },
    )
}

/// Behind a space, or else where a character begins.
fn chunk_end(text: &[u8]) -> usize {
    let near = CHUNK - NEAR;
    let space = text[near..CHUNK].iter().rposition(u8::is_ascii_whitespace).map(|place| near + place + 1);
    space.unwrap_or_else(|| (0..CHUNK).rev().find(|&place| text[place] & 0xc0 != 0x80).unwrap_or(CHUNK).max(1))
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
        self.shingles.clear();
    }
}
