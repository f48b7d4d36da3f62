//! The facts of a prompt: the same as those of a slow twin, the same however the prompt is written, and bounded.

#[path = "prompt/bounds.rs"]
mod bounds;
#[path = "prompt/golden.rs"]
mod golden;
#[path = "prompt/naive.rs"]
mod naive;
#[path = "prompt/sampling.rs"]
mod sampling;
#[path = "prompt/spelling.rs"]
mod spelling;
#[path = "prompt/texts.rs"]
mod texts;
#[path = "prompt/twin.rs"]
mod twin;

use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::prompt::facts::{Facts, facts};
use ratelimit_guard_core::prompt::fields::{Piece, Role};
use ratelimit_guard_core::prompt::text::{Scratch, add_text};
use ratelimit_guard_core::prompt::words::Keys;
use ratelimit_guard_core::sketch::minhash::MinHash;
use texts::{Body, Style, fields};

const SEED: [u64; 2] = [0x5eed, 0xf00d];

fn secret() -> Keys {
    Keys::new(Seed(SEED))
}

fn facts_of(body: &[u8], pieces: &[Piece]) -> Facts {
    facts(body, &fields(pieces), &secret(), &mut Scratch::default())
}

/// The facts of one text as the user's only turn.
fn facts_of_text(text: &str) -> Facts {
    let mut body = Body::default();
    body.push(Role::User, 0, text, Style::Raw);
    facts_of(&body.bytes, &body.pieces)
}

fn sketch(text: &[u8]) -> MinHash {
    let mut sketch = MinHash::new(128);
    add_text(&mut sketch, text, &secret(), &mut Scratch::default());
    sketch
}

/// All that was found out about the text, but not how much of it was read.
fn same(one: &Facts, other: &Facts) -> bool {
    Facts { left_out: 0, ..one.clone() } == Facts { left_out: 0, ..other.clone() }
}
