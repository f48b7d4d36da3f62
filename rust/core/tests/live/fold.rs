//! What the elected process tells when it takes over, when clocks are wrong, and when campaigns fade.

use super::bodies::Random;
use super::desk::{Desk, STEPS, area, judge, key};
use super::service::{ROOM, Stock, WEEK, words};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::book::WORTH_SHIFT;
use ratelimit_guard_core::live::fold::Folder;
use ratelimit_guard_core::live::ladder::Rung;
use ratelimit_guard_core::live::look::{NAMES, look, standing};
use ratelimit_guard_core::live::record::Record;
use ratelimit_guard_core::live::saved::{Mark, State};
use std::sync::atomic::Ordering::Relaxed;

fn campaign(desk: &mut Desk, random: &mut Random, stock: &Stock, rounds: u64) -> usize {
    let ask = |number: u64| desk.ask(number % 20, &stock.compose(random, 3)).is_restricted();
    (0..20 * rounds).map(ask).filter(|is_restricted| *is_restricted).count()
}

/// After a restart of the machine the area is new; what the state knows is told there before the first request.
#[test]
fn a_new_area_is_told_everything() {
    let mut random = Random(5);
    let (mut desk, stock) = (Desk::new(STEPS), Stock::new(&mut random, 30));
    campaign(&mut desk, &mut random, &stock, 30);
    desk.record(&Record::ReleaseAccount(key(3)));
    let mark = Mark { area: 1, position: 0, secret: super::desk::SEED.0 };
    let bytes = State::bytes(&desk.folder, mark).unwrap();
    let mut folder = Folder::new(judge(ROOM), STEPS, 7);
    State::read(&bytes).unwrap().restore(&mut folder, 2, super::desk::SEED).unwrap();
    let fresh = area();
    folder.tell_all(&fresh);
    let mut whole = 0;
    for member in 0..20 {
        let [old, new] = [&desk.area, &fresh].map(|area| standing(area, key(member)));
        let (old, new) = (old.unwrap(), new.unwrap_or_default());
        assert_eq!((new.is_released, new.is_whole), (old.is_released, old.is_whole), "{member}");
        assert_eq!((new.rung, new.campaign), (old.rung, old.campaign), "{member}");
        whole += usize::from(new.is_whole);
    }
    assert!(whole > 10);
    for round in 0..40 {
        let facts = desk.service.facts(&[&stock.compose(&mut random, 3)]);
        let [old, new] = [&desk.area, &fresh].map(|area| look(area, key(700), mix(key(700)), &facts));
        assert_eq!((new.campaign, new.rung), (old.campaign, old.rung), "{round}");
    }
    // And a folder that knows nothing tells nothing of what stands there.
    let mut empty = Folder::new(judge(ROOM), STEPS, 7);
    empty.tell_all(&fresh);
    assert_eq!((fresh.pieces().iter().count(), fresh.convicted().load(Relaxed)), (0, 0));
    assert!((1..=NAMES).all(|name| fresh.rung(name).load(Relaxed) == 0));
}

/// A clock that is wrong for one request neither lets anybody off nor holds anybody longer.
#[test]
fn one_wrong_clock_changes_nothing() {
    for wrong in [-1.7e9, 3e9, 1e300] {
        let mut random = Random(6);
        let (mut desk, stock) = (Desk::new(STEPS), Stock::new(&mut random, 30));
        campaign(&mut desk, &mut random, &stock, 60);
        assert_eq!(desk.area.rung(1).load(Relaxed), Rung::Block as u64);
        let time = std::mem::replace(&mut desk.time, wrong);
        desk.ask(800, &words(&mut random, 30));
        desk.time = time;
        campaign(&mut desk, &mut random, &stock, 1);
        assert_eq!(desk.area.rung(1).load(Relaxed), Rung::Block as u64);
        // Who keeps quiet comes down, at the right time.
        let quiet = desk.time;
        while desk.area.rung(1).load(Relaxed) == Rung::Block as u64 {
            desk.time += 600.0;
            desk.ask(801, &words(&mut random, 30));
        }
        assert!((0.0..2_000.0).contains(&(desk.time - quiet - STEPS.calm)), "{wrong}: {}", desk.time - quiet);
    }
}

/// A campaign that has faded leaves nothing in the books, and no rung.
#[test]
fn a_faded_campaign_is_gone() {
    let mut random = Random(7);
    let (mut desk, stock) = (Desk::new(STEPS), Stock::new(&mut random, 30));
    campaign(&mut desk, &mut random, &stock, 30);
    assert!(desk.area.pieces().iter().count() > 20 && desk.folder.campaigns.iter().count() == 1);
    desk.time += 2.0 * WEEK as f64;
    for number in 0..5_000 {
        desk.ask(500 + number % 50, &words(&mut random, 12));
    }
    assert_eq!(desk.area.convicted().load(Relaxed), 0);
    assert_eq!((desk.area.pieces().iter().count(), desk.folder.campaigns.iter().count()), (0, 0));
    assert_eq!(desk.area.rung(1).load(Relaxed), 0);
}

/// Every piece in the book belongs to a convicted campaign, and nearly all that do are there, also long after.
#[test]
fn the_book_follows_what_is_judged() {
    let mut random = Random(8);
    let (mut desk, stock) = (Desk::new(STEPS), Stock::new(&mut random, 30));
    for _ in 0..6 {
        campaign(&mut desk, &mut random, &stock, 12);
        (0..600).for_each(|number| _ = desk.ask(300 + number % 60, &words(&mut random, 25)));
        let correlator = &desk.folder.judge.correlator;
        let owned = |key: u64| correlator.cell(key).is_some_and(|cell| correlator.owner(cell).is_some());
        let told: Vec<u64> = desk.area.pieces().iter().map(|(key, _)| key).collect();
        let all = (0..correlator.capacity()).filter_map(|place| correlator.cell_at(place));
        let all: Vec<u64> = all.filter(|(_, cell)| correlator.owner(cell).is_some()).map(|(key, _)| key).collect();
        let wrong = told.iter().filter(|key| !owned(**key)).count();
        let missing = all.iter().filter(|key| desk.area.pieces().get(**key).is_none()).count();
        assert!(
            all.len() > 20 && wrong * 50 <= told.len() && missing * 50 <= all.len(),
            "{wrong} {missing} {}",
            all.len()
        );
    }
    assert!(desk.area.accounts().iter().all(|(_, told)| told[0] >> WORTH_SHIFT > 0));
}
