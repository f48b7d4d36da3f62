//! What the tests of leaders share: a home for files, records, and processes that lead until they are killed.

use super::bodies::Random;
use super::service::{ROOM, START, Service, Stock, words};
use ratelimit_guard_core::audit::judge::Judge;
use ratelimit_guard_core::campaign::Correlator;
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::hash::{Seed, mix};
use ratelimit_guard_core::live::area::{AREA_WORDS, Area};
use ratelimit_guard_core::live::fold::Folder;
use ratelimit_guard_core::live::ladder::{Ladder, Steps};
use ratelimit_guard_core::live::record::{Outgoing, Record};
use ratelimit_guard_core::live::saved::State;
use ratelimit_guard_core::saved::save;
use ratelimit_guard_core::sync::AtomicU64;
use ratelimit_guard_host::leader::{Leader, Post};
use ratelimit_guard_host::mapping::Mapping;
use ratelimit_guard_host::store;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

pub const SEED: Seed = Seed([0x5eed, 0xf00d]);
/// Where the helper finds its directory.
pub const HOME: &str = "RLG_TEST_HOME";
/// And what it may keep there.
pub const STATE: &str = "RLG_TEST_STATE";

/// A directory that goes with the test.
pub struct Home(pub PathBuf);

impl Home {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rlg-leader-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let home = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&home).unwrap();
        Self(home)
    }
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }
    pub fn journal(&self) -> PathBuf {
        self.0.join("state.journal")
    }
    pub fn area(&self) -> Arc<Area<Mapping>> {
        area(&self.0)
    }
    pub fn lead(&self) -> Leader {
        Leader::start(post(&self.0, self.state())).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn area(home: &Path) -> Arc<Area<Mapping>> {
    Arc::new(store::area(&home.join("area"), Some(SEED), || None, || Ok(())).unwrap())
}

pub fn post(home: &Path, state: PathBuf) -> Post {
    Post { area: area(home), seat: home.join("seat"), state, make: Box::new(folder), forwards: Default::default() }
}

pub fn folder() -> Folder {
    let detector = Detector::new(Thresholds::new(0.01, Some([1e6; 3])).unwrap(), 1 << 12);
    let steps = Steps { delay: 0.0, patience: 900.0, ..Steps::default() };
    Folder::new(Judge::new(detector, Correlator::new(ROOM, None)), steps, 7)
}

/// Records of a campaign, and of people.
pub fn stream(count: u64) -> Vec<Vec<u64>> {
    let mut random = Random(5);
    let (mut service, stock) = (Service::new(None), Stock::new(&mut random, 30));
    let mut record = |number: u64| {
        let name = number % 37;
        let text = if name < 20 { stock.compose(&mut random, 3) } else { words(&mut random, 30) };
        let facts = service.facts(&[&text]);
        let (text, account) = (name.to_string(), mix(name + 1));
        let mut words = Vec::new();
        Outgoing {
            time: START as f64 + 10.0 * number as f64,
            who: [account, mix(account), 0],
            names: [&text, &text, "r"],
            answer: (0, 0),
            answer_tokens: Some(100),
            is_declared: false,
            facts: &facts,
        }
        .write(&mut words);
        words
    };
    (0..count).map(&mut record).collect()
}

/// What somebody has learned, so that it can be compared.
pub fn learned(folder: &Folder) -> (Vec<u8>, Vec<u8>, String, Vec<String>) {
    let Judge { detector, correlator, ledger, groups, .. } = &folder.judge;
    let told = format!("{:?} {:?}", ledger.tallies().len(), groups.convicted(&correlator.campaigns).len());
    let stands = |ladder: &Ladder| {
        let mut stands: Vec<String> = ladder.iter().map(|stand| format!("{stand:?}")).collect();
        stands.sort();
        stands.concat()
    };
    let judge = save("test", &(detector, correlator)).unwrap();
    (judge, save("test", &(ledger, groups)).unwrap(), told, [&folder.accounts, &folder.campaigns].map(stands).into())
}

/// What one learns that is never interrupted.
pub fn uninterrupted(records: &[Vec<u64>]) -> Folder {
    let memory: Box<[AtomicU64]> = (0..AREA_WORDS).map(|_| AtomicU64::new(0)).collect();
    let (area, mut folder) = (Area::format(memory, SEED, 1).unwrap(), folder());
    records.iter().for_each(|words| folder.fold(&area, &Record::read(words).unwrap()));
    folder
}

/// What is in the state file.
pub fn kept(home: &Home) -> Folder {
    let mut folder = folder();
    let state = State::read(&std::fs::read(home.state()).unwrap()).unwrap();
    state.restore(&mut folder, home.area().id(), SEED).unwrap();
    folder
}

pub fn push(area: &Area<Mapping>, words: &[u64]) {
    wait("room", || area.ring().push(words));
}

pub fn ask_to_save(area: &Area<Mapping>) {
    let (saved, mut words) = (area.saved().load(SeqCst), Vec::new());
    Record::Save.write(&mut words);
    push(area, &words);
    wait("a save", || area.saved().load(SeqCst) > saved);
}

/// How long it took.
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(20), "no {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    since.elapsed()
}

/// Another process that leads until it is killed. `limit`: kilobytes that its files may have.
pub fn spawn(home: &Home, state: &Path, limit: Option<u32>) -> Process {
    let test = std::env::current_exe().unwrap();
    let limit = limit.map_or(String::new(), |limit| format!("trap '' XFSZ; ulimit -f {limit}; "));
    let script = format!("{limit}exec \"$0\" --exact helper --ignored --nocapture");
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(test).env(HOME, &home.0).env(STATE, state);
    Process(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u64 {
        u64::from(self.0.id())
    }
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
