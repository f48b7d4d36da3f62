//! A campaign that composes its prompts from a stock is convicted, and from then on its requests pay.

use super::bodies::Random;
use super::rounds;
use super::service::{Service, Stock, campaign, convicted, paying, words};
use ratelimit_guard_core::campaign::Found;
use ratelimit_guard_core::campaign::campaigns::Kind;
use ratelimit_guard_core::hash::mix;

/// Twenty accounts with a stock of thirty pieces are convicted within a dozen requests each; then all of them pay.
#[test]
fn a_campaign_is_convicted_and_pays() {
    for seed in 1..rounds(10) {
        let mut random = Random(mix(seed) | 1);
        let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
        let early = campaign(&mut service, &mut random, &stock, 0, 12);
        assert_eq!(convicted(&service.correlator), 1, "seed {seed}");
        assert!(early[..40].iter().all(|found| !found.pays), "seed {seed}");
        let late = campaign(&mut service, &mut random, &stock, 0, 10);
        assert!(paying(&late) * 100 >= 97 * late.len(), "seed {seed}: {} of {}", paying(&late), late.len());
        let number = late.iter().find(|found| found.pays).unwrap().campaign;
        let one = service.correlator.campaigns.get(number).unwrap();
        assert!(one.kind == Kind::Rotation && one.highest >= 9.2 && one.pieces > 10);
        assert!(late.iter().filter(|found| found.pays).all(|found| found.campaign == number));
        // Most show it themselves by now, and with all they send.
        assert!(late.iter().filter(|found| found.is_member && found.is_whole).count() * 2 > late.len(), "seed {seed}");
        assert!(late.iter().all(|found| found.is_whole <= found.pays && found.is_whole <= (found.score >= 1.0)));
    }
}

/// Accounts that join a convicted campaign pay from their first request on.
#[test]
fn late_comers_pay_at_once() {
    let mut random = Random(5);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    campaign(&mut service, &mut random, &stock, 0, 20);
    let (mut first, mut second) = (0, 0);
    for member in 0..60 {
        let found = service.ask(1_000 + member, &stock.compose(&mut random, 3));
        assert!(!found.is_whole && !found.is_member);
        first += usize::from(found.pays);
        second += usize::from(service.ask(1_000 + member, &stock.compose(&mut random, 3)).pays);
    }
    assert!(first >= 55 && second >= 55, "{first} {second}");
}

/// What others send while the campaign runs never pays; nor does what a member sends of its own, until its account is
/// restricted as a whole.
#[test]
fn only_the_campaigns_requests_pay() {
    let mut random = Random(6);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    for _ in 0..30 {
        campaign(&mut service, &mut random, &stock, 0, 1);
        for person in 0..20 {
            assert_eq!(service.ask(500 + person, &words(&mut random, 60)), Found::default());
        }
    }
    for member in 0..20 {
        let found = service.ask(member, &words(&mut random, 60));
        assert!(!found.matches && found.pays == found.is_whole);
    }
    // A newcomer who joined for one request.
    assert!(service.ask(900, &stock.compose(&mut random, 3)).pays);
    assert!(!service.ask(900, &words(&mut random, 60)).pays);
}

/// The same stream gives the same results, request by request.
#[test]
fn results_are_the_same_each_time() {
    let run = || {
        let mut random = Random(7);
        let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
        let mut found = campaign(&mut service, &mut random, &stock, 0, 8);
        for number in 0..600 {
            let text = if random.below(3) == 0 { words(&mut random, 30) } else { stock.compose(&mut random, 2) };
            found.push(service.ask_as(number % 37, number % 11, &text));
        }
        found.extend(campaign(&mut service, &mut random, &stock, 50, 8));
        (found, service.correlator.known(37))
    };
    assert_eq!(run(), run());
}

/// Two campaigns with stocks of their own are two, however many requests come.
#[test]
fn two_stocks_are_two_campaigns() {
    let mut random = Random(8);
    let mut service = Service::new(None);
    let stocks = [Stock::new(&mut random, 30), Stock::new(&mut random, 30)];
    let mut numbers = [0; 2];
    for _ in 0..25 {
        for (which, stock) in stocks.iter().enumerate() {
            let found = campaign(&mut service, &mut random, stock, 100 * which as u64, 1);
            numbers[which] = found.iter().rev().find(|found| found.pays).map_or(numbers[which], |found| found.campaign);
        }
    }
    assert_eq!(convicted(&service.correlator), 2);
    assert!(numbers[0] != 0 && numbers[1] != 0 && numbers[0] != numbers[1]);
}

/// One payer is one tenant, with however many accounts he draws on a stock.
#[test]
fn accounts_of_one_payer_are_no_strangers() {
    let mut random = Random(9);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    for _ in 0..40 {
        for account in 0..30 {
            let found = service.ask_as(account, 1, &stock.compose(&mut random, 3));
            assert_eq!(found, Found::default());
        }
    }
    assert_eq!(service.correlator.campaigns.iter().count(), 0);
}

/// Five payers are too few for a campaign, whatever they draw on; six accounts of a convicted one are not asked again.
#[test]
fn a_handful_is_no_campaign() {
    let mut random = Random(10);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    for _ in 0..60 {
        for account in 0..35 {
            let found = service.ask_as(account, account % 7, &stock.compose(&mut random, 3));
            assert!(!found.matches && !found.pays);
        }
    }
    assert_eq!(convicted(&service.correlator), 0);
}

/// Clocks may jump to any moment: nothing breaks.
#[test]
fn any_clock_is_survived() {
    let mut random = Random(11);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 20));
    let moments = [0, 1, 3_599, u64::from(u32::MAX), 10_000_000_000, 5, 235_929_600, 7];
    for round in 0..200 {
        service.time = moments[random.below(moments.len())];
        for member in 0..10 {
            service.ask(member, &stock.compose(&mut random, 3));
        }
        assert!(convicted(&service.correlator) <= 200, "{round}");
    }
}
