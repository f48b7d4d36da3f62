//! HyperLogLog: registers and estimate against slow twins, and the promised error against exact counts.

use proptest::prelude::*;
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::sketch::hyperloglog::{HyperLogLog, MAX_P, MIN_P};

fn sketch(p: u64, hashes: impl IntoIterator<Item = u64>) -> HyperLogLog {
    let mut sketch = HyperLogLog::new(p).unwrap();
    hashes.into_iter().for_each(|hash| sketch.add_hash(hash));
    sketch
}

/// The `number`-th hash of stream `stream`: all hashes of all streams differ and look random.
fn hash(stream: u64, number: u64) -> u64 {
    mix(mix(stream + 1) ^ number)
}

fn relative_error(p: u64) -> f64 {
    1.04 / f64::from(1u32 << p).sqrt()
}

/// The registers by the definition, from the binary digits of all hashes.
fn naive_registers(p: u64, hashes: &[u64]) -> Vec<u8> {
    let rank = |hash: u64| {
        let digits = format!("{hash:064b}");
        let (value, index) = digits.split_at(64 - p as usize);
        let zeros = value.chars().take_while(|digit| *digit == '0').count();
        (usize::from_str_radix(index, 2).unwrap(), zeros as u8 + 1)
    };
    let ranks: Vec<_> = hashes.iter().map(|hash| rank(*hash)).collect();
    let best = |index| ranks.iter().filter(|(at, _)| *at == index).map(|(_, rank)| *rank).max();
    (0..1 << p).map(|index| best(index).unwrap_or(0)).collect()
}

/// Ertl's estimate as the paper writes it: powers and series, term by term.
fn naive_count(p: u64, registers: &[u8]) -> f64 {
    let (m, q) = (registers.len() as f64, 64 - p as i32);
    let share = |value: i32| registers.iter().filter(|register| i32::from(**register) == value).count() as f64 / m;
    let sigma = |x: f64| x + (1..200).map(|k| x.powf(2f64.powi(k)) * 2f64.powi(k - 1)).sum::<f64>();
    let tau = |x: f64| {
        let terms = (1..200).map(|k| (1.0 - x.powf(2f64.powi(-k))).powi(2) * 2f64.powi(-k));
        if x == 0.0 { 0.0 } else { (1.0 - x - terms.sum::<f64>()) / 3.0 }
    };
    let middle: f64 = (1..=q).map(|value| share(value) * 2f64.powi(-value)).sum();
    m / (2.0 * 2f64.ln() * (sigma(share(0)) + middle + tau(1.0 - share(q + 1)) * 2f64.powi(-q)))
}

/// Hashes with runs of zeros of every length.
fn hashes() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        (any::<u64>(), 0u32..=64).prop_map(|(hash, zeros)| hash.checked_shr(zeros).unwrap_or(0)),
        0..200,
    )
}

proptest! {
    /// Registers hold the longest run of zeros of their values, whatever the order and however often.
    #[test]
    fn registers_are_those_of_the_definition(p in MIN_P..=8, mut hashes in hashes()) {
        let forward = sketch(p, hashes.iter().copied());
        prop_assert_eq!(forward.registers(), naive_registers(p, &hashes));
        hashes.reverse();
        prop_assert_eq!(&sketch(p, hashes.repeat(2)), &forward);
        prop_assert_eq!(forward.is_empty(), hashes.is_empty());
    }

    /// The estimate is the paper's, for registers of every kind, near both ends of their range, too.
    #[test]
    fn count_is_that_of_the_paper(p in MIN_P..=10, seed in 0u64..1 << 60, spread in 0u64..=61, full: bool) {
        let highest = 65 - p;
        let below = |index| hash(seed, index) % (spread.min(highest) + 1);
        let registers = (0..1 << p).map(|index| if full { highest - below(index) } else { below(index) } as u8);
        let registers: Vec<_> = registers.collect();
        let (fast, slow) = (HyperLogLog::from_registers(&registers).unwrap().count(), naive_count(p, &registers));
        prop_assert!(fast == slow || (fast - slow).abs() <= (slow * 1e-9).max(1e-9), "{fast} {slow}");
    }

    /// Merging is seeing both streams, in any order and any number of times; the registers carry everything.
    #[test]
    fn merge_sees_both_streams(p in MIN_P..=8, ours in hashes(), theirs in hashes()) {
        let (mut left, right) = (sketch(p, ours.iter().copied()), sketch(p, theirs.iter().copied()));
        let mut other_way = right.clone();
        other_way.merge(&left).unwrap();
        left.merge(&right).unwrap();
        left.merge(&right).unwrap();
        prop_assert_eq!(&left, &sketch(p, ours.into_iter().chain(theirs)));
        prop_assert_eq!(&left, &other_way);
        prop_assert_eq!(&HyperLogLog::from_registers(left.registers()).unwrap(), &left);
    }

    /// Any bytes are registers or refused.
    #[test]
    fn any_bytes_are_registers_or_refused(bytes in prop::collection::vec(0u8..70, 0..70)) {
        if let Ok(sketch) = HyperLogLog::from_registers(&bytes) {
            prop_assert_eq!(sketch.registers(), bytes);
            prop_assert!(sketch.count() >= 0.0);
        }
    }
}

