//! What it costs, in figures: `cargo test --release --test live cost -- --ignored --nocapture`.

use super::bodies::Random;
use super::desk::{SEED, STEPS, area, judge, key};
use super::service::{START, Service, Stock, words};
use super::words as zeroed;
use ratelimit_guard_core::audit::judge::{Case, Judge};
use ratelimit_guard_core::audit::ledger::Entry;
use ratelimit_guard_core::campaign::Room;
use ratelimit_guard_core::campaign::shared::keys;
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::fold::Folder;
use ratelimit_guard_core::live::ladder::Rung;
use ratelimit_guard_core::live::look::{Piece, look};
use ratelimit_guard_core::live::record::{Outgoing, Record};
use ratelimit_guard_core::live::ring::{HEAD_WORDS, Next, Ring};
use ratelimit_guard_core::live::saved::{Mark, State};
use ratelimit_guard_core::prompt::facts::Facts;
use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Prints the fastest and the median of some rounds, in nanoseconds for each of `count`.
fn measure(what: &str, count: usize, mut round: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|number| {
            let since = Instant::now();
            round(number);
            since.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what}: {:.0} ns, median {:.0} ns", times[0], times[4]);
    times[0]
}

fn record(facts: &Facts, name: u64, time: f64) -> Vec<u64> {
    let text = format!("account-{name}");
    let names = [&text[..], "tenant", "request-0123456789"];
    let who = [key(name), mix(key(name)), 0];
    let mut words = Vec::new();
    Outgoing { time, who, names, answer: (mix(name), 40), answer_tokens: Some(200), is_declared: false, facts }
        .write(&mut words);
    words
}

/// About a kilobyte each.
#[allow(clippy::vec_box)] // as they are made
fn prompts(random: &mut Random, count: usize, stock: Option<&Stock>) -> Vec<Box<Facts>> {
    let mut service = Service::new(None);
    let text = |random: &mut Random| match stock {
        Some(stock) => stock.compose(random, 6),
        None => (0..8).map(|_| words(random, 19)).collect::<Vec<_>>().join("\n"),
    };
    (0..count).map(|_| service.facts(&[&text(random)])).collect()
}

#[test]
#[ignore = "a measurement"]
fn cost() {
    const COUNT: usize = 4_000;
    let mut random = Random(5);
    let stock = Stock::new(&mut random, 300);
    let (own, members) = (prompts(&mut random, COUNT, None), prompts(&mut random, COUNT, Some(&stock)));
    let count = own.iter().map(|facts| keys(facts).count()).sum::<usize>() / COUNT;
    let records: Vec<Vec<u64>> =
        own.iter().zip(0..).map(|(facts, name)| record(facts, name % 500, START as f64 + name as f64)).collect();
    println!("{count} keys, {} words a record", records[0].len());

    let (memory, mut room) = (zeroed(HEAD_WORDS + (1 << 19)), Vec::new());
    let (ring, mut position) = (Ring::new(&memory), 0);
    measure("write and push", COUNT, |_| {
        for (facts, name) in own.iter().zip(0..) {
            room.clear();
            let who = [name, name, 0];
            let names = ["account", "tenant", "request"];
            Outgoing { time: 1.7e9, who, names, answer: (0, 0), answer_tokens: None, is_declared: false, facts }
                .write(&mut room);
            assert!(ring.push(&room));
        }
        position = position.max(ring.read_up_to()) + ring.waiting();
        ring.advance(position);
    });
    measure("push", COUNT, |_| {
        records.iter().for_each(|words| assert!(ring.push(words)));
        position += ring.waiting();
        ring.advance(position);
    });
    measure("look at a ring, and read", COUNT, |_| {
        records.iter().for_each(|words| assert!(ring.push(words)));
        while let Next::Record(end) = ring.look(position, &mut room) {
            position = end;
            black_box(Record::read(&room));
        }
        ring.advance(position);
    });

    let area = area();
    let look_at = |facts: &[Box<Facts>]| {
        for (facts, name) in facts.iter().zip(0..) {
            black_box(look(&area, key(name % 500), mix(key(name % 500)), facts));
        }
    };
    measure("look, nobody convicted", COUNT, |_| look_at(&own));

    let mut folder = Folder::new(judge(Room::default()), STEPS, 7);
    let fold = |folder: &mut Folder, what: &str, facts: &[Box<Facts>], first: u64| {
        measure(what, COUNT, |round| {
            for (facts, number) in facts.iter().zip(0..) {
                let time = START as f64 + (round * COUNT + number as usize) as f64;
                let record = Record::read(&record(facts, first + number % 500, time)).unwrap();
                folder.fold(&area, &record);
            }
        })
    };
    // Strangers fill the default room with what they share with nobody.
    let mut filler = facts_of_nothing();
    for number in 0..20_000u64 {
        filler.digest = mix(number);
        filler.keys = (0..30).map(|key| mix(number * 64 + key) & !0xff).collect();
        filler.places = vec![0; 30];
        folder.fold(&area, &Record::read(&record(&filler, 5_000 + number % 3_000, START as f64)).unwrap());
    }
    let quiet = fold(&mut folder, "fold (with writing and reading), nobody convicted", &own, 0);
    assert_eq!(folder.judge.correlator.campaigns.convicted, 0);
    fold(&mut folder, "fold of members", &members, 2_000);
    assert_eq!(folder.judge.correlator.campaigns.convicted, 1);
    let mut judge = Judge::new(
        Detector::new(Thresholds::new(0.01, Some([1e6; 3])).unwrap(), 1 << 12),
        folder.judge.correlator.clone(),
    );
    for (what, facts, first) in [("judge members", &members, 2_000), ("judge others, one convicted", &own, 0)] {
        measure(what, COUNT, |round| {
            for (facts, number) in facts.iter().zip(0..) {
                let time = START as f64 + (round * COUNT + number as usize) as f64;
                let entry = Entry { account: "a", tenant: "t", id: "r", time, answer_tokens: 9, is_answered: true };
                let account = key(first + number % 500);
                judge.add(&Case {
                    entry,
                    account,
                    tenant: mix(account),
                    network: 0,
                    facts,
                    answer_tokens: None,
                    answer: (mix(number), 40),
                    is_declared: false,
                });
            }
        });
    }
    let busy = fold(&mut folder, "fold of others, one convicted", &own, 0);
    println!("{} pieces told", area.pieces().iter().count());
    for number in 0..100_000u64 {
        let piece = Piece { campaign: 1, tenants: [1, 3], prompts: [number as u16, 5, 6] };
        area.pieces().set_told(mix(number ^ 1 << 60), piece.told());
    }
    println!("{} pieces told", area.pieces().iter().count());
    area.rung(1).store(Rung::Throttle as u64, Relaxed);
    let own_look = measure("look, one convicted, words of one's own", COUNT, |_| look_at(&own));
    let its_look = measure("look, one convicted, its own prompts", COUNT, |_| look_at(&members));
    measure("tell all", 1, |_| folder.tell_all(&area));
    measure("save", 1, |_| {
        let mark = Mark { area: 1, position: 0, secret: SEED.0 };
        black_box(State::bytes(&folder, mark).unwrap());
    });
    println!("fold {quiet:.0} and {busy:.0}, look {own_look:.0} and {its_look:.0}");
}

fn facts_of_nothing() -> Box<Facts> {
    Service::new(None).facts(&[""])
}
