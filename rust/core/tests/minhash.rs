//! MinHash: signature and set against slow twins, the promised error, and bytes.

#[path = "prompt/naive.rs"]
mod naive;

use naive::words::mix;
use proptest::prelude::*;
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::sketch::minhash::{EXACT, MAX_PERM, MinHash, NUM_PERM, common};
use std::collections::BTreeSet;

const HEAD: usize = 13;

fn cases(usual: u32) -> ProptestConfig {
    let cases = if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn sketch(hashes: &[u32], num_perm: usize) -> MinHash {
    let mut sketch = MinHash::new(num_perm);
    sketch.add(hashes);
    sketch
}

/// Hashes, never 0, that meet often, and among few slots of a small table.
fn hashes(most: usize) -> impl Strategy<Value = Vec<u32>> {
    let hash = prop_oneof![1u32..200, 1u32..=u32::MAX, (1u32..300).prop_map(|number| number << 10)];
    prop::collection::vec(hash, 0..most)
}

/// A list that rises, with repetitions.
fn rising() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(0u16..40, 0..60).prop_map(|mut list| {
        list.sort_unstable();
        list
    })
}

fn num_perm() -> impl Strategy<Value = usize> {
    prop_oneof![Just(NUM_PERM), 1usize..100, Just(31), Just(32), Just(33)]
}

fn naive_jaccard(one: &[u32], other: &[u32]) -> f64 {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one.iter().collect(), other.iter().collect());
    let all = one.union(&other).count();
    if all == 0 { 1.0 } else { one.intersection(&other).count() as f64 / all as f64 }
}

/// Two sets of `count` hashes in all, of which the first `shared` are in both.
fn pair(seed: u64, count: usize, shared: usize) -> [Vec<u32>; 2] {
    let all: Vec<u32> = (0..count as u64).map(|number| (mix(mix(seed) ^ number) as u32).max(1)).collect();
    let half = shared + (count - shared) / 2;
    [all[..half].to_vec(), [&all[..shared], &all[half..]].concat()]
}

proptest! {
    #![proptest_config(cases(500))]

    /// Minima and set are those of the twin.
    #[test]
    fn signatures_equal_their_twin(hashes in hashes(400), num_perm in num_perm()) {
        prop_assert_eq!(sketch(&hashes, num_perm), naive::minhash(&hashes, num_perm));
    }

    /// In any order, any number of times, in any portions: a set.
    #[test]
    fn order_and_repetition_change_nothing(hashes in hashes(300), parts in prop::collection::vec(0usize..50, 0..10)) {
        let whole = sketch(&hashes, NUM_PERM);
        let mut parted = MinHash::new(NUM_PERM);
        let mut rest = &hashes[..];
        for part in parts {
            let (now, later) = rest.split_at(part.min(rest.len()));
            parted.add(now);
            parted.add(&now.iter().rev().copied().collect::<Vec<_>>());
            rest = later;
        }
        parted.add(rest);
        prop_assert_eq!(&parted, &whole);
        let back: Vec<u32> = hashes.iter().rev().chain(&hashes).copied().collect();
        prop_assert_eq!(sketch(&back, NUM_PERM), whole);
    }

    /// A merge is the union, in values and set.
    #[test]
    fn merges_are_unions(one in hashes(150), other in hashes(150), num_perm in num_perm()) {
        let mut merged = sketch(&one, num_perm);
        merged.merge(&sketch(&other, num_perm));
        let mut back = sketch(&other, num_perm);
        back.merge(&sketch(&one, num_perm));
        prop_assert_eq!(&merged, &back);
        prop_assert_eq!(&merged, &sketch(&[one, other].concat(), num_perm));
        let before = merged.clone();
        merged.merge(&before);
        merged.merge(&MinHash::new(num_perm));
        prop_assert_eq!(merged, before);
    }

    /// Similarity is symmetric, 1 with itself, and exact while both sets are whole; so is the count.
    #[test]
    fn whole_sets_compare_exactly(one in hashes(200), other in hashes(200), num_perm in num_perm()) {
        let (mine, theirs) = (sketch(&one, num_perm), sketch(&other, num_perm));
        prop_assert_eq!(mine.jaccard(&theirs), theirs.jaccard(&mine));
        prop_assert!((0.0..=1.0).contains(&mine.jaccard(&theirs)));
        prop_assert_eq!(mine.jaccard(&mine), 1.0);
        let distinct = one.iter().collect::<BTreeSet<_>>().len();
        prop_assert_eq!(mine.set().is_some(), distinct <= EXACT);
        prop_assert_eq!(mine.is_empty(), one.is_empty());
        if let (Some(_), Some(_)) = (mine.set(), theirs.set()) {
            prop_assert_eq!(mine.jaccard(&theirs), naive_jaccard(&one, &other));
            prop_assert_eq!(mine.count(), distinct as f64);
        }
    }

    /// Lists that rise share what the sets share, and as often as both have it.
    #[test]
    fn common_counts_what_is_shared(one in rising(), other in rising()) {
        let times = |list: &[u16], value: u16| list.iter().filter(|other| **other == value).count();
        let wanted: usize = (0..40).map(|value| times(&one, value).min(times(&other, value))).sum();
        prop_assert_eq!(common(&one, &other), wanted);
    }

    /// Bytes read as what was written.
    #[test]
    fn bytes_keep_everything(hashes in hashes(300), num_perm in num_perm(), seed in any::<u64>()) {
        let sketch = sketch(&hashes, num_perm);
        prop_assert_eq!(MinHash::from_bytes(&sketch.to_bytes(seed)).unwrap(), (sketch, seed));
    }

    /// Changed bytes are refused, or are those of what is read from them; they break nothing.
    #[test]
    fn changed_bytes_are_refused_or_read(
        hashes in hashes(200),
        num_perm in 1usize..40,
        places in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        length in any::<usize>(),
    ) {
        let mut bytes = sketch(&hashes, num_perm).to_bytes(7);
        for (place, byte) in places {
            // Half of them in the head.
            let place = if place % 2 == 0 { place % HEAD } else { place % bytes.len() };
            bytes[place] = byte;
        }
        if length % 3 == 0 {
            bytes.truncate(length % (bytes.len() + 1));
        }
        match MinHash::from_bytes(&bytes) {
            Err(error) => prop_assert!(matches!(error.fault(), Fault::Usage)),
            Ok((mut read, seed)) => {
                prop_assert_eq!(read.to_bytes(seed), bytes);
                prop_assert_eq!(read.jaccard(&read), 1.0);
                read.add(&hashes);
                read.merge(&read.clone());
                prop_assert!(read.count() >= 0.0 && read.set().is_none_or(|set| set.len() <= EXACT));
            }
        }
    }
}

