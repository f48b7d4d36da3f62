//! The index of signatures: what it finds is similar, what is similar it finds, and it never grows.

#[path = "prompt/naive.rs"]
mod naive;

use naive::words::mix;
use proptest::prelude::*;
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::sketch::lsh::{Lsh, MAX_BANDS, MAX_CAPACITY, Match, STORED, banding};
use ratelimit_guard_core::sketch::minhash::{EXACT, MAX_PERM, MinHash, NUM_PERM};
use std::collections::BTreeSet;

fn cases(usual: u32) -> ProptestConfig {
    let cases = if std::env::var_os("RLG_SOAK").is_some() { 100 * usual } else { usual };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn sketch(hashes: impl IntoIterator<Item = u32>, num_perm: usize) -> MinHash {
    let mut sketch = MinHash::new(num_perm);
    sketch.add(&hashes.into_iter().collect::<Vec<_>>());
    sketch
}

fn hash(seed: u64, number: u64) -> u32 {
    (mix(mix(seed) ^ number) as u32).max(1)
}

/// A set of `count` hashes, of which `shared` are those of `family` and the others its own.
fn member(family: u64, own: u64, count: u64, shared: u64) -> Vec<u32> {
    (0..count).map(|number| if number < shared { hash(family, number) } else { hash(own, number) }).collect()
}

fn jaccard(one: &[u32], other: &[u32]) -> f64 {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one.iter().collect(), other.iter().collect());
    let all = one.union(&other).count();
    if all == 0 { 1.0 } else { one.intersection(&other).count() as f64 / all as f64 }
}

fn keys(found: &[Match]) -> Vec<u64> {
    found.iter().map(|found| found.key).collect()
}

/// Sets of a few families and sizes: equal, similar, unrelated, small and large.
fn sets() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let set = (0u64..4, 0u64..1_000, prop_oneof![0u64..10, 0u64..80, 60u64..70, 120u64..140], 0u64..=16);
    prop::collection::vec(set, 1..60).prop_map(|sets| {
        sets.into_iter()
            .map(|(family, own, count, shared)| member(family, 1_000 + own, count, count * shared / 16))
            .collect()
    })
}

