//! The targets on stable: bodies that nearly make sense, mutated at random. `RLG_SOAK` asks for a hundred times as many.

use ratelimit_guard_fuzz::bodies::{Random, all, body};
use ratelimit_guard_fuzz::scan_body;

const ROUNDS: u64 = 20_000;
const SEEDS: [&str; 6] = [
    "",
    r#"{"model":"gpt-4o","messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"Hi"}]}"#,
    r#"{"prompt":[[1,2,3],[4,5]],"n":1,"n":null,"logprobs":5,"max_tokens":1e2}"#,
    r#"{"system":[{"text":"a\u00e9\ud83d\ude00\n"}],"messages":[{"content":[{"content":[{"text":"b"}]}],"role":"user"}]}"#,
    r#"{"contents":{"parts":[{"text":"x"}],"role":"model"},"generationConfig":{"topP":-Infinity,"logprobs":NaN}}"#,
    "\u{feff} [ [ [ ] , { \"a\" : [ 0.5 , -1E-2 , true , false , null ] } ] , \"\u{6f22}\u{5b57}\" ] ",
];

fn rounds() -> u64 {
    if std::env::var_os("RLG_SOAK").is_some() { 100 * ROUNDS } else { ROUNDS }
}

/// Flip, cut, repeat and splice.
fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    let place = random.below(data.len() + 1);
    let end = place + random.below(data.len() - place + 1).min(40);
    let part = data[place..end].to_vec();
    match random.below(6) {
        0 => drop(data.drain(place..end)),
        1 => drop(data.splice(place..place, part)),
        2 => data.truncate(place),
        3 => {
            let to = random.below(data.len() + 1);
            drop(data.splice(to..to, part));
        }
        4 => data.insert(place, random.below(256) as u8),
        _ => data.insert(place, b"\"\\{}[],:0-.eEnu \n\x00\xef"[random.below(19)]),
    }
}

/// A scan holds its invariant.
#[test]
fn scan_body_holds() {
    let dialects = all();
    for round in 1..=rounds() {
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut data = match random.below(3) {
            0 => SEEDS[random.below(SEEDS.len())].as_bytes().to_vec(),
            _ => body(&mut random, &dialects),
        };
        scan_body(&data);
        for _ in 0..random.below(4) {
            mutate(&mut data, &mut random);
            scan_body(&data);
        }
    }
}
