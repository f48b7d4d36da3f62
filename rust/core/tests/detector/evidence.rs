//! Evidence: the formula of the documentation term by term, and its promise by exact enumeration.

use super::rounds;
use proptest::prelude::*;
use ratelimit_guard_core::detector::evidence::{Hypothesis, Test};
use ratelimit_guard_core::detector::signal::{CONVICTING, SIGNALS, Signal};
use ratelimit_guard_core::detector::threshold::{Thresholds, WIDE, nominal};
use ratelimit_guard_core::error::Fault;
use std::f64::consts::PI;

/// The longest epoch of any signal.
const EPOCH: u32 = 512;

/// Products and a mean, as the documentation writes them.
fn naive(hypothesis: &Hypothesis, events: u32, requests: u32, epoch: u32) -> f64 {
    let (honest, epoch) = (hypothesis.honest, f64::from(epoch));
    let ratio = |guilty: &f64| {
        let (event, none) = (guilty / honest, (1.0 - guilty) / (1.0 - honest));
        event.powi(events as i32) * none.powi((requests - events) as i32)
    };
    let mean = hypothesis.guilty.iter().map(ratio).sum::<f64>() / hypothesis.guilty.len() as f64;
    let most = if events == 0 { 0.0 } else { hypothesis.most_per_event * f64::from(events) };
    mean.ln().min(most) - (PI * PI / 6.0 * epoch * epoch).ln()
}

fn test(signal: Signal) -> (Hypothesis, Test) {
    (signal.hypothesis(), Test::new(signal.hypothesis()))
}

/// For every count that an epoch can have, the logarithm is that of the formula.
#[test]
fn evidence_is_that_of_the_formula() {
    for signal in Signal::ALL {
        let (hypothesis, test) = test(signal);
        for requests in 0..=EPOCH {
            for events in 0..=requests {
                let epoch = 1 + (requests + events) % 40;
                let (fast, slow) =
                    (test.evidence(events, requests, epoch), naive(&hypothesis, events, requests, epoch));
                // Products overflow where nothing but the cap counts, and underflow nowhere.
                let is_close = (fast - slow).abs() <= 1e-9 * slow.abs().max(1.0);
                assert!(is_close, "{signal:?}: {events} of {requests}, epoch {epoch}: {fast} for {slow}");
            }
        }
    }
}

/// The worst that an account can do whose next event never has more than the honest probability: at each request it
/// chooses the probability that leads most surely above the threshold. The chance lies between what it wins without an
/// event and with one, so the best choice is none or all of it.
fn worst(signal: Signal, requests: u32, epoch: u32, threshold: f64) -> f64 {
    let (hypothesis, test) = test(signal);
    let mut chances = vec![0.0f64; requests as usize + 2];
    for number in (0..=requests).rev() {
        let next = std::mem::replace(&mut chances, vec![0.0; requests as usize + 2]);
        for events in 0..=number {
            let (without, with) = (next[events as usize], next[events as usize + 1]);
            chances[events as usize] = match () {
                () if test.evidence(events, number, epoch) > threshold => 1.0,
                () => without.max(without + hypothesis.honest * (with - without)),
            };
        }
    }
    chances[0]
}

/// The chance that independent events of the honest rate ever lead above the threshold.
fn honest(signal: Signal, requests: u32, epoch: u32, threshold: f64) -> f64 {
    let (hypothesis, test) = test(signal);
    let (mut alive, mut crossed) = (vec![1.0], 0.0);
    for number in 1..=requests {
        let mut next = vec![0.0; number as usize + 1];
        for (events, chance) in alive.iter().enumerate() {
            next[events] += chance * (1.0 - hypothesis.honest);
            next[events + 1] += chance * hypothesis.honest;
        }
        for (events, chance) in next.iter_mut().enumerate() {
            if test.evidence(events as u32, number, epoch) > threshold {
                crossed += std::mem::take(chance);
            }
        }
        alive = next;
    }
    crossed
}

