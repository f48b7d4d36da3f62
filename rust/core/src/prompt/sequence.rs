//! One hash for words in order.

use crate::hash::mix;

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// State of a hash over a sequence of word hashes: their sum, each times an odd number of its place. The words are
/// secret and random, so nobody outside can aim; and no multiplication waits for the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    sum: u64,
    weight: u64,
    words: u32,
}

impl Sequence {
    /// Append a word.
    #[inline(always)]
    pub fn push(&mut self, word: u64) {
        self.sum = self.sum.wrapping_add(word.wrapping_mul(self.weight | 1));
        self.weight = self.weight.wrapping_add(STEP & !1);
        self.words += 1;
    }

    /// How many words there are.
    #[inline(always)]
    pub fn words(self) -> u32 {
        self.words
    }

    /// The hash; 0 of no words.
    #[inline(always)]
    pub fn hash(self) -> u64 {
        if self.words == 0 { 0 } else { mix(self.sum ^ u64::from(self.words)) }
    }

    /// Of a whole list.
    #[inline(always)]
    pub fn of(words: &[u64]) -> u64 {
        let mut sequence = Self::default();
        for &word in words {
            sequence.push(word);
        }
        sequence.hash()
    }
}
