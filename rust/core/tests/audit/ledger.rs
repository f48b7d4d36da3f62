//! What is kept of accounts: bounded, however many there are and however much they ask.

use ratelimit_guard_core::audit::judge::Judged;
use ratelimit_guard_core::audit::ledger::{Entry, Ledger, MAX_ACCOUNTS, MAX_EXAMPLES, Tally};
use ratelimit_guard_core::audit::timeline::{MAX_POINTS, Point, Timeline};
use ratelimit_guard_core::campaign::Found;
use ratelimit_guard_core::detector::signal::{SIGNALS, Signal};
use ratelimit_guard_core::detector::{Assessment, Level, rounded_down};

/// Requests before which there is nothing to draw.
const START: u32 = 8;

fn entry(time: f64) -> Entry<'static> {
    Entry { account: "a", tenant: "t", id: "r", time, answer_tokens: 3, is_answered: true }
}

fn judged(level: Level, score: f64, event: Option<bool>) -> Judged {
    let assessment = Assessment { level, score, events: [event; SIGNALS], evidence: [score; SIGNALS], requests: 1 };
    Judged { assessment, found: Found::default() }
}

fn point(requests: u32) -> Point {
    Point { time: f64::from(requests) / 2.0, requests, score: requests as f32 }
}

/// The points of requests 1 to `last`: every one, or every second, fourth, …, so that there is room for all; and the
/// last.
fn naive(last: u32) -> Vec<Point> {
    let every = |stride: u32| (START..=last).filter(move |requests| requests.is_multiple_of(stride));
    let stride = (0..).map(|power| 1 << power).find(|stride| every(*stride).count() <= MAX_POINTS).unwrap();
    let newest = Some(last).filter(|last| *last >= START && !last.is_multiple_of(stride));
    every(stride).chain(newest).map(point).collect()
}

/// After every request the points are those of the twin.
#[test]
fn points_are_thinned_as_by_their_twin() {
    let mut timeline = Timeline::default();
    for last in 1..6_000 {
        timeline.add(point(last));
        let points: Vec<_> = timeline.points().collect();
        assert_eq!(points, naive(last));
        assert!(points.len() <= MAX_POINTS + 1 && points.windows(2).all(|pair| pair[0].requests < pair[1].requests));
        assert_eq!(points.last().copied(), (last >= START).then(|| point(last)));
    }
}

/// Points never fall, whatever single scores do, and count all requests, judged or not.
#[test]
fn scores_of_points_never_fall() {
    let mut tally = Tally::default();
    for request in 1..1_000u32 {
        let score = f64::from(request * 7_919 % 1_000) / 1_000.0 * f64::from(request) / 1_000.0;
        let judged = judged(Level::None, score, None);
        let is_judged = request * 31 % 5 != 0;
        tally.add(&entry(f64::from(request)), is_judged.then_some(&judged));
    }
    let points: Vec<_> = tally.timeline.points().collect();
    assert!(points.len() > MAX_POINTS / 4 && points.windows(2).all(|pair| pair[0].score <= pair[1].score));
    assert!(points.iter().all(|point| f64::from(point.requests) == point.time));
    assert_eq!((tally.requests, tally.counted, points.last().unwrap().score), (999, 800, rounded_down(tally.score)));
}

/// What is kept is the highest and the first, not the last.
#[test]
fn tallies_keep_the_highest_and_the_first() {
    let mut tally = Tally { first: 5.0, evidence: [f32::NEG_INFINITY; SIGNALS], ..Tally::default() };
    let steps = [
        (5.0, Level::None, 0.2, Some(false)),
        (6.0, Level::Throttle, 1.5, Some(true)),
        (4.0, Level::Throttle, 0.9, Some(true)),
        (7.0, Level::Observe, 0.1, None),
    ];
    for (time, level, score, event) in steps {
        tally.add(&entry(time), Some(&judged(level, score, event)));
    }
    assert_eq!((tally.first, tally.last, tally.requests, tally.answered, tally.output_tokens), (4.0, 7.0, 4, 4, 12));
    assert_eq!((tally.level, tally.score, tally.evidence, tally.events), (Level::Throttle, 1.5, [1.5; 5], [(2, 3); 5]));
    let flag = tally.flag.unwrap();
    assert_eq!((flag.time, &*flag.id, flag.after), (6.0, "r", 1));
}

