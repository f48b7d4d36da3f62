//! The facts of a prompt: the same as those of a slow twin, the same however the prompt is written, and bounded.

#[path = "prompt/bounds.rs"]
mod bounds;
#[path = "prompt/capability.rs"]
mod capability;
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
    *facts(body, &fields(pieces), &secret(), &mut Scratch::default())
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

/// What differs; all but nothing is a failure, and this names it shorter than both facts would.
fn difference(one: &Facts, other: &Facts) -> Vec<&'static str> {
    let fields = [
        ("words", one.words == other.words),
        ("left_out", one.left_out == other.left_out),
        ("digest", one.digest == other.digest),
        ("system", one.system == other.system),
        ("template", one.template == other.template),
        ("conversation", one.conversation == other.conversation),
        ("turns", (one.user_turns, one.assistant_turns) == (other.user_turns, other.assistant_turns)),
        ("sketch", one.sketch == other.sketch),
        ("keys", one.keys == other.keys),
        ("places", (&one.places, one.user_place) == (&other.places, other.user_place)),
        ("prefixes", one.prefixes == other.prefixes),
        ("suffix", one.suffix == other.suffix),
        ("segments", one.segments == other.segments),
        ("answers", one.answers == other.answers),
        ("features", one.features == other.features),
        ("capability", one.capability == other.capability),
    ];
    let different: Vec<_> = fields.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    assert_eq!(different.is_empty(), one == other);
    different
}

const NONE: [&str; 0] = [];

#[allow(dead_code)]
fn same(one: &Facts, other: &Facts) -> bool {
    difference(one, other).is_empty()
}

/// The same, whatever was left out.
fn same_but_length(one: &Facts, other: &Facts) -> bool {
    difference(one, other).iter().all(|field| *field == "left_out")
}
