//! Profiles of many accounts: as those of a map while there is room, and in a fixed order when there is none.

use super::bodies::Random;
use super::rounds;
use super::streams::{Prompt, Stream};
use ratelimit_guard_core::bounded::DRAWN;
use ratelimit_guard_core::detector::accounts::{Accounts, ESTABLISHED, Forgotten};
use ratelimit_guard_core::detector::profile::Profile;
use ratelimit_guard_core::detector::signal::CONVICTING;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::detector::{Detector, Level};
use ratelimit_guard_core::hash::mix;
use std::collections::BTreeMap;

/// Give an account so many requests.
fn ask(accounts: &mut Accounts, key: u64, requests: u32) {
    let (prompt, tests) = (Prompt::bare(key, true), super::tests());
    for _ in 0..requests {
        accounts.get_or_insert(key).profile.add(&prompt.at(0), &tests);
    }
}

/// A detector that convicts at the first task and of nothing else.
fn strict(capacity: usize) -> Detector {
    let mut convict = [f64::INFINITY; CONVICTING];
    convict[2] = -1.0;
    Detector::new(Thresholds { convict, observe: f64::INFINITY, is_wide: false }, capacity)
}

/// Newcomers, established and convicted accounts: what they ask.
fn enter(detector: &mut Detector, key: u64, worth: u64) {
    let prompt = Prompt::bare(key, worth == 2);
    for _ in 0..[1, ESTABLISHED, 1][worth as usize] {
        let level = detector.observe(key, &prompt.at(1)).level;
        assert_eq!(level == Level::Throttle, worth == 2);
    }
}

fn total(forgotten: Forgotten) -> u64 {
    forgotten.newcomers + forgotten.established + forgotten.convicted
}

/// While there is room, every account has the profile that it would have alone.
#[test]
fn accounts_equal_a_map() {
    let tests = super::tests();
    for seed in 1..rounds(60) {
        let mut random = Random(seed);
        let mut choices = Random(mix(seed));
        let mut stream = Stream::new(&mut random);
        let mut accounts = Accounts::new(40);
        let mut naive: BTreeMap<u64, Profile> = BTreeMap::new();
        for _ in 0..600 {
            let key = mix(choices.below(40) as u64);
            match choices.below(12) {
                0 => assert_eq!(accounts.remove(key), naive.remove(&key).is_some()),
                1 => assert_eq!(accounts.get(key).map(Profile::requests), naive.get(&key).map(Profile::requests)),
                _ => {
                    let prompt = stream.prompt();
                    let found = accounts.get_or_insert(key).profile.add(&prompt.at(0), &tests);
                    assert_eq!(found, naive.entry(key).or_default().add(&prompt.at(0), &tests));
                }
            }
            assert_eq!((accounts.len(), accounts.is_empty()), (naive.len(), naive.is_empty()));
        }
        for (key, profile) in &naive {
            assert_eq!(accounts.get(*key).unwrap().requests(), profile.requests());
        }
        assert_eq!(accounts.forgotten, Forgotten::default());
    }
}

/// Without room one account goes for each that comes, the others keep what they have, and all are counted.
#[test]
fn one_goes_for_each_that_comes() {
    let mut removed = 0;
    for seed in 1..rounds(200) {
        let mut random = Random(seed);
        let capacity = 1 + random.below(12);
        let mut accounts = Accounts::new(capacity);
        let mut naive: BTreeMap<u64, u32> = BTreeMap::new();
        for _ in 0..300 {
            let key = mix(random.below(40) as u64);
            if random.below(10) == 0 {
                let was_there = accounts.remove(key);
                assert_eq!(was_there, naive.remove(&key).is_some());
                removed += u64::from(was_there);
                continue;
            }
            let before = accounts.forgotten;
            let requests = 1 + random.below(12) as u32;
            ask(&mut accounts, key, requests);
            let is_full = naive.len() == capacity && !naive.contains_key(&key);
            *naive.entry(key).or_default() += requests;
            let gone: Vec<u64> = naive.keys().copied().filter(|key| accounts.get(*key).is_none()).collect();
            assert_eq!(gone.len(), usize::from(is_full));
            for gone in gone {
                let newcomer = u64::from(naive.remove(&gone).unwrap() < ESTABLISHED);
                let (newcomers, established) = (before.newcomers + newcomer, before.established + 1 - newcomer);
                assert_eq!(accounts.forgotten, Forgotten { newcomers, established, convicted: 0 });
            }
            assert!(naive.iter().all(|(key, requests)| accounts.get(*key).unwrap().requests() == *requests));
            assert!(accounts.len() == naive.len() && naive.len() <= capacity);
        }
    }
    assert!(removed > 100, "{removed}");
}

