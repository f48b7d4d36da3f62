//! The targets of the prompt pass on stable: bodies and texts, mutated at random. `RLG_SOAK` asks for a hundred times as many.

use ratelimit_guard_fuzz::bodies::{Random, all, body};
use ratelimit_guard_fuzz::{prompt_pass, shingle};

const ROUNDS: u64 = 10_000;
const SEEDS: [&str; 6] = [
    "Write me a short story. It has 3 parts: \"one\", two; three!\nAnd an end?",
    "漢字とかな 안녕하세요。ภาษาไทย قِصّة मुझे कहानी 😀👩‍💻 ﬁne Ｗｉｄｅ ẽ ½ “quoted”…",
    "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nIHJ1biBvZiBiYXNlNjQgd2l0aG91dCBhbnkgc3BhY2Vz",
    "\\u6f22\\u5b57 \\ud83d\\ude00 \\n\\t\\\\ \\\" \\ud83d \\x",
    "\u{200b}\u{301}\u{feff}\u{1f}\0\u{85}\u{2028}",
    "",
];

fn rounds() -> u64 {
    if std::env::var_os("RLG_SOAK").is_some() { 100 * ROUNDS } else { ROUNDS }
}

/// Flip, cut, repeat and splice.
fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    let place = random.below(data.len() + 1);
    let end = place + random.below(data.len() - place + 1).min(60);
    let part = data[place..end].to_vec();
    match random.below(6) {
        0 => drop(data.drain(place..end)),
        1 => drop(data.splice(place..place, part)),
        2 => data.truncate(place),
        3 => data.extend(part.repeat(1 + random.below(40))),
        4 => data.insert(place, random.below(256) as u8),
        _ => drop(data.splice(place..place, SEEDS[random.below(SEEDS.len())].bytes())),
    }
}

/// Both targets hold their invariants.
#[test]
fn prompts_hold() {
    let dialects = all();
    for round in 1..=rounds() {
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut data = match random.below(2) {
            0 => SEEDS[random.below(SEEDS.len())].as_bytes().to_vec(),
            _ => body(&mut random, &dialects),
        };
        for _ in 0..1 + random.below(6) {
            prompt_pass(&data);
            shingle(&data);
            mutate(&mut data, &mut random);
        }
    }
}