/// Whatever an account does whose next event has at most the honest probability, given all that was: it reaches 1/α in
/// an epoch with at most that epoch's share of α. Exact, by enumeration of all that can happen.
#[test]
fn honest_accounts_cross_as_seldom_as_promised() {
    for signal in Signal::ALL {
        for alpha in [0.2, 0.05, 0.001] {
            for epoch in [1, 2, 3, 10] {
                let share = alpha / (PI * PI / 6.0 * f64::from(epoch * epoch));
                let threshold = (1.0f64 / alpha).ln();
                let (worst, honest) = (worst(signal, EPOCH, epoch, threshold), honest(signal, EPOCH, epoch, threshold));
                let shown = || format!("{signal:?}, α {alpha}, epoch {epoch}: {honest} and {worst} of {share}");
                assert!(honest <= worst * (1.0 + 1e-9) && worst <= share * (1.0 + 1e-9), "{}", shown());
                // The promise is not kept by never convicting anybody.
                let is_capped = signal.hypothesis().most_per_event.is_finite();
                assert!(is_capped || share < 1e-4 || honest > share / 20.0, "{}", shown());
            }
        }
    }
}

/// The shares of all epochs that can be counted are at most the whole, and nearly the whole.
#[test]
fn epochs_share_alpha() {
    let (_, test) = test(Signal::Novelty);
    let shares: Vec<f64> = (1..=u32::from(u16::MAX)).map(|epoch| test.evidence(0, 0, epoch).exp()).collect();
    let all: f64 = shares.iter().rev().sum();
    assert!(all <= 1.0 && all > 0.9999, "{all}");
    assert!(shares.windows(2).all(|pair| pair[0] > pair[1]));
}

/// Few events are not enough, however rare they should be, and enough of them are.
#[test]
fn bursts_are_not_enough() {
    let (hypothesis, test) = test(Signal::Recombination);
    let threshold = nominal(0.001);
    let enough = (1..).find(|events| test.evidence(*events, *events, 1) > threshold).unwrap();
    assert_eq!(enough, (threshold / hypothesis.most_per_event).ceil() as u32);
    assert_eq!(enough, 8);
}

/// Thresholds: what α alone asks, the highest honest evidence where that is more, and twice as much without history.
#[test]
fn thresholds_are_alpha_or_history() {
    let least = (3.0f64 / 0.001).ln();
    let blind = Thresholds::new(0.001, None).unwrap();
    assert_eq!((blind.convict, blind.observe), ([WIDE * least; CONVICTING], least));
    let guard = [least + 2.0, 1.0, f64::NEG_INFINITY];
    let guarded = Thresholds::new(0.001, Some(guard)).unwrap();
    assert_eq!((guarded.convict, guarded.observe), ([least + 2.0, least, least], least));
    for wrong in [f64::INFINITY, f64::NAN] {
        assert_eq!(Thresholds::new(0.001, Some([wrong; CONVICTING])).unwrap().convict, [least; CONVICTING]);
    }
    let of: Vec<f64> = Signal::ALL.into_iter().map(|signal| guarded.of(signal)).collect();
    assert_eq!(of, [least + 2.0, least, least, least, least]);
    for alpha in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = Thresholds::new(alpha, None).unwrap_err();
        assert!(matches!(error.fault(), Fault::Config) && error.to_string().contains(&alpha.to_string()));
    }
}

/// Signals stand in the order of their numbers, those that may restrict first, with names of their own; and every
/// guilty rate lies above the honest one, else evidence would grow without events.
#[test]
fn signals_are_in_order() {
    for (number, signal) in Signal::ALL.into_iter().enumerate() {
        assert_eq!((signal as usize, signal.convicts()), (number, number < CONVICTING));
        assert!(Signal::ALL.iter().filter(|other| other.name() == signal.name()).count() == 1);
        let Hypothesis { honest, guilty, most_per_event } = signal.hypothesis();
        assert!(honest > 0.0 && most_per_event > 0.0 && guilty.iter().all(|guilty| (honest..1.0).contains(guilty)));
    }
    assert_eq!(Signal::ALL.len(), SIGNALS);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(20_000) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    /// No counts and no epoch make evidence that is no number; one more event makes it larger, one more request without
    /// smaller.
    #[test]
    fn evidence_is_a_number(signal in 0..SIGNALS, events: u32, others: u32, scale in 0u32..32, epoch in 1u32..) {
        let (_, test) = test(Signal::ALL[signal]);
        let (events, others) = (events >> scale, others >> scale);
        let requests = events.saturating_add(others);
        let evidence = |events, requests| test.evidence(events, requests, epoch);
        let here = evidence(events, requests);
        prop_assert!(here.is_finite());
        if requests < u32::MAX {
            prop_assert!(evidence(events + 1, requests + 1) > here - 1e-9 * here.abs());
            prop_assert!(evidence(events, requests + 1) < here + 1e-9 * here.abs().max(1.0));
        }
    }
}
