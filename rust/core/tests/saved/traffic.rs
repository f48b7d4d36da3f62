//! Traffic in which everything happens that a correlator remembers.

use super::bodies::Random;
use super::service::{DAY, HOUR, START, WEEK, bare};
use arrayvec::ArrayVec;
use ratelimit_guard_core::campaign::{Correlator, Found, Request, Room};
use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::prompt::facts::Facts;
use ratelimit_guard_core::prompt::history::Answer;

/// So little that most is forgotten.
pub const TIGHT: Room = Room { keys: 1 << 11, accounts: 48, answers: 1 << 7 };

/// A request that lasts.
pub struct Sent {
    account: u64,
    tenant: u64,
    facts: Facts,
    answer: u64,
    time: u64,
}

impl Sent {
    pub fn is_of_a_campaign(&self) -> bool {
        self.facts.keys.len() > 16
    }

    pub fn to(&self, correlator: &mut Correlator) -> Found {
        let Self { account, tenant, ref facts, answer, time } = *self;
        correlator.observe(&Request { account, tenant, requests: 0, facts, answer: (answer, 30), time })
    }
}

fn answer(number: u64) -> u64 {
    mix(1 << 40 | number)
}

/// So many requests: of thirty accounts with a stock each for one of two campaigns, of seats that continue each other's
/// conversations, and of people; over days, with weeks of silence between.
pub fn traffic(seed: u64, requests: u64) -> Vec<Sent> {
    let mut random = Random(mix(seed) | 1);
    // Hours are counted in 16 bits: begin in each quarter of them.
    let mut time = START + seed % 4 * (HOUR << 14);
    let mut sent = Vec::new();
    for number in 0..requests {
        time += random.below(40) as u64;
        time += [0, DAY, 6 * WEEK][usize::from(random.below(4_000) == 0) + usize::from(random.below(9_000) == 0)];
        let kind = random.below(4);
        let who = [random.below(30), 100 + random.below(30), 200 + random.below(8), 300 + random.below(500)][kind];
        let stock = |random: &mut Random| {
            let piece = (kind * 1_000 + random.below(24)) as u64;
            (0..8).map(move |key| mix(piece << 8 | key))
        };
        let mut keys: Vec<u64> = (0..2 + 4 * kind as u64).map(|key| mix(1 << 60 | number << 8 | key)).collect();
        if kind < 2 {
            let two = [stock(&mut random), stock(&mut random)];
            keys.extend(two.into_iter().flatten());
        }
        let mut facts = bare(&keys, number);
        if kind == 2 && number > 0 {
            let ago = 1 + random.below(20.min(number as usize)) as u64;
            facts.answers = ArrayVec::from_iter([Answer { hash: answer(number - ago), link: 0, words: 30 }]);
        }
        let account = mix(who as u64 + 1);
        sent.push(Sent { account, tenant: mix(account), facts, answer: answer(number), time });
    }
    sent
}
