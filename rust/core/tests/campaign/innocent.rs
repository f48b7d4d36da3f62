//! Who never pays: people who share a text and stay with it, who had it first, and who has others among the first.

use super::bodies::Random;
use super::rounds;
use super::service::{DAY, Service, Stock, campaign, convicted, paying, words};
use ratelimit_guard_core::campaign::Found;
use ratelimit_guard_core::hash::mix;

/// Forty people with one template and their own content.
fn people(service: &mut Service, random: &mut Random, template: &str, own: usize) -> Vec<Found> {
    let ask = |person: u64| {
        let content = words(random, own);
        service.ask(10_000 + person, &format!("{template} {content}"))
    };
    (0..40).map(ask).collect()
}

/// People who use one template with their own content never pay, also while a campaign runs beside them.
#[test]
fn users_of_one_template_never_pay() {
    for (seed, has_campaign) in (1..rounds(8)).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut random = Random(mix(seed) | 1);
        let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
        let template = words(&mut random, 60);
        let mut matched = 0;
        for _ in 0..25 {
            if has_campaign {
                campaign(&mut service, &mut random, &stock, 0, 1);
            }
            let found = people(&mut service, &mut random, &template, 25);
            assert!(found.iter().all(|found| !found.pays && !found.is_member && !found.is_whole), "seed {seed}");
            assert!(found.iter().all(|found| found.event != Some(true)), "seed {seed}");
            matched += found.iter().filter(|found| found.matches).count();
        }
        assert!(matched > 700, "{matched}");
        assert_eq!(convicted(&service.correlator), usize::from(has_campaign), "seed {seed}");
    }
}

/// Who used a text first is never judged by it, nor who met him there: whatever a campaign makes of it later.
#[test]
fn who_used_a_text_first_never_pays() {
    for seed in 1..rounds(8) {
        let mut random = Random(mix(seed) | 1);
        let mut service = Service::new(None);
        let stock = Stock::new(&mut random, 30);
        for piece in &stock.0 {
            for owner in [900, 901] {
                service.ask(owner, &format!("{}\n{piece}", words(&mut random, 8)));
            }
        }
        let late = campaign(&mut service, &mut random, &stock, 0, 30);
        assert!(convicted(&service.correlator) == 1 && paying(&late[300..]) > 200, "seed {seed}");
        for round in 0..60 {
            // Not even when they draw on it as the campaign does.
            let found = service.ask(900 + round % 2, &stock.compose(&mut random, 3));
            assert_eq!(found, Found::default(), "seed {seed}");
        }
        assert!(service.ask(902, &stock.compose(&mut random, 3)).pays);
    }
}

/// A community whose first eight are honest never pays, although fifty others rotate its text among their own.
#[test]
fn a_community_with_honest_first_users_never_pays() {
    for seed in 1..rounds(5) {
        let mut random = Random(mix(seed) | 1);
        let mut service = Service::new(None);
        let text = words(&mut random, 60);
        people(&mut service, &mut random, &text, 20);
        // The text is one piece of the stock, and stands in every second prompt of theirs.
        let stock = Stock::new(&mut random, 30);
        for _ in 0..25 {
            for member in 0..50 {
                let prompt = stock.compose(&mut random, 2);
                let prompt = if random.below(2) == 0 { format!("{prompt}\n{text}") } else { prompt };
                service.ask(member, &prompt);
            }
            let found = people(&mut service, &mut random, &text, 20);
            assert!(found.iter().all(|found| !found.pays && !found.is_member), "seed {seed}");
        }
        assert_eq!(convicted(&service.correlator), 1, "seed {seed}");
    }
}

/// A campaign that draws on one text alone shows nothing: each repeats the same.
#[test]
fn one_text_is_no_stock() {
    let mut random = Random(3);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 1));
    let found = campaign(&mut service, &mut random, &stock, 0, 40);
    assert!(paying(&found) == 0 && found.iter().all(|found| found.event != Some(true)));
    assert_eq!(service.correlator.campaigns.iter().count(), 0);
}

/// Who copies a whole prompt shows nothing: a thousand tenants with one and the same prompt make no key hot.
#[test]
fn copies_make_nothing_hot() {
    let mut random = Random(4);
    let mut service = Service::new(None);
    let text = words(&mut random, 80);
    for tenant in 0..1_000 {
        assert_eq!(service.ask(tenant, &text), Found::default());
    }
}

/// What many share for a day, and nobody rotates, is everybody's from then on: it does not even match.
#[test]
fn what_a_community_shares_becomes_known() {
    let mut random = Random(5);
    let mut service = Service::new(None);
    let template = words(&mut random, 60);
    for round in 0..6 {
        let found = people(&mut service, &mut random, &template, 20);
        let matches = found.iter().filter(|found| found.matches).count();
        // The first sweep after a whole day is that of the second midnight.
        assert_eq!(matches > 0, round < 3, "{round}");
        service.time += DAY / 2;
        service.fill();
    }
    // A stock whose users rotate does not, however long it is used.
    let stock = Stock::new(&mut random, 30);
    for _ in 0..12 {
        campaign(&mut service, &mut random, &stock, 0, 2);
        service.time += DAY / 2;
        service.fill();
    }
    let late = campaign(&mut service, &mut random, &stock, 0, 1);
    assert!(convicted(&service.correlator) == 1 && paying(&late) >= 18, "{}", paying(&late));
}

/// A heavy account that meets a campaign's pieces now and then, each time others, is no member and not restricted as a
/// whole.
#[test]
fn who_meets_pieces_now_and_then_is_no_member() {
    let mut random = Random(6);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    campaign(&mut service, &mut random, &stock, 0, 20);
    for round in 0..1_500 {
        let text = if round % 40 == 20 { stock.compose(&mut random, 1) } else { words(&mut random, 40) };
        let found = service.ask(777, &text);
        assert!(!found.is_whole && (!found.is_member || round <= 200));
    }
}