/// Examples are the first requests that showed a convicting signal, and not many.
#[test]
fn examples_are_the_first_few() {
    let mut tally = Tally::default();
    for request in 0..1_000 {
        tally.add(&entry(f64::from(request)), Some(&judged(Level::None, 0.0, Some(request % 2 == 1))));
    }
    let convicting: Vec<_> = Signal::ALL.into_iter().filter(|signal| signal.convicts()).collect();
    let wanted = (0..MAX_EXAMPLES * convicting.len()).map(|number| {
        (f64::from(number as u32 / convicting.len() as u32 * 2 + 1), convicting[number % convicting.len()])
    });
    let found = tally.examples.iter().map(|(time, _, signal)| (*time, *signal));
    assert!(found.eq(wanted), "{:?}", tally.examples);
}

/// When all lines are taken a new account shares none, except a watched one; known accounts keep theirs.
#[test]
fn accounts_are_bounded() {
    let mut ledger = Ledger::default();
    for key in 0..MAX_ACCOUNTS as u64 {
        assert!(ledger.line(key, &entry(0.0), false).is_some());
    }
    assert_eq!((ledger.tallies().len(), ledger.unlisted), (MAX_ACCOUNTS, 0));
    for key in 0..100 {
        let new = MAX_ACCOUNTS as u64 + key;
        assert!(ledger.line(new, &entry(0.0), false).is_none());
        ledger.line(key, &entry(0.0), false).unwrap().requests += 1;
    }
    assert_eq!((ledger.tallies().len(), ledger.unlisted), (MAX_ACCOUNTS, 100));
    assert!(ledger.line(u64::MAX, &entry(0.0), true).is_some() && ledger.line(u64::MAX, &entry(0.0), false).is_some());
    assert!(ledger.line(MAX_ACCOUNTS as u64, &entry(0.0), false).is_none());
    assert_eq!((ledger.tallies().len(), ledger.unlisted), (MAX_ACCOUNTS + 1, 101));
    assert!(ledger.tallies().iter().enumerate().all(|(key, tally)| tally.requests == u32::from(key < 100)));
}

/// Watched accounts have twice the room, and no more.
#[test]
fn watched_accounts_are_bounded() {
    if std::env::var_os("RLG_SOAK").is_none() {
        return; // two million lines: about a gigabyte
    }
    let mut ledger = Ledger::default();
    for key in 0..2 * MAX_ACCOUNTS as u64 {
        assert!(ledger.line(key, &entry(0.0), true).is_some());
    }
    assert!(ledger.line(u64::MAX, &entry(0.0), true).is_none() && ledger.line(0, &entry(0.0), false).is_some());
}

/// Points stay few when only every other request, or every hundredth, is judged.
#[test]
fn points_of_requests_with_gaps_are_bounded() {
    for every in [1, 2, 3, 4, 100, 1 << 10] {
        let mut timeline = Timeline::default();
        for number in 1..20_000 {
            timeline.add(point(number * every));
        }
        let points = timeline.points().count();
        assert!((1..=MAX_POINTS + 1).contains(&points), "every {every}: {points}");
    }
}

/// The point at which an account was flagged is kept, in its place.
#[test]
fn the_marked_point_is_kept() {
    for marked in [1, 7, 8, 333, 1_000] {
        let mut timeline = Timeline::default();
        for number in 1..=1_000 {
            timeline.add(point(number));
            if number == marked {
                timeline.mark(point(number));
            }
        }
        let requests: Vec<_> = timeline.points().map(|point| point.requests).collect();
        assert!(requests.contains(&marked) && requests.windows(2).all(|pair| pair[0] < pair[1]), "{requests:?}");
    }
}

#[test]
fn halving_keeps_who_was_watched_and_who_was_seen_last() {
    let mut ledger = Ledger::default();
    for key in 0..100 {
        ledger.line(key, &entry(key as f64), false).unwrap().last = key as f64;
    }
    ledger.line(3, &entry(3.0), true).unwrap().campaign = 7;
    ledger.halve();
    assert_eq!(ledger.tallies().len(), 50);
    let times: Vec<u64> = ledger.tallies().iter().map(|tally| tally.first as u64).collect();
    assert_eq!(times, [3].into_iter().chain(51..100).collect::<Vec<_>>());
    // Lines are found where they now stand, and others are made behind them.
    assert_eq!(ledger.line(60, &entry(0.0), false).unwrap().first, 60.0);
    assert_eq!(ledger.line(1, &entry(200.0), false).unwrap().first, 200.0);
    assert_eq!(ledger.tallies().len(), 51);
}
