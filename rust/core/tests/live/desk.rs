//! A service with a detector: workers look, answer and tell; the elected one folds. Beside it a judge that reads logs.
#![allow(dead_code)]

use super::service::{ROOM, START, Service};
use super::words;
use ratelimit_guard_core::audit::judge::{Case, Judge, Judged};
use ratelimit_guard_core::audit::ledger::Entry;
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::hash::{Seed, mix};
use ratelimit_guard_core::live::area::{AREA_WORDS, Area};
use ratelimit_guard_core::live::fold::Folder;
use ratelimit_guard_core::live::ladder::Steps;
use ratelimit_guard_core::live::look::{Sight, look, told_name};
use ratelimit_guard_core::live::record::{Outgoing, Record};
use ratelimit_guard_core::live::ring::Next;
use ratelimit_guard_core::prompt::facts::Facts;
use ratelimit_guard_core::sync::AtomicU64;

pub type Words = Box<[AtomicU64]>;
pub const SEED: Seed = Seed([0x5eed, 0xf00d]);
/// At once, and up after a quarter of an hour.
pub const STEPS: Steps = Steps { allowed: [true, true, true, true, true], delay: 0.0, patience: 900.0, calm: 86_400.0 };

/// A judge by whom no account is convicted by itself.
pub fn judge(room: Room) -> Judge {
    Judge::new(Detector::new(Thresholds::new(0.01, Some([1e6; 3])).unwrap(), 1 << 12), Correlator::new(room, None))
}

pub fn area() -> Area<Words> {
    Area::format(words(AREA_WORDS), SEED, 1).unwrap()
}

pub struct Desk {
    pub area: Area<Words>,
    pub folder: Folder,
    pub twin: Judge,
    pub service: Service,
    pub time: f64,
    position: u64,
    room: Vec<u64>,
}

/// What a worker saw before, and what the twin said after the request.
pub struct Both {
    pub sight: Sight,
    pub judged: Judged,
    /// Told name of the campaign that the twin lets it pay from.
    pub pays: u32,
}

impl Both {
    /// The worker restricts the request.
    pub fn is_restricted(&self) -> bool {
        self.sight.campaign != 0 || self.sight.standing.is_whole
    }
}

pub fn key(name: u64) -> u64 {
    mix(name + 1)
}

impl Desk {
    pub fn new(steps: Steps) -> Self {
        let folder = Folder::new(judge(ROOM), steps, 7);
        let service = Service::new(None);
        Self { area: area(), folder, twin: judge(ROOM), service, time: START as f64, position: 0, room: Vec::new() }
    }

    /// A text from the only account of a tenant.
    pub fn ask(&mut self, account: u64, text: &str) -> Both {
        let facts = self.service.facts(&[text]);
        self.send(account, &facts, (0, 0), false)
    }

    pub fn send(&mut self, name: u64, facts: &Facts, answer: (u64, u32), is_declared: bool) -> Both {
        self.time += 20.0;
        let (account, tenant, time) = (key(name), mix(key(name)), self.time);
        let sight = look(&self.area, account, tenant, facts);
        let text = name.to_string();
        let (names, who) = ([&text[..], &text[..], "r"], [account, tenant, 0]);
        let outgoing = Outgoing { time, who, names, answer, answer_tokens: Some(100), is_declared, facts };
        self.tell(|words| outgoing.write(words));
        let entry = Entry { account: &text, tenant: &text, id: "r", time, answer_tokens: 100, is_answered: true };
        let answer_tokens = Some(100);
        let case = Case { entry, account, tenant, network: 0, facts, answer_tokens, answer, is_declared };
        let judged = self.twin.add(&case);
        let campaigns = &self.twin.correlator.campaigns;
        let pays = if judged.found.pays { told_name(campaigns.name(judged.found.campaign)) } else { 0 };
        Both { sight, judged, pays }
    }

    pub fn record(&mut self, record: &Record) {
        self.tell(|words| record.write(words));
    }

    /// Through the ring into the folder.
    fn tell(&mut self, write: impl FnOnce(&mut Vec<u64>)) {
        self.room.clear();
        write(&mut self.room);
        assert!(self.area.ring().push(&self.room));
        let Next::Record(end) = self.area.ring().look(self.position, &mut self.room) else { panic!("no record") };
        self.area.ring().advance(end);
        self.position = end;
        self.folder.fold(&self.area, &Record::read(&self.room).expect("what was written is read"));
    }
}