/// Of larger sets the estimate is within five standard errors, and right on average.
#[test]
fn estimates_keep_their_error() {
    for num_perm in [64, NUM_PERM, 256] {
        for (count, shared) in [(400, 20), (1_000, 500), (3_000, 2_700), (200, 190), (1_000, 0)] {
            let jaccard = shared as f64 / count as f64;
            let sigma = (jaccard * (1.0 - jaccard) / num_perm as f64).sqrt();
            let rounds = 60;
            let errors = (0..rounds).map(|seed| {
                let [one, other] = pair(seed * 7_919 + count as u64, count, shared);
                let estimate = sketch(&one, num_perm).jaccard(&sketch(&other, num_perm));
                // Seldom one equal minimum by chance where nothing is shared.
                assert!(
                    (estimate - jaccard).abs() <= 5.0 * sigma + 1e-3,
                    "{estimate} for {jaccard}, {num_perm} minima"
                );
                estimate - jaccard
            });
            let mean = errors.sum::<f64>() / rounds as f64;
            assert!(mean.abs() < 4.0 * sigma / (rounds as f64).sqrt() + 1e-3, "{jaccard}: off by {mean}");
        }
    }
}

/// Where a set has grown beyond what is kept, its size is estimated to a few tenths.
#[test]
fn counts_of_large_sets_are_estimated() {
    for (seed, count) in [(1, 129), (2, 1_000), (3, 100_000), (4, 1_000_000)] {
        let [hashes, _] = pair(seed, count, count);
        let estimate = sketch(&hashes, 256).count();
        assert!((estimate / count as f64 - 1.0).abs() < 5.0 / 16.0, "{estimate} for {count}");
    }
}

/// The set is whole up to 128 hashes, and no more beyond.
#[test]
fn sets_are_whole_up_to_their_bound() {
    let hashes: Vec<u32> = (1..=EXACT as u32).map(|number| number * 1_024).collect();
    let mut sketch = sketch(&hashes, 4);
    sketch.add(&hashes);
    assert_eq!(sketch.set(), Some(&hashes[..]));
    sketch.add(&[1_024, 2_048]);
    assert_eq!(sketch.set().map(<[u32]>::len), Some(EXACT));
    sketch.add(&[5]);
    assert_eq!((sketch.set(), sketch.is_empty()), (None, false));
    sketch.add(&[]);
    assert_eq!(sketch.set(), None);
    let mut other = MinHash::new(4);
    other.merge(&sketch);
    assert_eq!((other.set(), other.is_empty()), (None, false));
}

/// Numbers of permutations out of range are brought into it; parts that do not fit are refused.
#[test]
fn parts_are_checked() {
    assert_eq!(MinHash::new(0).values().len(), 1);
    assert_eq!(MinHash::new(usize::MAX).values().len(), MAX_PERM);
    assert!(MinHash::from_parts(vec![1], Some(vec![1, 2])).is_some());
    assert!(MinHash::from_parts(vec![1; MAX_PERM], None).is_some());
    for (values, set) in [
        (vec![], Some(vec![1])),
        (vec![1; MAX_PERM + 1], None),
        (vec![1], Some(vec![2, 1])),
        (vec![1], Some(vec![1, 1])),
        (vec![1], Some((1..=EXACT as u32 + 1).collect())),
    ] {
        assert!(MinHash::from_parts(values, set).is_none());
    }
}

/// No set holds 0, which marks an empty place: it is refused, and so are minima that are not those of the set.
#[test]
fn bytes_that_were_never_written_are_refused() {
    let written = sketch(&[5, 9], 4).to_bytes(1);
    let changed = |place: usize, number: u32| {
        let mut bytes = written.clone();
        bytes[HEAD + 4 * place..][..4].copy_from_slice(&number.to_le_bytes());
        MinHash::from_bytes(&bytes)
    };
    assert!(MinHash::from_bytes(&written).is_ok());
    assert!(changed(4, 9).is_err() && changed(5, 4).is_err());
    for more in 1..9 {
        assert!(MinHash::from_bytes(&[&written[..], &vec![0; more]].concat()).is_err(), "{more} bytes more");
        assert!(MinHash::from_bytes(&written[..written.len() - more]).is_err(), "{more} bytes less");
    }
    assert!(changed(4, 0).is_err(), "0 in the set");
    assert!(changed(0, 1).is_err(), "a minimum of no hash in the set");
}
