//! A profile beside its slow twin, on streams of every kind.

use super::bodies::Random;
use super::naive::{Naive, Reached};
use super::rounds;
use super::streams::{Prompt, Stream};
use ratelimit_guard_core::detector::profile::Profile;
use ratelimit_guard_core::detector::recall::NUMBERS;

/// Run prompts through both. What was reached.
fn compare(seed: u64, prompts: impl Iterator<Item = Prompt>, reached: &mut Reached) {
    let (mut profile, mut naive, tests) = (Profile::default(), Naive::default(), super::tests());
    for (prompt, number) in prompts.zip(1..) {
        let (events, evidence) = profile.add(&prompt.at(0), &tests);
        assert_eq!(events, naive.add(&prompt.at(0)), "seed {seed}, request {number}: {prompt:?}");
        assert_eq!(evidence, naive.evidence(), "seed {seed}, request {number}");
        assert_eq!(profile.requests(), number);
    }
    for (name, count) in naive.reached {
        *reached.entry(name).or_default() += count;
    }
}

/// A profile shows the events and has the evidence of its twin, and the streams reach all that the twin can do.
#[test]
fn profile_equals_its_twin() {
    let mut reached = Reached::new();
    for seed in 1..=rounds(3_000) {
        let mut random = Random(seed);
        let mut stream = Stream::new(&mut random);
        compare(seed, (0..[10, 40, 120, 300][seed as usize % 4]).map(|_| stream.prompt()), &mut reached);
    }
    for seed in 1..=rounds(12) {
        let mut random = Random(1 << 40 | seed);
        let mut stream = Stream::new(&mut random);
        compare(seed, (0..2 * NUMBERS + 200).map(|_| stream.prompt()), &mut reached);
    }
    let rare: Vec<_> = reached.iter().filter(|(_, count)| **count < 30).collect();
    assert!(rare.is_empty() && reached.len() > 40, "{reached:#?}");
}

/// Requests are numbered modulo a thousand or so: what comes back after exactly that many seems to stand in this one.
#[test]
fn numbers_begin_anew() {
    let mut reached = Reached::new();
    for seed in 1..=rounds(300) {
        let mut random = Random(1 << 41 | seed);
        let mut stream = Stream::new(&mut random);
        let mut prompts: Vec<Prompt> = (0..60).map(|_| stream.prompt()).collect();
        // What nearly every prompt holds comes back so late only when the last ones do.
        let start = [0, 57, 58, 59][seed as usize % 4];
        prompts.resize(NUMBERS as usize + start, Prompt::bare(u64::MAX, false));
        for place in start..60 {
            prompts.push(if start == 0 && place % 3 == 0 { stream.prompt() } else { prompts[place].clone() });
        }
        prompts.extend((0..60).map(|_| stream.prompt()));
        compare(seed, prompts.into_iter(), &mut reached);
    }
    assert!(reached["a whole cycle"] > 100, "{reached:#?}");
}

/// The profile is as small as it says.
#[test]
fn profile_is_small() {
    assert!(size_of::<Profile>() <= 1_536, "{}", size_of::<Profile>());
}
