//! Campaigns in a log: who is restricted, what is handed over, and who is related.

use super::bodies::Random;
use super::service::{Stock, words};
use super::{audited, auditor};
use ratelimit_guard_core::audit::Auditor;
use ratelimit_guard_core::audit::ledger::Tally;
use ratelimit_guard_core::detector::Level;
use serde_json::json;

/// A log of twenty accounts that draw on a stock, and twenty people with one template.
fn log(rounds: u64) -> String {
    let mut random = Random(99);
    let stock = Stock::new(&mut random, 30);
    let template = words(&mut random, 40);
    let mut log = String::new();
    for number in 0..rounds * 40 {
        let user = number % 40;
        let (name, text) = match user < 20 {
            true => (format!("seat-{user}"), stock.compose(&mut random, 3)),
            false => (format!("person-{user}"), format!("{template} {}", words(&mut random, 20))),
        };
        let request = json!({"messages": [{"role": "user", "content": text}]});
        let line = json!({"t": 1_700_000_000 + 30 * number, "user": name, "id": number.to_string(),
            "address": format!("10.0.{user}.7"), "request": request});
        log += &format!("{line}\n");
    }
    log
}

fn of<'a>(auditor: &'a Auditor, name: &'a str) -> impl Iterator<Item = &'a Tally> {
    auditor.judge.ledger.tallies().iter().filter(move |tally| tally.account.starts_with(name))
}

fn restricted(auditor: &Auditor, name: &str) -> u32 {
    of(auditor, name).map(|tally| tally.restricted).sum()
}

/// The campaign's requests are restricted and handed over once, by name and in order; nobody else's are.
#[test]
fn restricted_requests_are_handed_over() {
    let log = log(25);
    let mut auditor = audited(log.as_bytes());
    assert_eq!(auditor.judge.correlator.campaigns.convicted, 1);
    let taken = std::mem::take(&mut auditor.restricted);
    assert!(taken.len() > 200 && taken.len() == restricted(&auditor, "seat") as usize);
    assert_eq!(restricted(&auditor, "person"), 0);
    assert!(taken.iter().all(|one| one.account.starts_with("seat")));
    assert!(taken.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert!(taken.iter().all(|one| one.id.parse::<f64>().is_ok_and(|id| one.time == 1_700_000_000.0 + 30.0 * id)));
    let campaigns = &auditor.judge.correlator.campaigns;
    let [(number, group)] = &auditor.judge.groups.convicted(campaigns)[..] else { panic!("one campaign") };
    assert!(taken.iter().all(|one| campaigns.root(one.campaign) == *number));
    assert_eq!(group.restricted, taken.len() as u64);
    let different = group.different.clone().map(|sketch| sketch.unwrap().count().round());
    assert!(different[1] == 0.0 && (different[0] - 20.0).abs() < 2.0 && (different[2] - 20.0).abs() < 2.0);
    assert!(of(&auditor, "seat").all(|tally| campaigns.root(tally.campaign) == *number && tally.rotations > 5));
    assert!(of(&auditor, "seat").any(|tally| tally.level == Level::Throttle && tally.flag.is_some()));
    assert!(of(&auditor, "person").all(|tally| tally.campaign == 0 && tally.rotations == 0));
    // Taken is taken, and more comes after it.
    auditor.feed(log[..log.len() / 2].replace("\"id\":\"", "\"id\":\"again-").as_bytes());
    assert!(!auditor.restricted.is_empty() && auditor.restricted.iter().all(|one| one.id.starts_with("again-")));
}

/// Accounts with one payer are one tenant, and no strangers: a log of one company's keys shows no campaign.
#[test]
fn related_accounts_are_no_campaign() {
    let mut related = auditor();
    (0..20).for_each(|user| related.relate(&format!("seat-{user}"), "a company"));
    related.feed(log(25).as_bytes());
    assert!(related.judge.correlator.campaigns.convicted == 0 && related.restricted.is_empty());
    assert!(of(&related, "seat").all(|tally| tally.matched == 0 && tally.restricted == 0));
    // Seven payers are as many tenants: too few to make anything hot.
    let mut related = auditor();
    (0..20).for_each(|user| related.relate(&format!("seat-{user}"), &format!("company {}", user % 7)));
    related.feed(log(25).as_bytes());
    assert!(related.restricted.is_empty());
}

/// A declared account, and one that history shows, are seen and not restricted; the others of the campaign are.
#[test]
fn declared_accounts_are_only_observed() {
    let log = log(25);
    for declares in [Auditor::declare as fn(&mut Auditor, &str), Auditor::suspect] {
        let mut auditor = auditor();
        declares(&mut auditor, "seat-3");
        auditor.feed(log.as_bytes());
        let tally = of(&auditor, "seat-3").find(|tally| &*tally.account == "seat-3").unwrap();
        assert!(tally.restricted == 0 && tally.flag.is_none() && tally.level <= Level::Observe && tally.rotations > 5);
        assert!(auditor.restricted.iter().all(|one| &*one.account != "seat-3"));
        assert!(restricted(&auditor, "seat") > 200);
    }
}

/// Wherever chunks end, the campaigns are the same.
#[test]
fn chunks_change_no_campaign() {
    let log = log(15);
    let whole = audited(log.as_bytes());
    for most in [1 << 10, 77] {
        let mut parts = auditor();
        log.as_bytes().chunks(most).for_each(|chunk| parts.feed(chunk));
        parts.end_file();
        assert_eq!(parts.restricted, whole.restricted);
        assert_eq!(parts.judge.correlator.known(40), whole.judge.correlator.known(40));
        assert_eq!(format!("{:?}", parts.judge.ledger.tallies()), format!("{:?}", whole.judge.ledger.tallies()));
    }
}

/// An answer in the log that comes back in another account's conversation links the two, whatever stands around it.
#[test]
fn answers_in_a_log_are_followed() {
    let mut random = Random(5);
    let mut log = String::new();
    for number in 0..120u64 {
        let mut messages = vec![json!({"role": "user", "content": words(&mut random, 12)})];
        for turn in 0..5 {
            let reply = words(&mut random, 30);
            let seat = random.below(8);
            log += &format!(
                "{}\n",
                json!({"t": 1_700_000_000 + 60 * number + turn, "user": format!("seat-{seat}"),
                "id": format!("{number}-{turn}"), "reply": reply, "request": {"messages": messages}})
            );
            messages.push(json!({"role": "assistant", "content": reply}));
            messages.push(json!({"role": "user", "content": words(&mut random, 12)}));
        }
    }
    let told = audited(log.as_bytes());
    assert!(told.judge.correlator.campaigns.convicted == 1 && told.restricted.len() > 400, "{}", told.restricted.len());
    let untold = audited(log.replace("\"reply\"", "\"other\"").as_bytes());
    assert!(untold.judge.correlator.campaigns.convicted == 0 && untold.restricted.is_empty());
}