/// The similarity of a stored set as documented, for sets as asked: exact of two high halves of up to 64 hashes, else
/// estimated from eight bits of 128 minima.
fn naive_similarity(stored: &MinHash, asked: &MinHash) -> f64 {
    let halves = |set: &[u32]| set.iter().map(|hash| hash >> 16).collect::<Vec<u32>>();
    let times = |list: &[u32], value: u32| list.iter().filter(|other| **other == value).count();
    match (stored.set().filter(|set| set.len() <= STORED), asked.set()) {
        (Some(_), None) => 0.0,
        (Some(mine), Some(theirs)) => {
            let (mine, theirs) = (halves(mine), halves(theirs));
            let shared = |value: &u32| times(&mine, *value).min(times(&theirs, *value));
            let common: usize = mine.iter().collect::<BTreeSet<_>>().into_iter().map(shared).sum();
            let all = mine.len() + theirs.len() - common;
            if all == 0 { 1.0 } else { common as f64 / all as f64 }
        }
        _ => {
            let eight =
                |sketch: &MinHash, place: usize| mix(u64::from(sketch.values()[place % sketch.values().len()])) >> 56;
            let equal = (0..128).filter(|place| eight(stored, *place) == eight(asked, *place)).count();
            ((equal as f64 / 128.0 - 1.0 / 256.0) * 256.0 / 255.0).max(0.0)
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Whatever is found is among the last that were inserted, and as similar as its twin says; the most similar first.
    #[test]
    fn what_is_found_is_similar(
        sets in sets(),
        capacity in 1usize..80,
        bands in 1usize..20,
        rows in 1usize..6,
        threshold in 0.0f64..1.0,
    ) {
        let mut index = Lsh::new(capacity, bands, rows).unwrap();
        let sketches: Vec<MinHash> = sets.iter().map(|set| sketch(set.iter().copied(), NUM_PERM)).collect();
        for (key, sketch) in sketches.iter().enumerate() {
            index.insert(key as u64, sketch).unwrap();
            prop_assert_eq!(index.len(), (key + 1).min(capacity));
        }
        let oldest = sketches.len().saturating_sub(capacity) as u64;
        for asked in &sketches {
            let found = index.query(asked, threshold).unwrap();
            prop_assert!(found.is_sorted_by(|one, next| one.similarity >= next.similarity));
            prop_assert_eq!(keys(&found).iter().collect::<BTreeSet<_>>().len(), found.len());
            for Match { key, similarity } in found {
                let naive = naive_similarity(&sketches[key as usize], asked);
                prop_assert!(key >= oldest && similarity >= threshold && (similarity - naive).abs() < 1e-12);
            }
        }
    }

    /// The same set is found, with similarity 1, while no more than a line holds were inserted since.
    #[test]
    fn what_was_just_inserted_is_found(sets in sets(), capacity in 16usize..80, rows in 1usize..6) {
        let mut index = Lsh::new(capacity, 1, rows).unwrap();
        let sketches: Vec<MinHash> = sets.iter().map(|set| sketch(set.iter().copied(), NUM_PERM)).collect();
        for (key, sketch) in sketches.iter().enumerate() {
            index.insert(key as u64, sketch).unwrap();
            for (recent, sketch) in sketches.iter().enumerate().take(key + 1).skip((key + 1).saturating_sub(16)) {
                let found = index.query(sketch, 1.0).unwrap();
                prop_assert!(keys(&found).contains(&(recent as u64)), "{recent} of {key}");
            }
        }
    }
}

/// A similarity of exactly the threshold is enough, for every pair of sizes that compares exactly.
#[test]
fn no_threshold_is_missed_by_rounding() {
    for of in 1..=EXACT as u64 {
        for size in 1..=of.min(STORED as u64) {
            let mut index = Lsh::new(1, 64, 1).unwrap();
            let part = sketch(member(1, 0, size, size), 64);
            let whole = sketch(member(1, 0, of, of), 64);
            index.insert(9, &part).unwrap();
            let threshold = size as f64 / of as f64;
            let all = index.query(&whole, 0.0).unwrap();
            if all.first().is_some_and(|found| found.similarity == threshold) {
                assert_eq!(index.query(&whole, threshold).unwrap().len(), 1, "{size} of {of}");
            }
        }
    }
}

/// Of the last inserts hardly one is crowded out, while there is room for all; with 16 bands none is.
#[test]
fn a_full_index_remembers_its_capacity() {
    for (capacity, bands, rows, least) in
        [(2_000, 16, 8, 1.0), (2_000, 32, 4, 1.0), (500, 4, 4, 0.99), (2_000, 1, 8, 0.95)]
    {
        let mut index = Lsh::new(capacity, bands, rows).unwrap();
        let own = |key: u64| sketch(member(0, key + 1, 40, 0), NUM_PERM);
        let inserts = 3 * capacity as u64 / 2;
        for key in 0..inserts {
            index.insert(key, &own(key)).unwrap();
            assert!(index.len() <= capacity);
        }
        let recent = inserts - capacity as u64..inserts;
        let found = recent.clone().filter(|key| keys(&index.query(&own(*key), 0.9).unwrap()) == [*key]).count();
        assert!(found as f64 >= least * capacity as f64, "{found} of {capacity} with {bands} bands");
        for key in 0..recent.start {
            assert_eq!(index.query(&own(key), 0.9).unwrap(), [], "{key} is forgotten");
        }
    }
}

/// All signatures equal: one line of each band overflows; the newest sixteen are found, in bounded time.
#[test]
fn equal_signatures_stay_bounded() {
    for set in [member(1, 0, 30, 30), member(1, 0, 300, 300), vec![]] {
        let same = sketch(set, NUM_PERM);
        let mut index = Lsh::new(1_000, 16, 8).unwrap();
        for key in 0..5_000 {
            index.insert(key, &same).unwrap();
        }
        let mut found = keys(&index.query(&same, 1.0).unwrap());
        found.sort_unstable();
        assert!(found.len() <= 16 * 16 && found.ends_with(&(4_984..5_000).collect::<Vec<_>>()), "{found:?}");
        assert_eq!((index.len(), index.capacity()), (1_000, 1_000));
        let others = sketch(member(2, 0, 30, 30), NUM_PERM);
        index.insert(1, &others).unwrap();
        assert_eq!(keys(&index.query(&others, 0.9).unwrap()), [1]);
    }
}

/// How many of `rounds` similar pairs meet in an index with others in it.
fn recall(bands: usize, rows: usize, count: u64, similarity: f64, rounds: u64) -> f64 {
    let mut index = Lsh::new(10_000, bands, rows).unwrap();
    // With n shared of two sets of `count`, J = n / (2·count − n).
    let shared = (2.0 * count as f64 * similarity / (1.0 + similarity)).ceil() as u64;
    let (one, other) =
        (|round| member(round, 1 << 20 | round, count, shared), |round| member(round, 1 << 21 | round, count, shared));
    for round in 0..rounds {
        index.insert(round, &sketch(one(round), bands * rows)).unwrap();
        index.insert(1 << 32 | round, &sketch(member(0, 1 << 22 | round, count, 0), bands * rows)).unwrap();
    }
    assert!(jaccard(&one(0), &other(0)) >= similarity);
    let found = |round: &u64| keys(&index.query(&sketch(other(*round), bands * rows), 0.0).unwrap()).contains(round);
    (0..rounds).filter(found).count() as f64 / rounds as f64
}

/// Similar pairs meet as often as the bands promise: 1 − (1 − Jʳ)ᵇ.
#[test]
fn similar_pairs_meet() {
    for (bands, rows, similarity, least) in
        [(16, 8, 0.8, 0.93), (32, 4, 0.5, 0.85), (32, 4, 0.8, 0.99), (16, 8, 0.9, 0.99)]
    {
        for count in [40, 200] {
            let recall = recall(bands, rows, count, similarity, 1_000);
            let promised = 1.0 - (1.0 - similarity.powi(rows as i32)).powi(bands as i32);
            assert!(
                recall >= least && recall > promised - 0.04,
                "{recall} of {promised}, {bands} bands, J {similarity}"
            );
        }
    }
}

/// The similarity of large sets is estimated within five standard errors; that of small ones is exact but for a chance
/// of one in 65,536 for each pair of their hashes.
#[test]
fn similarities_keep_their_error() {
    let mut inexact = 0;
    for round in 0..400 {
        for count in [64, 65, 100, 600] {
            let shared = count * (round % 16 + 1) / 16;
            let (one, other) =
                (member(round, 1 << 20 | round, count, shared), member(round, 1 << 21 | round, count, shared));
            let mut index = Lsh::new(1, 64, 1).unwrap();
            index.insert(round, &sketch(one.iter().copied(), NUM_PERM)).unwrap();
            let found = index.query(&sketch(other.iter().copied(), NUM_PERM), 0.0).unwrap();
            let Some(found) = found.first() else { continue };
            let exact = jaccard(&one, &other);
            if count > STORED as u64 {
                let sigma = (exact * (1.0 - exact) / 128.0).sqrt().max(0.01);
                assert!((found.similarity - exact).abs() < 5.0 * sigma, "{} for {exact}", found.similarity);
            } else {
                assert!(found.similarity >= exact && found.similarity <= exact + 0.06);
                inexact += usize::from(found.similarity != exact);
            }
        }
    }
    // 64 × 64 pairs in 65,536: six of a hundred at most.
    assert!(inexact < 50, "{inexact} of 400");
}

/// The bands for a threshold find what is just as similar 99 times in 100, with as many rows as that allows.
#[test]
fn bands_fit_the_threshold() {
    let found =
        |threshold: f64, bands: usize, rows: usize| 1.0 - (1.0 - threshold.powf(rows as f64)).powf(bands as f64);
    for num_perm in [1, 2, 16, 100, NUM_PERM, 1_000, MAX_PERM] {
        for threshold in (0..=100).map(|percent| f64::from(percent) / 100.0) {
            let (bands, rows) = banding(threshold, num_perm);
            assert!(Lsh::new(1, bands, rows).is_ok() && bands * rows <= num_perm);
            assert!(
                rows == 1 || found(threshold, bands, rows) > 0.99 - 1e-9,
                "{threshold} of {num_perm}: {bands} of {rows}"
            );
            let more = |rows: usize| found(threshold, (num_perm / rows).clamp(1, MAX_BANDS), rows);
            assert!(
                (rows + 1..=num_perm).all(|rows| more(rows) < 0.99 + 1e-9),
                "{threshold} of {num_perm}: {rows} rows"
            );
        }
    }
}

/// Who shares a line by chance, but no band, does not meet.
#[test]
fn neighbours_in_a_line_do_not_meet() {
    let mut index = Lsh::new(8, 2, 4).unwrap();
    let own = |key: u64| sketch(member(0, key + 1, 40, 0), NUM_PERM);
    for key in 0..8 {
        index.insert(key, &own(key)).unwrap();
    }
    for key in 0..8 {
        assert_eq!(keys(&index.query(&own(key), 0.0).unwrap()), [key]);
        assert_eq!(index.query(&own(key + 100), 0.0).unwrap(), []);
    }
}

/// Signatures may have more minima than the bands need, not fewer, and all of one index have the same number; sizes out
/// of range are named.
#[test]
fn sizes_are_checked() {
    for num_perm in [16, 17, 128, 1_024] {
        let mut index = Lsh::new(8, 4, 4).unwrap();
        assert_eq!((index.num_perm(), index.bands(), index.rows(), index.is_empty()), (16, 4, 4, true));
        let refused = |index: &mut Lsh, other: usize| {
            let other = sketch([1, 2, 3], other);
            let errors = [index.insert(1, &other).map(|()| vec![]), index.query(&other, 0.5)];
            errors.into_iter().all(|error| matches!(error.unwrap_err().fault(), Fault::Usage))
        };
        assert!(refused(&mut index, 15));
        index.insert(7, &sketch([1, 2, 3], num_perm)).unwrap();
        assert_eq!(keys(&index.query(&sketch([1, 2, 3], num_perm), 1.0).unwrap()), [7]);
        assert!(refused(&mut index, 15) && refused(&mut index, num_perm - 1) && index.len() == 1);
    }
    let sizes = [
        (0, 1, 1),
        (MAX_CAPACITY + 1, 1, 1),
        (1, 0, 1),
        (1, 1, 0),
        (1, MAX_BANDS + 1, 1),
        (1, 2, MAX_PERM),
        (1, 1, usize::MAX),
    ];
    for (capacity, bands, rows) in sizes {
        let error = Lsh::new(capacity, bands, rows).unwrap_err();
        assert!(matches!(error.fault(), Fault::Config), "{capacity} {bands} {rows}");
    }
    assert!(Lsh::new(1, MAX_BANDS, MAX_PERM / MAX_BANDS).is_ok());
}

/// An index takes the room that it says, from the start to the end.
#[test]
fn size_is_fixed() {
    let mut index = Lsh::new(100, 16, 8).unwrap();
    let size = index.size_bytes();
    for key in 0..1_000 {
        index.insert(key, &sketch([hash(key, 1)], NUM_PERM)).unwrap();
    }
    assert_eq!(index.size_bytes(), size);
    assert!(size as f64 <= 100.0 * (144.0 + 5.4 * 16.0) + 64.0, "{size}");
}
