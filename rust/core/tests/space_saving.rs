//! SpaceSaving: the promises against exact counts, and every answer against a twin that scans.

use proptest::prelude::*;
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::sketch::space_saving::{Counter, MAX_CAPACITY, SpaceSaving};
use std::collections::HashMap;

type Stream = Vec<(u64, u64)>;

/// The paper's algorithm over a list.
struct Naive {
    capacity: usize,
    counters: Vec<Counter>,
}

impl Naive {
    fn update(&mut self, item: u64, count: u64) {
        if count == 0 {
        } else if let Some(known) = self.counters.iter_mut().find(|counter| counter.item == item) {
            known.count = known.count.saturating_add(count);
        } else if self.counters.len() < self.capacity {
            self.counters.push(Counter { item, count, error: 0 });
        } else {
            let smallest = self.counters.iter_mut().min_by_key(|counter| (counter.count, counter.item)).unwrap();
            *smallest = Counter { item, count: smallest.count.saturating_add(count), error: smallest.count };
        }
    }

    fn estimate(&self, item: u64) -> (u64, u64) {
        let full = self.counters.len() == self.capacity;
        let floor = self.counters.iter().map(|counter| counter.count).min().filter(|_| full).unwrap_or(0);
        let known = self.counters.iter().find(|counter| counter.item == item);
        known.map_or((floor, floor), |counter| (counter.count, counter.error))
    }

    fn top(&self) -> Vec<Counter> {
        let mut counters = self.counters.clone();
        counters.sort_by_key(|counter| (!counter.count, counter.error, counter.item));
        counters
    }
}

fn sketch(capacity: u64, stream: &[(u64, u64)]) -> SpaceSaving {
    let mut sketch = SpaceSaving::new(capacity, 7).unwrap();
    stream.iter().for_each(|(item, count)| sketch.update(*item, *count));
    sketch
}

/// Few items often and many once, with counts of 0, 1, a few and (rarely) so many that numbers end.
fn streams(largest: u64) -> impl Strategy<Value = Stream> {
    let item = prop_oneof![3 => 0u64..12, 2 => 0u64..200, 1 => any::<u64>(), 1 => Just(u64::MAX)];
    let count = prop_oneof![4 => Just(1u64), 3 => 0u64..50, 1 => 0..=largest];
    prop::collection::vec((item, count), 0..300)
}

/// All three promises, for items of the stream and for some that were never there.
fn keeps_its_promises(sketch: &SpaceSaving, stream: &[(u64, u64)]) -> Result<(), TestCaseError> {
    let mut truth: HashMap<u64, u64> = (1_000..1_010).map(|item| (item, 0)).collect();
    for (item, count) in stream {
        *truth.entry(*item).or_default() += count;
    }
    let top = sketch.top(usize::MAX);
    let bound = sketch.total() / sketch.capacity() as u64;
    prop_assert_eq!(sketch.total(), truth.values().sum::<u64>());
    prop_assert_eq!(top.len(), sketch.len());
    prop_assert!(sketch.len() <= sketch.capacity());
    for (item, truth) in truth {
        let (count, error) = sketch.estimate(item);
        prop_assert!(count - error <= truth && truth <= count, "{item}: {truth}, not {count} - {error}");
        prop_assert!(error <= bound, "{item}: error {error} beyond {bound}");
        let found = top.iter().find(|counter| counter.item == item);
        prop_assert!(found.is_some() || truth <= bound, "{item} has {truth} of more than {bound} and is absent");
        prop_assert!(found.is_none_or(|counter| (counter.count, counter.error) == (count, error)));
    }
    Ok(())
}

