//! A service that people and campaigns ask, with word banks of their own.
#![allow(dead_code)]

use super::bodies::{Random, all};
use ratelimit_guard_core::campaign::units::NOWHERE;
use ratelimit_guard_core::campaign::{Correlator, Found, Known, Request, Room};
use ratelimit_guard_core::hash::{Seed, mix};
use ratelimit_guard_core::prompt::facts::{Facts, facts};
use ratelimit_guard_core::prompt::fields::Fields;
use ratelimit_guard_core::prompt::history::answer;
use ratelimit_guard_core::prompt::scan::Scanner;
use ratelimit_guard_core::prompt::text::Scratch;
use ratelimit_guard_core::prompt::words::Keys;
use serde_json::json;
use std::sync::LazyLock;

pub const ROOM: Room = Room { keys: 1 << 14, accounts: 1 << 10, answers: 1 << 10 };
pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;
pub const WEEK: u64 = 7 * DAY;
/// Any moment: here an hour begins.
pub const START: u64 = 490_000 * HOUR;

/// A correlator with what stands before it. Each request comes a minute after the one before.
pub struct Service {
    pub correlator: Correlator,
    pub time: u64,
    scanner: Scanner,
    keys: Keys,
    fields: Fields,
    scratch: Scratch,
}

impl Service {
    pub fn new(known: Option<&Known>) -> Self {
        Self {
            correlator: Correlator::new(ROOM, known),
            time: START,
            scanner: Scanner::new(&all(), 1 << 20).unwrap(),
            keys: Keys::new(Seed([0x5eed, 0xf00d])),
            fields: Fields::default(),
            scratch: Scratch::default(),
        }
    }

    /// The facts of a conversation: the user speaks first, and last.
    pub fn facts(&mut self, turns: &[&str]) -> Box<Facts> {
        let role = |place: usize| ["user", "assistant"][place % 2];
        let message = |(place, text): (usize, &&str)| json!({"role": role(place), "content": text});
        let body = json!({"messages": turns.iter().enumerate().map(message).collect::<Vec<_>>()}).to_string();
        self.scanner.scan(body.as_bytes(), &mut self.fields).unwrap();
        facts(body.as_bytes(), &self.fields, &self.keys, &mut self.scratch)
    }

    /// So much traffic that shares nothing that the next day counts.
    pub fn fill(&mut self) {
        let time = self.time;
        for number in 0..4_096 {
            let other = (1 << 50) + number % 64;
            send(&mut self.correlator, other, other, &bare(&[], number), (0, 0), time);
        }
    }

    /// A text from the only account of a tenant.
    pub fn ask(&mut self, tenant: u64, text: &str) -> Found {
        self.ask_as(tenant, tenant, text)
    }

    pub fn ask_as(&mut self, account: u64, tenant: u64, text: &str) -> Found {
        let facts = self.facts(&[text]);
        self.send(account, tenant, &facts, (0, 0))
    }

    /// A conversation from the only account of a tenant, and the answer that it gets.
    pub fn talk(&mut self, tenant: u64, turns: &[&str], reply: &str) -> Found {
        let facts = self.facts(turns);
        let answer = self.answer(reply);
        self.send(tenant, tenant, &facts, answer)
    }

    /// Hash and words of an answer.
    pub fn answer(&mut self, reply: &str) -> (u64, u32) {
        let answer = answer(reply.as_bytes(), &self.keys, &mut self.scratch);
        (answer.hash, answer.words)
    }

    pub fn send(&mut self, account: u64, tenant: u64, facts: &Facts, answer: (u64, u32)) -> Found {
        self.time += 60;
        send(&mut self.correlator, account, tenant, facts, answer, self.time)
    }
}

/// A request; nobody counts those of its account.
pub fn send(
    correlator: &mut Correlator,
    account: u64,
    tenant: u64,
    facts: &Facts,
    answer: (u64, u32),
    time: u64,
) -> Found {
    let (account, tenant) = (mix(account + 1), mix(mix(tenant + 1)));
    correlator.observe(&Request { account, tenant, requests: 0, facts, answer, time })
}

/// Facts with these keys, of no line or sentence, and nothing else: those of no text.
pub fn bare(keys: &[u64], digest: u64) -> Facts {
    static NOTHING: LazyLock<Box<Facts>> =
        LazyLock::new(|| facts(b"", &Fields::default(), &Keys::new(Seed([0x5eed, 0xf00d])), &mut Scratch::default()));
    let mut facts = Facts::clone(&NOTHING);
    (facts.digest, facts.keys, facts.places) = (mix(digest), keys.to_vec(), vec![NOWHERE; keys.len()]);
    facts
}

/// So many words, made up: no five of them stand together twice.
pub fn words(random: &mut Random, count: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va"];
    let word = |random: &mut Random| (0..3).map(|_| SYLLABLES[random.below(16)]).collect::<String>();
    (0..count).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

/// Texts that a campaign draws on.
pub struct Stock(pub Vec<String>);

impl Stock {
    /// So many pieces of twenty words.
    pub fn new(random: &mut Random, pieces: usize) -> Self {
        Self((0..pieces).map(|_| words(random, 20)).collect())
    }

    /// A prompt from some different pieces, between words of its own, each in its line.
    pub fn compose(&self, random: &mut Random, pieces: usize) -> String {
        let mut places: Vec<usize> = (0..self.0.len()).collect();
        let mut text = words(random, 8);
        for _ in 0..pieces {
            let piece = places.swap_remove(random.below(places.len()));
            text += &format!("\n{}\n{}", self.0[piece], words(random, 2));
        }
        text
    }
}

/// What a campaign of some tenants, from number `first` on, gets for so many rounds of prompts from its stock.
pub fn campaign(service: &mut Service, random: &mut Random, stock: &Stock, first: u64, rounds: usize) -> Vec<Found> {
    let mut found = Vec::new();
    for _ in 0..rounds {
        for member in 0..20 {
            found.push(service.ask(first + member, &stock.compose(random, stock.0.len().min(3))));
        }
    }
    found
}

/// How many of these pay.
pub fn paying(found: &[Found]) -> usize {
    found.iter().filter(|found| found.pays).count()
}

/// How many campaigns are convicted, counted.
pub fn convicted(correlator: &Correlator) -> usize {
    let count = correlator.campaigns.iter().filter(|(_, campaign)| campaign.convicted.is_some()).count();
    assert_eq!(count, correlator.campaigns.convicted);
    count
}
