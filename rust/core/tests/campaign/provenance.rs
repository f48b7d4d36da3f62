//! Answers that come back from somebody else: seats of a relay are convicted by them, and nobody by what he was given,
//! by what many were given, or by what others do with his.

use super::bodies::Random;
use super::rounds;
use super::service::{HOUR, Service, WEEK, bare, convicted, send, words};
use arrayvec::ArrayVec;
use ratelimit_guard_core::campaign::campaigns::{Campaigns, Kind};
use ratelimit_guard_core::campaign::provenance::{MIN_WORDS, Provenance};
use ratelimit_guard_core::campaign::{Correlator, Found, Request, Room};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::history::Answer;

/// A conversation of so many turns: who asks for each, by a number of the turn, and what came of it.
fn converse(service: &mut Service, random: &mut Random, turns: usize, seat: impl Fn(usize) -> u64) -> Vec<Found> {
    let mut said: Vec<String> = vec![words(random, 12)];
    let mut found = Vec::new();
    for turn in 0..turns {
        let reply = words(random, 30);
        let all: Vec<&str> = said.iter().map(String::as_str).collect();
        found.push(service.talk(seat(turn), &all, &reply));
        said.extend([reply, words(random, 12)]);
    }
    found
}

/// Conversations of a relay with so many seats: each turn goes to whichever is free.
fn relay(service: &mut Service, random: &mut Random, seats: usize, conversations: usize) -> Vec<Found> {
    let mut found = Vec::new();
    for _ in 0..conversations {
        let order: Vec<u64> = (0..6).map(|_| random.below(seats) as u64).collect();
        found.extend(converse(service, random, 6, |turn| order[turn]));
    }
    found
}

/// A relay of eight seats is convicted, and then all of it is restricted; people beside it never are.
#[test]
fn a_relay_is_convicted() {
    for seed in 1..rounds(10) {
        let mut random = Random(mix(seed) | 1);
        let mut service = Service::new(None);
        let mut late = Vec::new();
        for round in 0..10 {
            late.extend(relay(&mut service, &mut random, 8, 3).into_iter().filter(|_| round >= 5));
            for person in 0..10 {
                let found = converse(&mut service, &mut random, 4, |_| 1_000 + person);
                assert!(found.iter().all(|found| *found == Found::default()), "seed {seed}");
            }
        }
        assert_eq!(convicted(&service.correlator), 1, "seed {seed}");
        let (_, campaign) = service.correlator.campaigns.iter().next().unwrap();
        assert!(campaign.kind == Kind::Provenance && campaign.pieces > 10);
        assert!(late.iter().all(|found| found.pays && found.is_whole && found.is_member), "seed {seed}");
    }
}

/// One account, or one payer with many, has its own answers whoever of his asks.
#[test]
fn own_answers_are_nobody_elses() {
    let mut random = Random(3);
    let mut service = Service::new(None);
    for _ in 0..50 {
        let found = converse(&mut service, &mut random, 8, |_| 5);
        assert!(found.iter().all(|found| *found == Found::default()));
    }
    assert_eq!(service.correlator.campaigns.iter().count(), 0);
}

/// Gives tenants answers, and lets them send some.
struct Table {
    correlator: Correlator,
    time: u64,
}

impl Table {
    fn new() -> Self {
        let room = Room { keys: 64, accounts: 256, answers: 1 << 10 };
        Self { correlator: Correlator::new(room, None), time: 1_000 * HOUR }
    }

    /// A tenant sends these answers and gets one.
    fn ask(&mut self, tenant: u64, sent: &[u64], given: u64) -> Found {
        self.ask_of(tenant, sent, given, MIN_WORDS)
    }

    fn ask_of(&mut self, tenant: u64, sent: &[u64], given: u64, words: u32) -> Found {
        let mut facts = bare(&[], tenant);
        let answer = |hash: &u64| Answer { hash: mix(*hash), link: 0, words };
        facts.answers = sent.iter().map(answer).collect::<ArrayVec<_, _>>();
        let answer = if given == 0 { (0, 0) } else { (mix(given), words) };
        send(&mut self.correlator, tenant, tenant, &facts, answer, self.time)
    }

    fn links(&self) -> u64 {
        self.correlator.campaigns.iter().map(|(_, campaign)| campaign.pieces).sum()
    }
}

/// Answers given to three tenants are canned: whoever sends them, nothing is said by it. Two are not enough for that.
#[test]
fn canned_answers_say_nothing() {
    for (receivers, matches) in [(1, true), (2, true), (3, false), (9, false)] {
        let mut table = Table::new();
        (0..receivers).for_each(|tenant| _ = table.ask(tenant, &[], 7));
        (0..receivers).for_each(|tenant| assert!(!table.ask(tenant, &[7], 100 + tenant).matches));
        table.ask(50, &[], 8);
        assert_eq!(table.ask(50, &[7], 9).matches, matches, "{receivers}");
    }
}

/// Short answers are everybody's, at twelve words they are told apart.
#[test]
fn short_answers_say_nothing() {
    for (words, matches) in [(MIN_WORDS - 1, false), (MIN_WORDS, true)] {
        assert_eq!(MIN_WORDS, 12);
        let mut table = Table::new();
        table.ask_of(1, &[], 7, words);
        table.ask_of(2, &[], 8, words);
        assert_eq!(table.ask_of(2, &[7], 9, words).matches, matches);
    }
}

/// A tenant of whose answers nobody tells is never linked: he may have been given any.
#[test]
fn who_is_told_nothing_of_is_never_linked() {
    let mut table = Table::new();
    (1..9).for_each(|tenant| _ = table.ask(tenant, &[], tenant));
    for _ in 0..20 {
        assert_eq!(table.ask(50, &[1, 2, 3, 4, 5], 0), Found::default());
    }
    assert_eq!(table.links(), 0);
    // From his first told answer on he is.
    table.ask(50, &[], 60);
    assert!(table.ask(50, &[1, 2, 3, 4, 5], 0).matches && table.links() == 4);
}

