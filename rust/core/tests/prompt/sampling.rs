//! What long texts have in common is sampled alike in each of them.

use super::*;
use naive::words;
use proptest::prelude::*;
use ratelimit_guard_core::prompt::keys::keys;
use ratelimit_guard_core::prompt::shingle::{DENSE, runs, shingles};
use ratelimit_guard_core::prompt::words::{BREAK, Words};
use std::collections::BTreeSet;
use texts::cases;

/// The keys of one sentence on either side.
fn kept(words: &[u64], boundary: usize) -> Vec<u64> {
    keys(words, &vec![0; words.len()], boundary).hashes
}

/// Different words for each seed.
fn hashes(seed: u64, count: usize) -> Vec<u64> {
    (0..count as u64).map(|number| words::mix(words::mix(seed) ^ number)).collect()
}

fn english(seed: u64, count: usize) -> String {
    hashes(seed, count).iter().map(|hash| format!("w{} ", hash % 5_000)).collect()
}

/// Base64 of different bytes for each seed.
fn run(seed: u64, length: usize) -> Vec<u8> {
    let letter = |hash: u64| b"abcdefghijklmnopqrstuvwxyz0123456789"[hash as usize % 36];
    hashes(seed, length).into_iter().map(letter).collect()
}

fn cut(text: &[u8]) -> Vec<u64> {
    let mut words = Words::default();
    words.cut::<false>(&mut text.to_vec(), &secret());
    words.hashes().to_vec()
}

proptest! {
    #![proptest_config(cases(60))]

    /// Behind 4,096 words two texts keep the same shingles of a passage that both have, about one in eight.
    #[test]
    fn shared_passages_keep_the_same_shingles(seed in any::<u64>(), before in DENSE..6_000, other in DENSE..6_000) {
        let passage = hashes(seed, 2_000);
        let kept = |start: Vec<u64>, end: Vec<u64>| {
            let mut out = Vec::new();
            shingles(&[start, passage.clone(), end].concat(), &mut out);
            out.into_iter().collect::<BTreeSet<u32>>()
        };
        let of_passage: BTreeSet<u32> = naive::shingles(&passage).into_iter().collect();
        let one = kept(hashes(seed ^ 1, before), vec![]);
        let other = kept(hashes(seed ^ 2, other), hashes(seed ^ 3, 500));
        let one: BTreeSet<_> = one.intersection(&of_passage).collect();
        let other: BTreeSet<_> = other.intersection(&of_passage).collect();
        // Of 32 bits some agree by chance.
        prop_assert!(one.symmetric_difference(&other).count() <= 2);
        prop_assert!((150..350).contains(&one.len()), "{}", one.len());
    }

    /// Whatever a text keeps of a passage, the passage alone keeps too.
    #[test]
    fn keys_of_long_texts_are_keys_of_their_passages(
        seed in any::<u64>(),
        length in 20usize..256,
        before in 0usize..5_000,
        after in 0usize..2_000,
    ) {
        let passage = hashes(seed, length);
        let alone: BTreeSet<u64> = kept(&passage, 0).into_iter().collect();
        let text = [hashes(seed ^ 1, before), passage.clone(), hashes(seed ^ 2, after)].concat();
        let of_passage: BTreeSet<u64> = passage.windows(5).map(naive::key).collect();
        prop_assert!(kept(&text, before).iter().filter(|key| of_passage.contains(key)).all(|key| alone.contains(key)));
    }

    /// In portions that overlap by two words come the shingles of the whole, also where they begin to be sampled.
    #[test]
    fn portions_have_the_shingles_of_the_whole(
        seed in any::<u64>(),
        length in 4_000usize..4_400,
        cut in 2usize..4_398,
    ) {
        let words = hashes(seed, length);
        let whole = naive::shingles(&words);
        let mut found = Vec::new();
        shingles(&words, &mut found);
        prop_assert_eq!(&found, &whole);
        let cut = cut.min(length);
        found.clear();
        runs(&words[..cut], 0, &mut found);
        runs(&words[cut - 2..], cut - 2, &mut found);
        prop_assert_eq!(found, whole);
    }

    /// No key has words of both sides of the boundary.
    #[test]
    fn keys_stay_on_their_side(seed in any::<u64>(), system in 0usize..200, user in 0usize..200) {
        let (system, user) = (hashes(seed, system), hashes(seed ^ 1, user));
        let together: BTreeSet<u64> = kept(&[&system[..], &user].concat(), system.len()).into_iter().collect();
        let apart: BTreeSet<u64> = kept(&system, 0).into_iter().chain(kept(&user, 0)).collect();
        prop_assert_eq!(together, apart);
    }

    /// No key has words of two sentences, and each stands in the first that has it.
    #[test]
    fn keys_stay_in_their_sentence(
        seed in any::<u64>(),
        lengths in prop::collection::vec(0usize..40, 1..300),
        boundary in 0usize..6_000,
    ) {
        // Few words, so that keys come again.
        let words: Vec<u64> = hashes(seed, lengths.iter().sum()).iter().map(|hash| words::mix(hash % 9)).collect();
        let boundary = boundary.min(words.len());
        let mut flags = vec![0; words.len()];
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        ends.filter(|end| *end < words.len()).for_each(|end| flags[end] = BREAK);
        let found = keys(&words, &flags, boundary);
        prop_assert!(found.hashes.is_sorted_by(|one, next| one < next) && found.places.len() == found.hashes.len());
        // Of each word the number of its sentence, and of its place: a sentence has a new one every 24 words.
        let numbers = |part: &[u8], first: usize| {
            let (mut sentence, mut number, mut length) = (10_000 * first, first, 0);
            let mut all = vec![];
            for (place, flag) in part.iter().enumerate() {
                let is_end = place > 0 && flag & BREAK != 0;
                sentence += usize::from(is_end);
                if place > 0 && (is_end || length == 24) {
                    (number, length) = (number + 1, 0);
                }
                length += 1;
                all.push((sentence, number));
            }
            (all, number + 1)
        };
        let (system, first) = numbers(&flags[..boundary], 0);
        prop_assert_eq!(usize::from(found.boundary), first.min(255));
        let numbers = [system, numbers(&flags[boundary..], first).0].concat();
        for (hash, place) in found.hashes.iter().zip(&found.places) {
            let holds = |start: &usize| {
                numbers[*start].0 == numbers[start + 4].0 && naive::key(&words[*start..start + 5]) == *hash
            };
            let start = (0..words.len() - 4).find(holds);
            prop_assert_eq!(start.map(|start| numbers[start].1.min(255)), Some(usize::from(*place)));
        }
    }

    /// In a run without spaces a change at its start is forgotten after some pieces.
    #[test]
    fn pieces_of_runs_find_their_places_again(seed in any::<u64>(), prefix in 1usize..100) {
        let text = run(seed, 4_000);
        let (one, other) = (cut(&text), cut(&[run(seed ^ 1, prefix), text].concat()));
        let common = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
        prop_assert!(one.len() - common < one.len() / 4, "{common} of {}", one.len());
    }
}

