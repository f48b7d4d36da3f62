//! What the operator releases is released at once and for good, and nothing else is.

use super::bodies::Random;
use super::desk::{Both, Desk, STEPS, key};
use super::service::{Stock, words};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::ladder::Rung;
use ratelimit_guard_core::live::look::{Piece, standing};
use ratelimit_guard_core::live::record::Record;

/// So many rounds of a campaign of twenty.
fn run(desk: &mut Desk, random: &mut Random, stock: &Stock, first: u64, rounds: u64) -> Vec<Both> {
    (0..20 * rounds).map(|number| desk.ask(first + number % 20, &stock.compose(random, 3))).collect()
}

fn restricted(seen: &[Both]) -> usize {
    seen.iter().filter(|seen| seen.is_restricted()).count()
}

fn pieces_of(desk: &Desk, name: u32) -> usize {
    desk.area.pieces().iter().filter(|(_, told)| Piece::of(*told).campaign == name).count()
}

/// An account that is released is not restricted again, although it goes on; its campaign is.
#[test]
fn a_released_account_is_free() {
    let mut random = Random(5);
    let (mut desk, stock) = (Desk::new(STEPS), Stock::new(&mut random, 30));
    run(&mut desk, &mut random, &stock, 0, 30);
    assert!(standing(&desk.area, key(3)).unwrap().is_whole);
    desk.record(&Record::ReleaseAccount(key(3)));
    let released = standing(&desk.area, key(3)).unwrap();
    assert!(released.is_released && !released.is_whole && released.rung == Rung::Observe);
    for _ in 0..60 {
        let seen = desk.ask(3, &stock.compose(&mut random, 3));
        assert!(!seen.is_restricted() && seen.sight.rung == Rung::Observe);
        assert!(desk.folder.accounts.stand(key(3)).is_none());
    }
    assert!(desk.ask(4, &stock.compose(&mut random, 3)).is_restricted());
    desk.folder.tell_all(&desk.area);
    assert!(standing(&desk.area, key(3)).unwrap().is_released);
}

/// Whose use the operator knows, and about whom he has to decide first, is not restricted by a worker either.
#[test]
fn whoever_is_observed_at_most_is_free() {
    let mut random = Random(6);
    let (mut desk, stock) = (Desk::new(STEPS), Stock::new(&mut random, 30));
    desk.folder.judge.suspects.insert(key(900), ());
    desk.twin.suspects.insert(key(900), ());
    desk.folder.tell_all(&desk.area);
    run(&mut desk, &mut random, &stock, 0, 20);
    for number in 0..60 {
        let facts = desk.service.facts(&[&stock.compose(&mut random, 3)]);
        let declared = desk.send(901, &facts, (0, 0), true);
        assert!(number == 0 || !declared.is_restricted(), "{number}");
        assert!(!desk.send(900, &facts, (0, 0), false).is_restricted(), "{number}");
    }
}

/// A campaign that is released leaves nothing in the books, its members are free, and its stock convicts nobody again;
/// other campaigns stay.
#[test]
fn a_released_campaign_is_gone() {
    for rounds in [8, 10, 14, 40] {
        let mut random = Random(mix(rounds));
        let mut desk = Desk::new(STEPS);
        let stocks = [Stock::new(&mut random, 30), Stock::new(&mut random, 30)];
        run(&mut desk, &mut random, &stocks[0], 0, 40);
        let late = run(&mut desk, &mut random, &stocks[1], 100, rounds);
        if desk.twin.correlator.campaigns.convicted < 2 {
            assert_eq!(rounds, 8);
            continue;
        }
        assert!(pieces_of(&desk, 1) > 30 && pieces_of(&desk, 2) > 0, "{rounds}");
        let other = pieces_of(&desk, 1);
        desk.record(&Record::ReleaseCampaign(2));
        assert_eq!((pieces_of(&desk, 2), pieces_of(&desk, 1)), (0, other));
        assert_eq!(desk.area.rung(2).load(std::sync::atomic::Ordering::Relaxed), 0);
        assert!(
            (100..120).all(|member| !standing(&desk.area, key(member)).is_some_and(|it| it.is_whole || it.is_member))
        );
        let again = run(&mut desk, &mut random, &stocks[1], 100, 60);
        assert_eq!(restricted(&again), 0, "{rounds}, {} before", restricted(&late));
        let strangers = run(&mut desk, &mut random, &stocks[1], 500, 40);
        assert_eq!(restricted(&strangers), 0, "{rounds}");
        assert_eq!(desk.folder.judge.correlator.campaigns.convicted, 1);
        assert!(restricted(&run(&mut desk, &mut random, &stocks[0], 0, 1)) > 15);
    }
}

/// Seats of a relay that is released may go on.
#[test]
fn a_released_relay_goes_on() {
    let mut random = Random(7);
    let mut desk = Desk::new(STEPS);
    let mut given: Vec<String> = Vec::new();
    let mut relay = |desk: &mut Desk, random: &mut Random, rounds: u64| {
        let mut seen = 0;
        for number in 0..rounds {
            let seat = number % 8;
            let asked = [words(random, 12), words(random, 12)];
            let reply = words(random, 30);
            // One of the last four answers: of another seat each round.
            let back = given.len().checked_sub(1 + given.len() / 8 % 4);
            let facts = match back.map(|place| &given[place]) {
                Some(earlier) => desk.service.facts(&[&asked[0], earlier, &asked[1]]),
                None => desk.service.facts(&[&asked[0]]),
            };
            let answer = desk.service.answer(&reply);
            seen += usize::from(desk.send(200 + seat, &facts, answer, false).is_restricted());
            given.push(reply);
        }
        seen
    };
    relay(&mut desk, &mut random, 200);
    assert_eq!(desk.folder.judge.correlator.campaigns.convicted, 1);
    assert!(relay(&mut desk, &mut random, 40) > 30);
    desk.record(&Record::ReleaseCampaign(1));
    assert_eq!(relay(&mut desk, &mut random, 400), 0);
    assert_eq!(desk.folder.judge.correlator.campaigns.convicted, 0);
}
