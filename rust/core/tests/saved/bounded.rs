//! The bounded map and the sketch of counts from their bytes.

use super::bodies::Random;
use super::{copy, rounds};
use ratelimit_guard_core::bounded::Bounded;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::sketch::hyperloglog::{HyperLogLog, MAX_P, MIN_P};

/// Whatever was taken out before, the same go when there is no room.
#[test]
fn a_map_forgets_the_same() {
    for seed in 1..=rounds(200) {
        let mut random = Random(mix(seed) | 1);
        let mut maps = vec![Bounded::<u64>::new(random.below(40))];
        for number in 0..400 {
            if number == 60 || number == 200 {
                maps.push(copy(&maps[0]));
            }
            let (key, step) = (mix(random.below(90) as u64), random.below(8));
            let gone = |map: &mut Bounded<u64>| match step {
                0 => (map.remove(key), None),
                _ => (true, map.entry(key, || number, |value| value % 3).1),
            };
            let gone: Vec<_> = maps.iter_mut().map(gone).collect();
            assert!(gone.iter().all(|one| *one == gone[0]), "seed {seed}, step {number}: {gone:?}");
            assert!(maps.iter().all(|map| map.values().eq(maps[0].values()) && map.get(key) == maps[0].get(key)));
        }
    }
}

/// Of every size, empty or not.
#[test]
fn a_sketch_counts_on() {
    for p in MIN_P..=MAX_P {
        let mut sketch = HyperLogLog::new(p).unwrap();
        assert_eq!(copy(&sketch), sketch);
        (0..1_000).for_each(|number| sketch.add_hash(mix(number)));
        assert_eq!(copy(&sketch), sketch);
    }
}