proptest! {
    #![proptest_config(cases(16))]

    /// A text is read in chunks, and its words are those of the whole.
    #[test]
    fn chunks_change_nothing(seed in any::<u64>(), words in 10_000usize..60_000) {
        let text = english(seed, words);
        let whole = naive::shingles(&cut(&words::normal(text.as_bytes())));
        prop_assert_eq!(sketch(text.as_bytes()), naive::minhash(&whole, 128));
    }

    /// However far apart its words stand, a text has the same shingles.
    #[test]
    fn gaps_change_nothing(gaps in prop::collection::vec((0u32..50, prop_oneof![Just(1usize), 1usize..6_000]), 1..60)) {
        let with = |gap: fn(usize) -> usize| {
            gaps.iter().map(|(word, length)| format!("w{word}{}", " ".repeat(gap(*length)))).collect::<String>()
        };
        let (wide, narrow) = (with(|gap| gap), with(|_| 1));
        prop_assert_eq!(sketch(wide.as_bytes()), sketch(narrow.as_bytes()), "{:?}", gaps);
    }

    /// Without any space a chunk ends anywhere, and little changes: fewer than one piece in a hundred.
    #[test]
    fn chunks_of_one_run_change_little(seed in any::<u64>(), length in 70_000usize..200_000) {
        let text = run(seed, length);
        let whole = naive::minhash(&naive::shingles(&cut(&text)), 128);
        prop_assert!(sketch(&text).jaccard(&whole) > 0.9);
        let mut shifted = b"prefix".to_vec();
        shifted.extend(&text);
        prop_assert!(sketch(&shifted).jaccard(&whole) > 0.8);
        let han = |hash: u64| char::from_u32(0x4e00 + (hash % 3_000) as u32).unwrap();
        let chinese: String = hashes(seed, length / 3).into_iter().map(han).collect();
        let words = cut(&words::normal(chinese.as_bytes()));
        prop_assert_eq!(sketch(chinese.as_bytes()), naive::minhash(&naive::shingles(&words), 128));
    }
}

/// Spaces are no words, however many there are and wherever they stand.
#[test]
fn space_changes_nothing() {
    let space = " ".repeat(70_000);
    let wanted = sketch(b"one two three four");
    for text in [
        format!("one two three four{space}"),
        format!("{space}one two three four"),
        format!("one{space}two three four"),
        format!("one two{space}three four"),
        format!("one two three{space}four"),
        format!("one{space}two{space}three{space}four"),
        format!("{space}{space}one{space}{space}two three four{space}{space}"),
    ] {
        let place = text.find(' ');
        assert_eq!(sketch(text.as_bytes()), wanted, "first space at {place:?}, {} bytes", text.len());
    }
    assert_eq!(sketch(format!("one{space}").as_bytes()), sketch(b"one"));
    assert_eq!(sketch(format!("one{space}two").as_bytes()), sketch(b"one two"));
    assert!(sketch(space.as_bytes()).is_empty());
}

/// A sentence that comes again and again takes no room from the keys of the rest.
#[test]
fn repetition_does_not_crowd_out_keys() {
    // Each first sentence is its own try: at a key in sixteen some of them keep many.
    for seed in 0..20 {
        let refrain = hashes(seed, 4).repeat(300);
        let rest = hashes(seed ^ 1_000, 400);
        let found = kept(&[refrain.clone(), rest.clone()].concat(), 0);
        let every = kept(&[hashes(seed ^ 2_000, 1_200), rest.clone()].concat(), 0);
        let of_rest: BTreeSet<u64> = rest.windows(5).map(naive::key).collect();
        let count = |keys: &[u64]| keys.iter().filter(|key| of_rest.contains(key)).count();
        assert_eq!(count(&found), count(&every), "seed {seed}");
    }
}
