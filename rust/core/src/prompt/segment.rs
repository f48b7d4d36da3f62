//! Lines and sentences: pieces of a prompt that come back in new arrangements when somebody composes prompts from
//! parts.

use super::sequence::Sequence;
use super::words::BREAK;
use arrayvec::ArrayVec;

/// Segments kept: the first and the last half of them.
pub const MAX_SEGMENTS: usize = 32;
const HALF: usize = MAX_SEGMENTS / 2;
/// Shorter ones ("yes", "thank you") say nothing about where they are from.
pub const MIN_WORDS: u32 = 3;

/// A line or sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Hash of its words.
    pub hash: u64,
    /// How many words.
    pub words: u32,
}

/// The segments of a text, none twice, in order.
#[inline(always)]
pub fn segments(words: &[u64], flags: &[u8]) -> ArrayVec<Segment, MAX_SEGMENTS> {
    let mut kept = Kept::default();
    let mut sequence = Sequence::default();
    for (&word, &flag) in words.iter().zip(flags) {
        if flag & BREAK != 0 {
            kept.push(sequence);
            sequence = Sequence::default();
        }
        sequence.push(word);
    }
    kept.push(sequence);
    kept.in_order()
}

/// The first half fills once; the last half goes round. Zero is no hash: it marks what is empty.
#[derive(Default)]
struct Kept {
    first: [Segment; HALF],
    last: [Segment; HALF],
    count: usize,
}

impl Kept {
    #[inline(always)]
    fn push(&mut self, sequence: Sequence) {
        if sequence.words() < MIN_WORDS {
            return;
        }
        let segment = Segment { hash: sequence.hash(), words: sequence.words() };
        let mut known = false;
        for place in 0..HALF {
            known |= self.first[place].hash == segment.hash || self.last[place].hash == segment.hash;
        }
        if !known {
            let half = if self.count < HALF { &mut self.first } else { &mut self.last };
            half[self.count % HALF] = segment;
            self.count += 1;
        }
    }

    fn in_order(mut self) -> ArrayVec<Segment, MAX_SEGMENTS> {
        if self.count > MAX_SEGMENTS {
            self.last.rotate_left(self.count % HALF);
        }
        self.first.into_iter().chain(self.last).take(self.count).collect()
    }
}
