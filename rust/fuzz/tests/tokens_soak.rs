//! The target `pass_answer` on stable: streams that nearly make sense, mutated at random. `RLG_SOAK` asks for a hundred
//! times as many.

#[path = "../../core/tests/tokens/streams.rs"]
mod streams;

use ratelimit_guard_fuzz::bodies::{self, Random};
use ratelimit_guard_fuzz::pass_answer;

const ROUNDS: u64 = 5_000;

/// An answer holds its invariant.
#[test]
fn pass_answer_holds() {
    let rounds = if std::env::var_os("RLG_SOAK").is_some() { 100 * ROUNDS } else { ROUNDS };
    for round in 1..=rounds {
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut data = streams::stream(&mut random);
        for _ in 0..random.below(4) {
            let place = random.below(data.len() + 1);
            data.insert(place, b"\"\\{}[],:\n\r\x00\xef"[random.below(12)]);
        }
        pass_answer(&data);
    }
}
