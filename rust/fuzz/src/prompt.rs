//! Targets `prompt_pass` and `shingle`.

use crate::bodies;
use crate::naive_facts::{self, words};
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::prompt::facts::{Facts, MAX_WORDS, facts};
use ratelimit_guard_core::prompt::fields::{Fields, Piece, Role, Span};
use ratelimit_guard_core::prompt::history::answer;
use ratelimit_guard_core::prompt::scan::Scanner;
use ratelimit_guard_core::prompt::text::{Scratch, add_text};
use ratelimit_guard_core::prompt::words::Keys;
use ratelimit_guard_core::sketch::minhash::MinHash;
use std::sync::LazyLock;

static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::new(&bodies::all(), 1 << 20).unwrap());
const SEED: [u64; 2] = [1, 2];
const ROLES: [Role; 4] = [Role::User, Role::System, Role::Assistant, Role::Tool];

/// Invariant: whatever the bytes, as a body or as any spans of one, deriving facts never panics, gives what the slow
/// twin gives, stays within its bounds, and leaves nothing in its buffers for the next prompt.
pub fn prompt_pass(data: &[u8]) {
    let mut scratch = Scratch::default();
    let mut fields = Fields::default();
    if SCANNER.scan(data, &mut fields).is_ok() {
        check(data, &fields, &mut scratch);
    }
    // Spans, roles and turns from the first bytes, six each.
    let (head, body) = data.split_at(data.len().min(60));
    let body = tame(body);
    fields.clear();
    for six in head.as_chunks::<6>().0 {
        let place = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high])) % (body.len() as u32 + 2);
        let span = Span { start: place(six[0], six[1]), end: place(six[2], six[3]) };
        let role = ROLES[usize::from(six[4] % 4)];
        fields.pieces.push(Piece { span, role, turn: u32::from(six[5] / 2), escaped: six[5] % 2 == 1 });
    }
    check(&body, &fields, &mut scratch);
}

fn check(body: &[u8], fields: &Fields, scratch: &mut Scratch) {
    let found = facts(body, fields, &Keys::new(Seed(SEED)), scratch);
    assert_eq!(*found, naive_facts::facts_with_tools(body, &fields.pieces, fields.tools, SEED));
    let Facts { words, keys, places, segments, answers, .. } = &*found;
    assert!(*words as usize <= MAX_WORDS && keys.len() <= 128 && segments.len() <= 32 && answers.len() <= 8);
    assert!(keys.is_sorted_by(|one, next| one < next) && keys.len() == places.len());
}

/// Invariant: whatever the bytes, a text has the sketch and the answer that the slow twin gives it, and bytes are read
/// as a sketch only if they are those of that sketch.
pub fn shingle(data: &[u8]) {
    if let Ok((sketch, seed)) = MinHash::from_bytes(data) {
        assert_eq!(sketch.to_bytes(seed), data);
    }
    let text = tame(data);
    let (keys, mut scratch) = (Keys::new(Seed(SEED)), Scratch::default());
    assert_eq!(answer(&text, &keys, &mut scratch), naive_facts::answer(&text, SEED));
    let mut sketch = MinHash::new(32);
    add_text(&mut sketch, &text, &keys, &mut scratch);
    if text.len() <= 64 << 10 {
        let words = words::words(&words::normal(&text), &words::secrets(SEED));
        let hashes: Vec<u64> = words.iter().map(|word| word.hash).collect();
        assert_eq!(sketch, naive_facts::minhash(&naive_facts::shingles(&hashes), 32));
    }
    assert_eq!(MinHash::from_bytes(&sketch.to_bytes(3)).unwrap(), (sketch, 3));
}

/// Without the forms of UTF-8 that only a strict reader refuses: the twin is one.
fn tame(data: &[u8]) -> Vec<u8> {
    data.iter().map(|byte| if matches!(byte, 0xe0 | 0xed | 0xf0 | 0xf4) { byte ^ 0x02 } else { *byte }).collect()
}
