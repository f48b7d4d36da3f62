//! References: there and back, as people write them, and of nobody else.

use super::cases;
use proptest::prelude::*;
use ratelimit_guard_core::hash::{Seed, mix};
use ratelimit_guard_core::live::reference::Reference;
use std::collections::HashSet;

const SEED: Seed = Seed([0x5eed, 0xf00d]);

proptest! {
    #![proptest_config(cases())]

    /// What is written is read, however a person types it; under another secret it is something else.
    #[test]
    fn there_and_back(account: u64, campaign in 0u32..20_000, time in 0f64..4e9, other in 1u64.., place in 0usize..19) {
        let reference = Reference::new(account, campaign, time);
        prop_assert_eq!(reference.account, account >> 24);
        prop_assert_eq!((reference.campaign, reference.minute), (campaign % 16_384, (time / 60.0) as u32));
        let text = reference.encode(SEED);
        prop_assert!(text.len() == 20 && text.starts_with("RG-") && text.as_bytes()[11] == b'-');
        let letters: String = text.chars().filter(|letter| *letter != '-').collect();
        let spelt = [
            text.to_lowercase(),
            format!("  {text}\n"),
            text.replace('-', " "),
            text.replace('-', ""),
            format!("{}-{}", &letters[..place.min(17)], &letters[place.min(17)..]),
            format!("{} {}", &text[..place], &text[place..]),
        ];
        for text in spelt.iter().chain([&text]) {
            prop_assert_eq!(Reference::decode(text, SEED), Some(reference), "{}", text);
        }
        for seed in [Seed([SEED.0[0] ^ other, SEED.0[1]]), Seed([SEED.0[0], SEED.0[1] ^ other])] {
            prop_assert_ne!(Reference::decode(&text, seed), Some(reference));
        }
    }

    /// Nothing that anybody may type brings it down, and of a reference that lacks a letter nothing is read.
    #[test]
    fn garbage_is_read_without_harm(text in ".*", letters in "[rR][gG][- 0-9A-Za-z]{0,40}", account: u64, cut in 0usize..19) {
        _ = Reference::decode(&text, SEED);
        if let Some(reference) = Reference::decode(&letters, SEED) {
            prop_assert_eq!(Reference::decode(&reference.encode(SEED), SEED), Some(reference));
        }
        let mut whole = Reference::new(account, 3, 1e9).encode(SEED);
        prop_assert_eq!(Reference::decode(&format!("{whole}0"), SEED), None);
        whole.truncate(cut);
        prop_assert_eq!(Reference::decode(&whole, SEED), None);
    }
}

/// Times that are none, or far away, are some time.
#[test]
fn any_time_is_written() {
    for time in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300] {
        let reference = Reference::new(u64::MAX, u32::MAX, time);
        assert_eq!(Reference::decode(&reference.encode(SEED), SEED), Some(reference));
    }
}

/// References of one campaign, account or minute have nothing in common: each letter differs as often as chance says.
#[test]
fn nothing_can_be_seen_in_them() {
    let texts: Vec<Vec<u8>> = (0..2_000u64)
        .map(|number| match number % 4 {
            0 => Reference::new(mix(1) ^ number << 24, 7, 1.7e9),
            1 => Reference::new(mix(1), 7, 1.7e9 + 60.0 * number as f64),
            2 => Reference::new(mix(1), number as u32, 1.7e9),
            _ => Reference::new(mix(number), 7, 1.7e9),
        })
        .map(|reference| reference.encode(SEED).into_bytes())
        .collect();
    assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 1_999.max(texts.iter().collect::<HashSet<_>>().len()));
    for place in (3..11).chain(12..20) {
        let mut counts = [0u32; 256];
        texts.iter().for_each(|text| counts[text[place] as usize] += 1);
        let worst = counts.into_iter().max().unwrap();
        assert!(counts.iter().filter(|count| **count > 0).count() == 32 && worst < 110, "{place}: {worst}");
    }
}
