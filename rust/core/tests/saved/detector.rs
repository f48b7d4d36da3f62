//! A detector that goes on from its bytes.

use super::bodies::Random;
use super::streams::{Prompt, Stream};
use super::{bytes, copy, rounds};
use ratelimit_guard_core::detector::signal::CONVICTING;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::detector::{Detector, Level};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::saved::load;

const START: u64 = 1_795_298_890;

/// Wherever it is saved, what comes of every later request is the same, of accounts too many to remember, and so is
/// what is remembered in the end.
#[test]
fn a_detector_goes_on() {
    let (mut throttled, mut forgotten) = (0, 0);
    for seed in 1..=rounds(20) {
        let (mut random, mut choices) = (Random(seed), Random(mix(seed) | 1));
        let mut stream = Stream::new(&mut random);
        let mut time = START;
        let sent: Vec<(u64, Prompt, u64)> = (0..3_000)
            .map(|_| {
                let most = [30, 3_000_000][usize::from(choices.below(300) == 0)];
                time += choices.below(most) as u64;
                let accounts = [4, 60][choices.below(2)];
                let account = choices.below(accounts);
                (mix(account as u64), stream.prompt(), time)
            })
            .collect();
        let thresholds = Thresholds::new(0.5, Some([0.0; CONVICTING])).unwrap();
        let (mut detector, mut seen, mut saved) = (Detector::new(thresholds, 20), Vec::new(), Vec::new());
        for ((account, prompt, time), number) in sent.iter().zip(0..) {
            if [0, 1, 40, 1_500, 2_999].contains(&number) {
                saved.push((number, bytes(&detector)));
            }
            let assessment = detector.observe(*account, &prompt.at(*time));
            throttled += usize::from(assessment.level == Level::Throttle);
            seen.push(format!("{assessment:?}"));
        }
        forgotten += detector.accounts.forgotten.newcomers + detector.accounts.forgotten.established;
        for (number, bytes) in saved {
            let mut loaded: Detector = load("state", &bytes).unwrap();
            for ((account, prompt, time), seen) in sent[number..].iter().zip(&seen[number..]) {
                let assessment = loaded.observe(*account, &prompt.at(*time));
                assert_eq!(format!("{assessment:?}"), *seen, "seed {seed}, from {number}");
            }
            assert!(self::bytes(&loaded) == self::bytes(&detector), "seed {seed}, from {number}");
        }
    }
    assert!(throttled > 100 && forgotten > 1_000, "{throttled} {forgotten}");
}

/// One without history goes on learning when it would have, what it would have.
#[test]
fn a_detector_goes_on_learning() {
    let mut detector = Detector::new(Thresholds::new(0.05, None).unwrap(), 1_000);
    let ask = |detector: &mut Detector, number: u64| {
        let prompt = Prompt::bare(mix(number % 900), number.is_multiple_of(3));
        format!("{:?}", detector.observe(mix(number % 300), &prompt.at(START + 40 * number)))
    };
    let mut learned = 0;
    for number in 0..6_000 {
        let mut loaded = if number % 500 == 99 { copy(&detector) } else { continue };
        for number in number..number + 500 {
            assert_eq!(ask(&mut loaded, number), ask(&mut detector, number));
            assert_eq!(loaded.thresholds(), detector.thresholds());
        }
        learned += usize::from(!detector.thresholds().is_wide);
    }
    assert!((1..12).contains(&learned), "{learned}");
}

/// An empty one, and one of each kind of thresholds.
#[test]
fn an_empty_detector_is_small() {
    for guard in [None, Some([1.0, f64::NEG_INFINITY, 7.5])] {
        let thresholds = Thresholds::new(0.01, guard).unwrap();
        let detector = Detector::new(thresholds, 1 << 20);
        assert!(bytes(&detector).len() < 200);
        assert_eq!(*copy(&detector).thresholds(), thresholds);
    }
}

/// One that knows three accounts.
pub fn small() -> Detector {
    let mut detector = Detector::new(Thresholds::new(0.5, Some([0.0; CONVICTING])).unwrap(), 1_000);
    for number in 0..60 {
        detector.observe(mix(number % 3), &Prompt::bare(mix(number % 50), number % 4 > 0).at(START + number));
    }
    detector
}