/// Newcomers go before established accounts, these before convicted ones, and of each kind the one unseen for longest:
/// but for the chance that no better one is drawn.
#[test]
fn the_least_worth_goes_first() {
    let (mut others, mut not_oldest) = (0, 0);
    let times = 3_000;
    for seed in 0..times {
        let mut random = Random(mix(seed + 1) | 1);
        // Four of the lowest kind among eight, so that the oldest of them is missed by (7/8)¹⁶ of all draws.
        let lowest = random.below(2) as u64;
        let mut detector = strict(8);
        let mut worths: Vec<u64> = [vec![lowest; 4], (0..4).map(|_| lowest + 1).collect()].concat();
        for place in (1..worths.len()).rev() {
            worths.swap(place, random.below(place + 1));
        }
        let key = |place: usize| mix(seed << 8 | place as u64);
        for (place, worth) in worths.iter().enumerate() {
            enter(&mut detector, key(place), *worth);
        }
        let oldest = worths.iter().position(|worth| *worth == lowest).unwrap();
        enter(&mut detector, key(99), 0);
        let gone: Vec<usize> = (0..8).filter(|place| detector.accounts.get(key(*place)).is_none()).collect();
        assert_eq!(gone.len(), 1);
        others += u64::from(worths[gone[0]] != lowest);
        not_oldest += u64::from(gone[0] != oldest);
        let counted = detector.accounts.forgotten;
        let of_kind = [counted.newcomers, counted.established, counted.convicted];
        assert_eq!((of_kind[worths[gone[0]] as usize], total(counted)), (1, 1));
    }
    // One in 65,536, and one in 8.5.
    assert_eq!(DRAWN, 16);
    assert!(others <= 2, "{others}");
    let missed = (7.0f64 / 8.0).powi(16) * times as f64;
    assert!((not_oldest as f64 - missed).abs() < 4.0 * missed.sqrt(), "{not_oldest} for {missed}");
}

/// To be seen again makes an account the last to go.
#[test]
fn use_keeps_an_account() {
    let mut accounts = Accounts::new(20);
    for key in 0..20 {
        ask(&mut accounts, mix(key), 1);
    }
    for newcomer in 100..10_000 {
        accounts.get_or_insert(mix(0));
        accounts.get_or_insert(mix(newcomer));
    }
    // It is drawn as the oldest only when all draws fall on it: 20⁻¹⁶.
    assert_eq!(accounts.get(mix(0)).map(Profile::requests), Some(1));
    assert_eq!((accounts.len(), total(accounts.forgotten)), (20, 9_900));
}

/// A million accounts with one request each: of established ones among `capacity` each new account takes one with the
/// chance that all of the draws fall on them, (share)¹⁶.
#[test]
fn a_flood_forgets_itself_first() {
    const FLOOD: u64 = 1_000_000;
    let capacity = 1_000;
    for (established, convicted, is_kept) in [(100, 0, true), (0, 100, true), (500, 0, false)] {
        let mut detector = strict(capacity);
        for key in 0..established + convicted {
            enter(&mut detector, mix(key), if key < established { 1 } else { 2 });
        }
        let prompt = Prompt::bare(1, false);
        for key in 0..FLOOD {
            detector.observe(mix(1 << 40 | key), &prompt.at(1));
        }
        let kept = (0..established + convicted).filter(|key| detector.accounts.get(mix(*key)).is_some()).count() as u64;
        let mut expected = (established + convicted) as f64;
        for _ in 0..FLOOD {
            expected -= (expected / capacity as f64).powi(DRAWN as i32);
        }
        let lost = (established + convicted) as f64 - expected;
        if is_kept {
            // 10⁻¹⁶ for each of a million: 10⁻¹⁰ accounts are expected to go.
            assert!(lost < 1e-9 && kept == established + convicted, "{kept}");
        } else {
            // Thirteen of 500, give or take four standard deviations.
            assert!((kept as f64 - expected).abs() < 4.0 * lost.sqrt(), "{kept} for {expected}");
        }
        let forgotten = detector.accounts.forgotten;
        let entered = FLOOD + established + convicted;
        assert_eq!((detector.accounts.len(), total(forgotten)), (capacity, entered - capacity as u64));
        let taken = established + convicted - kept;
        assert_eq!((forgotten.established, forgotten.convicted), if convicted == 0 { (taken, 0) } else { (0, taken) });
    }
}

/// A table of one holds whoever came last.
#[test]
fn a_table_of_one_holds_the_last() {
    let mut accounts = Accounts::new(1);
    for key in 0..100 {
        ask(&mut accounts, mix(key), 1);
        assert!(accounts.len() == 1 && accounts.get(mix(key)).is_some());
    }
    assert!(accounts.remove(mix(99)) && !accounts.remove(mix(99)) && accounts.is_empty());
    assert_eq!(accounts.forgotten.newcomers, 99);
}

/// There is always room for one.
#[test]
fn no_capacity_is_one() {
    let mut accounts = Accounts::new(0);
    ask(&mut accounts, 1, 1);
    ask(&mut accounts, 2, 1);
    assert_eq!(accounts.len(), 1);
}
