//! What a few texts have always given: the same on every processor, with the feature `portable` and without, and in
//! every version that reads what an earlier one has kept.

use super::*;
use naive::sequence;
use naive::words::mix;
use ratelimit_guard_core::prompt::history::answer;

const STORY: &str =
    "Write me a short story, in 3 parts, about \"the keeper of a lighthouse\". She counts ships; nobody asks why!
Part 1: the storm. Part 2: the letter? Part 3: 1984-06-08, a Tuesday.\n\nBe brief.";
const WORLD: &str =
    "漢字とかな、안녕하세요 세계。ภาษาไทย قِصّة قصيرة मुझे एक कहानी 😀👩‍💻 ﬁne Ｗｉｄｅ ẽ ½ Привет, Мир — “quoted 12 words”…";
const RUN: &str = "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nIHJ1biBvZiBiYXNlNjQgd2l0aG91dCBhbnkgc3BhY2Vz";

fn all_of(facts: &Facts) -> u64 {
    let numbers = [facts.words, facts.left_out, facts.user_turns, facts.assistant_turns].map(u64::from);
    let hashes = [facts.digest, facts.system, facts.template, facts.conversation];
    let segments = facts.segments.iter().flat_map(|segment| [segment.hash, u64::from(segment.words)]);
    let answers = facts.answers.iter().flat_map(|answer| [answer.hash, answer.link, u64::from(answer.words)]);
    let features = facts.features.iter().map(|feature| u64::from(feature.cast_unsigned()));
    let places = facts.places.iter().chain([&facts.user_place]).map(|place| u64::from(*place));
    let all = numbers.into_iter().chain(hashes).chain(facts.keys.iter().copied()).chain(facts.prefixes.iter().copied());
    sequence(
        &all.chain(places)
            .chain(segments)
            .chain(answers)
            .chain(features)
            .chain([of_sketch(&facts.sketch)])
            .collect::<Vec<_>>(),
    )
}

fn of_sketch(sketch: &MinHash) -> u64 {
    sequence(
        &sketch
            .values()
            .iter()
            .chain(sketch.set().unwrap_or_default())
            .map(|value| mix(u64::from(*value)))
            .collect::<Vec<_>>(),
    )
}

fn texts() -> [String; 5] {
    let long = (0..9_000)
        .map(|number: u64| format!("{} ", ["item", "of", "the", "list", "漢", "x"][mix(number) as usize % 6]));
    [String::new(), STORY.into(), WORLD.into(), RUN.into(), long.collect()]
}

/// Hashes of the facts, of the sketch of the text alone, and of the answer.
#[test]
fn facts_are_as_ever() {
    const WANTED: [[u64; 3]; 5] = [
        [0xebb0_6b2b_60cb_00dc, 0x58ae_9ebf_e85d_561d, 0],
        [0x364c_21da_d7c1_a447, 0x53ad_7e14_48c9_3731, 0xebed_1478_12b4_be61],
        [0x1a38_324b_b335_7ed2, 0xc272_55e7_cbed_f236, 0x1dab_91ce_f2cf_e0db],
        [0x0f5a_9d48_3a36_ce67, 0xfe5c_62bf_a572_01b5, 0xc7e5_e1db_ddf3_60b0],
        [0xe7d2_839e_8216_5ea3, 0xccd2_78c6_f7dd_e3de, 0x7502_071d_9ecf_996b],
    ];
    let of = |text: String| {
        let mut body = Body::default();
        let turns = [
            (Role::System, STORY),
            (Role::User, &text),
            (Role::Assistant, WORLD),
            (Role::Tool, RUN),
            (Role::User, &text),
        ];
        for (turn, (role, text)) in turns.into_iter().enumerate() {
            body.push(role, turn as u32, text, Style::Mixed);
        }
        let answer = answer(text.as_bytes(), &secret(), &mut Scratch::default()).hash;
        [all_of(&facts_of(&body.bytes, &body.pieces)), of_sketch(&sketch(text.as_bytes())), answer]
    };
    let found = texts().map(of);
    assert_eq!(found, WANTED, "{found:#x?}");
}

/// The signature of three hashes under the first eight permutations, which are fixed for ever.
#[test]
fn permutations_are_as_ever() {
    let mut sketch = MinHash::new(8);
    sketch.add(&[1, 0x1234_5678, u32::MAX]);
    assert_eq!(sketch, naive::minhash(&[1, 0x1234_5678, u32::MAX], 8));
    assert_eq!(
        sketch.values(),
        [706743973, 1466585605, 791902537, 402884861, 688873552, 1103344852, 1077361752, 26131958]
    );
}