/// A victim whose answers twenty others replay is never a member and never pays, whatever becomes of them.
#[test]
fn who_only_gave_is_not_accused() {
    let mut table = Table::new();
    (1..=50).for_each(|answer| assert!(!table.ask(1_000, &[answer], answer + 1).pays));
    for round in 0..20 {
        for replayer in 0..20 {
            let from = 1 + (round * 2) % 45;
            let own = 10_000 + round * 100 + replayer;
            // Of the round before: its own answer, and those of two others.
            let (mine, step) = (own - 100, 1 + round % 3);
            table.ask(replayer, &[from, from + 1, mine, mine + step, mine + step + 3], own);
        }
        let found = table.ask(1_000, &[round + 1, round + 2], 5_000 + round);
        assert_eq!(found, Found::default(), "{round}");
    }
    assert_eq!(convicted(&table.correlator), 1);
}

/// Five members are too few, six convict; three partners make a member, two do not.
#[test]
fn six_members_with_three_partners_convict() {
    for (members, partners, is_convicted) in [(5, 4, false), (6, 2, false), (6, 3, true), (8, 3, true)] {
        let mut table = Table::new();
        let number = |tenant: u64, place: u64| 1 + tenant * 10 + place;
        (0..members).for_each(|tenant| (0..4).for_each(|place| _ = table.ask(tenant, &[], number(tenant, place))));
        // Twice: in the first round nobody has taken yet from those that come first.
        for tenant in (0..members).chain(0..members) {
            for partner in 1..=partners {
                table.ask(tenant, &[number((tenant + partner) % members, partner - 1)], 9_000 + tenant);
            }
        }
        assert_eq!(convicted(&table.correlator), usize::from(is_convicted), "{members} {partners}");
    }
}

/// In a convicted relay two partners and one who took restrict all of an account, neither does alone.
#[test]
fn two_partners_in_a_relay_restrict_an_account() {
    let mut table = Table::new();
    (0..8).for_each(|tenant| (0..9).for_each(|place| _ = table.ask(tenant, &[], 1 + tenant * 10 + place)));
    for (tenant, step) in (0..16).flat_map(|tenant| (1..=3).map(move |step| (tenant % 8, step))) {
        table.ask(tenant, &[(tenant + step) % 8 * 10 + step], 9_000 + tenant);
    }
    assert_eq!(convicted(&table.correlator), 1);
    let ask = |table: &mut Table, tenant: u64, sent: &[u64]| {
        let found = table.ask(tenant, sent, 9_500 + tenant);
        (found.matches, found.pays, found.is_whole, found.score)
    };
    assert_eq!(ask(&mut table, 50, &[]), (false, false, false, 0.0));
    assert_eq!(ask(&mut table, 50, &[5]), (true, false, false, 0.5));
    assert_eq!(ask(&mut table, 50, &[6, 7]), (true, false, false, 0.5));
    // Who only takes is no seat, nor who gives and took of one.
    assert_eq!(ask(&mut table, 51, &[]), (false, false, false, 0.0));
    assert_eq!(ask(&mut table, 51, &[5, 15, 25]), (true, false, false, 1.5));
    table.ask(0, &[9_550], 9_000);
    assert_eq!(ask(&mut table, 50, &[]), (false, false, false, 0.0));
    assert_eq!(ask(&mut table, 50, &[16]), (true, true, true, 1.0));
    assert_eq!(ask(&mut table, 50, &[]), (false, true, true, 1.0));
}

/// A week after it was given an answer is nobody's.
#[test]
fn answers_are_forgotten_after_a_week() {
    for (passed, matches) in [(0, true), (WEEK - HOUR, true), (WEEK, false), (60 * WEEK, false)] {
        let mut table = Table::new();
        table.ask(1, &[], 7);
        table.ask(2, &[], 8);
        table.time += passed;
        assert_eq!(table.ask(2, &[7], 9).matches, matches, "{passed}");
    }
}

/// However many answers and tenants there are, there is room, and what is newest is known.
#[test]
fn memory_is_bounded() {
    let mut provenance = Provenance::new(1 << 8, 1 << 6);
    let mut campaigns = Campaigns::default();
    let mut matched = 0;
    for number in 0..rounds(100_000) {
        let tenant = mix(number % 5_000);
        let mut facts = bare(&[], number);
        // The answer before this one, of another tenant.
        facts.answers.push(Answer { hash: mix(number), link: 0, words: 40 });
        let request = Request {
            account: tenant,
            tenant,
            requests: 0,
            facts: &facts,
            answer: (mix(number + 1), 40),
            time: number,
        };
        let found = provenance.observe(&request, (tenant >> 32) as u32 | 1, (number / HOUR) as u16, &mut campaigns);
        matched += u64::from(found.matches);
        assert!(campaigns.iter().count() <= 4_096);
    }
    assert!(matched * 10 > 8 * 100_000, "{matched}");
}

/// What two send counts, what three send says nothing about the third, nor about anybody from then on.
#[test]
fn what_many_send_says_nothing() {
    let mut table = Table::new();
    table.ask(100, &[], 7);
    (1..9).for_each(|tenant| _ = table.ask(tenant, &[], tenant + 200));
    let mut sends = |tenant: u64| table.ask(tenant, &[7], tenant + 200).matches;
    assert_eq!([1, 2, 1, 2].map(&mut sends), [true; 4]);
    assert_eq!([3, 1, 2, 3, 4].map(&mut sends), [false; 5]);
}