proptest! {
    /// The promises, whatever the stream.
    #[test]
    fn any_stream_keeps_the_promises(capacity in 1u64..40, stream in streams(1 << 40)) {
        keeps_its_promises(&sketch(capacity, &stream), &stream)?;
    }

    /// Heap and index change nothing: the counters are those of a list, whatever the seed, and where numbers end.
    #[test]
    fn any_stream_has_the_counters_of_a_list(capacity in 1u64..40, stream in streams(u64::MAX), seed: u64) {
        let mut fast = SpaceSaving::new(capacity, seed).unwrap();
        let mut slow = Naive { capacity: capacity as usize, counters: Vec::new() };
        for (item, count) in stream {
            fast.update(item, count);
            slow.update(item, count);
            prop_assert_eq!(fast.estimate(item), slow.estimate(item));
        }
        prop_assert_eq!(fast.top(usize::MAX), slow.top());
        prop_assert_eq!(fast.top(3), &slow.top()[..slow.top().len().min(3)]);
    }

    /// Merged sketches keep the promises for all their streams together, and go on keeping them.
    #[test]
    fn any_merge_keeps_the_promises(
        capacity in 1u64..20, parts in prop::collection::vec(streams(1 << 40), 1..6), last in streams(9),
    ) {
        let mut merged = sketch(capacity, &[]);
        for part in &parts {
            merged.merge(&sketch(capacity, part)).unwrap();
        }
        let mut stream = parts.concat();
        keeps_its_promises(&merged, &stream)?;
        for (item, count) in &last {
            merged.update(*item, *count);
        }
        stream.extend(last);
        keeps_its_promises(&merged, &stream)?;
        let mut twice = merged.clone();
        twice.merge(&merged).unwrap();
        keeps_its_promises(&twice, &stream.repeat(2))?;
        prop_assert!(SpaceSaving::from_bytes(&twice.to_bytes(), 7).is_ok());
    }

    /// A sketch read from its bytes, with another seed, gives the same bytes and goes on as the first would.
    #[test]
    fn bytes_carry_everything(
        capacity in 1u64..40, before in streams(u64::MAX), after in streams(u64::MAX), seed: u64,
    ) {
        let mut first = sketch(capacity, &before);
        let mut second = SpaceSaving::from_bytes(&first.to_bytes(), seed).unwrap();
        prop_assert_eq!(second.to_bytes(), first.to_bytes());
        for (item, count) in after {
            first.update(item, count);
            second.update(item, count);
        }
        first.merge(&second.clone()).unwrap();
        second.merge(&second.clone()).unwrap();
        prop_assert_eq!(second.to_bytes(), first.to_bytes());
        prop_assert!(SpaceSaving::from_bytes(&first.to_bytes(), seed).is_ok());
    }

    /// Any bytes are a sketch that can be used or are refused; those of a sketch with one changed, too.
    #[test]
    fn any_bytes_are_a_sketch_or_refused(
        stream in streams(9), at: prop::sample::Index, change: u8, noise in prop::collection::vec(0u8..4, 0..80),
    ) {
        let mut bytes = sketch(5, &stream).to_bytes();
        *at.get_mut(&mut bytes) ^= change;
        for bytes in [bytes, [&[1, 3, 0][..], &noise].concat(), noise] {
            if let Ok(mut sketch) = SpaceSaving::from_bytes(&bytes, 7) {
                prop_assert_eq!(sketch.to_bytes().len(), bytes.len());
                (0..9).for_each(|item| sketch.update(item, 1));
                prop_assert!(sketch.top(usize::MAX).iter().all(|counter| counter.error <= counter.count));
            }
        }
    }
}

/// A hostile stream of new items alone leaves the index sound at full size, and the heavy item in its place.
#[test]
fn stream_of_new_items_cannot_push_out_a_heavy_one() {
    let stream: Stream =
        (0..50_000u64).map(|number| (if number % 1_000 == 0 { 1 << 60 } else { number << 13 }, 1)).collect();
    let sketch = sketch(MAX_CAPACITY, &stream);
    assert_eq!(sketch.len() as u64, MAX_CAPACITY);
    let (count, error) = sketch.estimate(1 << 60);
    assert!(count >= 50 && count - error <= 50);
    assert!(sketch.top(50).iter().any(|counter| counter.item == 1 << 60));
    assert!(
        sketch.top(usize::MAX).iter().all(|counter| sketch.estimate(counter.item) == (counter.count, counter.error))
    );
}

/// A total that no number holds stays at the largest, and lower bounds stay true.
#[test]
fn numbers_end_at_the_largest() {
    let sketch = sketch(1, &[(1, u64::MAX), (2, 3), (1, u64::MAX)]);
    assert_eq!(sketch.total(), u64::MAX);
    assert_eq!(sketch.top(9), [Counter { item: 1, count: u64::MAX, error: u64::MAX }]);
    assert_eq!(SpaceSaving::from_bytes(&sketch.to_bytes(), 1).unwrap().top(1), sketch.top(1));
}

/// What cannot be a sketch is refused with the reason.
#[test]
fn impossible_sketches_are_refused() {
    for capacity in [0, MAX_CAPACITY + 1, u64::MAX] {
        let error = SpaceSaving::new(capacity, 1).unwrap_err();
        assert_eq!(error.fault(), Fault::Config);
        assert_eq!(error.to_string(), format!("capacity must be 1 to 4096 counters, got {capacity}"));
    }
    let error = sketch(3, &[]).merge(&sketch(4, &[])).unwrap_err();
    assert_eq!((error.fault(), error.to_string().contains("capacities 3 and 4")), (Fault::Usage, true));
    let bytes = |capacity: u8, numbers: &[u64]| {
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        [1, capacity, 0].into_iter().chain(numbers).collect::<Vec<u8>>()
    };
    assert!(SpaceSaving::from_bytes(&bytes(2, &[9, 1, 5, 4, 2, 4, 4]), 1).is_ok());
    #[rustfmt::skip]
    let cases = [
        (vec![], "another format"), (vec![2; 11], "another format"), (vec![1; 2], "another format"), (vec![1; 10], "cut short"), (bytes(2, &[]), "cut short"), (bytes(2, &[9, 1, 5]), "cut short"),
        (bytes(0, &[9]), "capacity must be"), (bytes(2, &[9, 1, 5, 0, 1, 4, 0]), "two counters"), (bytes(1, &[9, 1, 5, 0, 2, 4, 0]), "more counters"), (bytes(2, &[9, 1, 0, 0]), "no stream"),
        (bytes(2, &[8, 1, 5, 0, 2, 4, 0]), "no stream"), (bytes(2, &[9, 1, 5, 5, 2, 4, 0]), "no stream"), (bytes(2, &[9, 1, 5, 1]), "no stream"),
    ];
    for (bytes, mistake) in cases {
        let error = SpaceSaving::from_bytes(&bytes, 1).unwrap_err();
        assert_eq!(error.fault(), Fault::Usage);
        assert!(error.to_string().contains(mistake), "{error}, not {mistake}");
    }
}