/// From no value to many times the registers: within four standard errors, and no bias beyond chance.
#[test]
fn count_keeps_its_standard_error_at_every_size() {
    const RUNS: u64 = 40;
    for p in [4, 8, 11] {
        for values in [0, 1, 2, 1 << (p - 1), 1 << p, 5 << (p - 1), 5 << p, 50 << p] {
            let counts = (0..RUNS).map(|run| sketch(p, (0..values).map(|number| hash(run, number))).count());
            let error = counts.map(|count| if values == 0 { count } else { count / values as f64 - 1.0 });
            let (mut sum, mut squares) = (0.0, 0.0);
            error.for_each(|error| (sum, squares) = (sum + error, squares + error * error));
            let (bias, spread) = ((sum / RUNS as f64).abs(), (squares / RUNS as f64).sqrt());
            let promised = relative_error(p) * 1.05; // the constant 1.04 is that of many registers
            assert!(bias <= 4.0 * promised / (RUNS as f64).sqrt(), "p {p}, {values} values: bias {bias}");
            assert!(spread <= 1.5 * promised, "p {p}, {values} values: {spread}");
        }
    }
}

/// The ends: nothing is 0, one value is almost 1, and forged full registers are infinitely many.
#[test]
fn count_at_the_ends_is_finite_where_a_stream_can_be() {
    for p in MIN_P..=MAX_P {
        assert_eq!(sketch(p, []).count(), 0.0);
        assert!((sketch(p, [hash(0, p)]).count() - 1.0).abs() < 0.05);
        let zeros = (0..1 << p).map(|index| index | 1 << 63);
        assert!((sketch(p, zeros).count() / f64::from(1u32 << p)).is_finite());
        let mut full = vec![65 - p as u8; 1 << p];
        assert_eq!(HyperLogLog::from_registers(&full).unwrap().count(), f64::INFINITY);
        full[0] -= 1;
        let nearly = HyperLogLog::from_registers(&full).unwrap().count();
        assert!(nearly.is_finite() && nearly > 1e19, "{nearly}");
    }
}

/// What cannot be a sketch is refused with the reason.
#[test]
fn impossible_sketches_are_refused() {
    for p in [0, 3, 17, u64::MAX] {
        let error = HyperLogLog::new(p).unwrap_err();
        assert_eq!((error.fault(), error.to_string()), (Fault::Config, format!("p must be 4 to 16, got {p}")));
    }
    for registers in [0, 1, 8, 15, 17, 100, 1 << 17] {
        let error = HyperLogLog::from_registers(&vec![0; registers]).unwrap_err();
        assert_eq!(error.fault(), Fault::Usage);
        assert!(error.to_string().contains(&format!("got {registers}")), "{error}");
    }
    let mut registers = [0; 16];
    registers[3] = 62;
    let error = HyperLogLog::from_registers(&registers).unwrap_err().to_string();
    assert_eq!(error, "register 3 of a HyperLogLog must be 0 to 61, got 62");
    let error = sketch(4, []).merge(&sketch(5, [])).unwrap_err();
    assert_eq!((error.fault(), error.to_string().contains("p 4 and 5")), (Fault::Usage, true));
}

/// A cleared sketch is a new one.
#[test]
fn clear_forgets_everything() {
    let mut used = sketch(6, [1, 2, 3]);
    assert!(!used.is_empty());
    used.clear();
    assert_eq!(used, sketch(6, []));
}
