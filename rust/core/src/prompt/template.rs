//! A prompt with its slots masked: what a program sends again and again with other values in it.

use super::sequence::Sequence;
use super::words::SLOT;

/// Stands for a run of slots, however long.
const MARK: u64 = 0x517c_c1b7_2722_0a95;

/// Hash of the words that are no slots, each run of slots as one mark.
#[inline(always)]
pub fn template(words: &[u64], flags: &[u8]) -> u64 {
    let mut sequence = Sequence::default();
    let mut in_slot = false;
    for (&word, &flag) in words.iter().zip(flags) {
        let slot = flag & SLOT != 0;
        if !(slot && in_slot) {
            sequence.push(if slot { MARK } else { word });
        }
        in_slot = slot;
    }
    sequence.hash()
}
