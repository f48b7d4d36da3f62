//! `Live`: what a worker tells the detector, and what it is told.

use crate::campaign::from_bytes;
use crate::detector::{capacity, thresholds};
use crate::error::OrRaise;
use crate::findings::Findings;
use crate::prompt::{Prompt, seed_of};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use ratelimit_guard_core::audit::cut;
use ratelimit_guard_core::audit::judge::Judge;
use ratelimit_guard_core::audit::value::network;
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::signal::CONVICTING;
use ratelimit_guard_core::detector::threshold::Thresholds;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::live::area::Area;
use ratelimit_guard_core::live::exchange::{Verdicts, read_batch};
use ratelimit_guard_core::live::fold::Folder;
use ratelimit_guard_core::live::ladder::{Rung, Steps};
use ratelimit_guard_core::live::look::{self, look, standing};
use ratelimit_guard_core::live::record::{Outgoing, Record, relayed};
use ratelimit_guard_core::live::reference::Reference;
use ratelimit_guard_core::live::saved::State;
use ratelimit_guard_host::leader::{Hand, Leader, Post};
use ratelimit_guard_host::mapping::Mapping;
use ratelimit_guard_host::{file, store};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

thread_local! {
    static ROOM: RefCell<Vec<u64>> = RefCell::default();
}

/// What makes a folder: the same in every worker.
#[derive(Clone)]
struct Settings {
    thresholds: Thresholds,
    capacity: usize,
    known: Option<Arc<[u8]>>,
    suspects: Vec<u64>,
    steps: Steps,
}

impl Settings {
    fn folder(&self, seed: Seed) -> Result<Folder, Error> {
        let known = self.known.as_deref().map(from_bytes).transpose()?;
        let detector = Detector::new(self.thresholds, self.capacity);
        let mut judge = Judge::new(detector, Correlator::new(Room::default(), known.as_ref()));
        judge.suspects.extend(self.suspects.iter().map(|&account| (account, ())));
        Ok(Folder::new(judge, self.steps, Folder::secret_of(seed)))
    }
}

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Live {
    area: Arc<Area<Mapping>>,
    /// What keys names, and words in the reader of the same secret.
    seed: Seed,
    path: PathBuf,
    state: PathBuf,
    settings: Settings,
    leader: Mutex<Option<Leader>>,
    forwards: Arc<AtomicBool>,
}

#[pymethods]
impl Live {
    #[new]
    #[allow(clippy::too_many_arguments)] // as many as Python passes
    fn new(
        py: Python<'_>,
        path: PathBuf,
        state: PathBuf,
        secret: Option<&Bound<'_, PyBytes>>,
        alpha: &Bound<'_, PyAny>,
        guard: Option<[f64; CONVICTING]>,
        capacity: &Bound<'_, PyAny>,
        known: Option<&Bound<'_, PyBytes>>,
        suspects: Vec<String>,
        steps: (Vec<String>, f64, f64, f64),
    ) -> PyResult<Self> {
        let make = || {
            let given = secret.map(|secret| seed_of(secret.as_bytes())).transpose()?;
            // Without a secret of the operator's a new area takes that of the state, which means nothing without it.
            let kept = || file::read_start(&state).and_then(|bytes| State::mark(&bytes)).map(|mark| Seed(mark.secret));
            let area = store::area(&path, given, kept, || Ok(()))?;
            let seed = given.map_or_else(|| seed_of(&raw(area.seed())), Ok)?;
            let settings = Settings {
                thresholds: thresholds(alpha, guard)?,
                capacity: self::capacity(capacity)?,
                known: known.map(|bytes| bytes.as_bytes().into()),
                suspects: suspects.iter().map(|name| seed.digest(cut(name).as_bytes()).0[0]).collect(),
                steps: steps_of(steps)?,
            };
            settings.folder(seed)?;
            Ok(Self {
                area: Arc::new(area),
                seed,
                path,
                state,
                settings,
                leader: Mutex::new(None),
                forwards: Arc::default(),
            })
        };
        make().or_raise(py)
    }

    #[getter]
    fn secret<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &raw(self.area.seed()))
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let (settings, seed) = (self.settings.clone(), self.seed);
        // The settings made one before.
        let make = Box::new(move || settings.folder(seed).expect("settings were tried when they were given"));
        let mut seat = self.path.as_os_str().to_owned();
        seat.push(file::SEAT_SUFFIX);
        let post = Post {
            area: self.area.clone(),
            seat: seat.into(),
            state: self.state.clone(),
            make,
            forwards: self.forwards.clone(),
        };
        let leader = Leader::start(post).or_raise(py)?;
        *self.lock() = Some(leader);
        Ok(())
    }

    fn stop(&self, py: Python<'_>) {
        let leader = self.lock().take();
        py.detach(|| drop(leader));
    }

    fn troubles(&self) -> Vec<String> {
        self.lock().as_ref().map(Leader::troubles).unwrap_or_default()
    }

    fn look(&self, prompt: &Bound<'_, Prompt>, account: &str, tenant: &str) -> Option<Sight> {
        let (account, tenant) = (self.key(account), self.key(tenant));
        Sight::of(look(&self.area, account, tenant, &prompt.get().facts))
    }

    fn standing(&self, account: &str) -> Option<Sight> {
        let standing = standing(&self.area, self.key(account))?;
        Sight::of(look::Sight { standing, ..look::Sight::default() })
    }

    #[pyo3(signature = (prompt, account, tenant, *, time, request, address, answer, answer_tokens, declared))]
    #[allow(clippy::too_many_arguments)]
    fn add(
        &self,
        prompt: &Bound<'_, Prompt>,
        account: &str,
        tenant: &str,
        time: f64,
        request: &str,
        address: &str,
        answer: Option<(u64, u32)>,
        answer_tokens: Option<u32>,
        declared: bool,
    ) -> bool {
        let network = if address.is_empty() { 0 } else { self.key(network(address)) };
        let outgoing = Outgoing {
            // A clock that shows nothing is no reason to lose an observation.
            time: if time.is_finite() { time.max(0.0) } else { self.area.time().load(Relaxed) as f64 },
            who: [self.key(account), self.key(tenant), network],
            names: [account, tenant, request].map(cut),
            answer: answer.unwrap_or_default(),
            answer_tokens,
            is_declared: declared,
            facts: &prompt.get().facts,
        };
        self.push(|words| outgoing.write(words)).is_some()
    }

    fn release_account(&self, account: &str) -> Option<u64> {
        self.push(|words| Record::ReleaseAccount(self.key(account)).write(words))
    }

    fn release_campaign(&self, name: u32) -> Option<u64> {
        self.push(|words| Record::ReleaseCampaign(name).write(words))
    }

    fn save(&self) -> Option<u64> {
        self.push(|words| Record::Save.write(words))
    }

    fn forward(&self, forwards: bool) {
        self.forwards.store(forwards, SeqCst);
    }

    #[getter]
    fn elected(&self) -> bool {
        self.hand().is_some_and(|hand| hand.is_elected())
    }

    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Option<(Bound<'py, PyBytes>, usize, u64)>> {
        let taken = self.with_hand(py, |hand| hand.take(most)).or_raise(py)?;
        Ok(taken.map(|(bytes, count, end)| (PyBytes::new(py, &bytes), count, end)))
    }

    fn sent(&self, end: u64) {
        if let Some(hand) = self.hand() {
            hand.sent(end);
        }
    }

    fn put(&self, py: Python<'_>, batch: &[u8], place: [u64; 2]) -> PyResult<(usize, usize)> {
        py.detach(|| {
            let records = read_batch(self.area.seed(), batch)?;
            let told = records.iter().filter(|words| self.area.ring().push(&relayed(words))).count();
            self.push(|words| Record::ReadUpTo(place).write(words));
            Ok((told, records.len()))
        })
        .or_raise(py)
    }

    #[getter]
    fn read_up_to(&self) -> (u64, u64) {
        let [time, number] = self.area.read_up_to() else { return (0, 0) };
        (time.load(Relaxed), number.load(Relaxed))
    }

    fn verdicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| Verdicts::of(&self.area).bytes()).or_raise(py)?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn learn(&self, py: Python<'_>, verdicts: &[u8]) -> PyResult<bool> {
        Ok(self.with_hand(py, |hand| hand.learn(verdicts).map(Some)).or_raise(py)?.unwrap_or(false))
    }

    fn adopt(&self, py: Python<'_>, state: &[u8]) -> PyResult<Option<bool>> {
        self.with_hand(py, |hand| hand.adopt(state)).or_raise(py)
    }

    fn reference(&self, account: &str, campaign: Option<u32>, time: f64) -> String {
        Reference::new(self.key(account), campaign.unwrap_or(0), time).encode(self.seed)
    }

    fn dereference(&self, text: &str) -> Option<(u64, u32, f64)> {
        let Reference { account, campaign, minute } = Reference::decode(text, self.seed)?;
        Some((account, campaign, f64::from(minute) * 60.0))
    }

    /// The part of an account's hash that references hold.
    fn account_number(&self, account: &str) -> u64 {
        self.key(account) >> 24
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (dict, ring) = (PyDict::new(py), self.area.ring());
        dict.set_item("folded", self.area.folded().load(Relaxed))?;
        dict.set_item("dropped", ring.dropped())?;
        dict.set_item("torn", ring.torn())?;
        dict.set_item("waiting_bytes", 8 * ring.waiting())?;
        dict.set_item("convicted", self.area.convicted().load(Relaxed))?;
        dict.set_item("terms", self.area.terms().load(Relaxed))?;
        dict.set_item("saved", self.area.saved().load(Relaxed))?;
        dict.set_item("saved_up_to", self.area.saved_up_to().load(Relaxed))?;
        dict.set_item("leader", self.area.leader().load(Relaxed))?;
        dict.set_item("learned", self.area.learned().load(Relaxed) != 0)?;
        dict.set_item("time", self.area.time().load(Relaxed))?;
        let rungs = PyDict::new(py);
        for name in 1..=look::NAMES {
            let rung = Rung::from_number(self.area.rung(name).load(Relaxed) as u8);
            if rung != Rung::Observe {
                rungs.set_item(name, rung.name())?;
            }
        }
        dict.set_item("rungs", rungs)?;
        Ok(dict)
    }
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Option<Leader>> {
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand(&self) -> Option<Hand> {
        self.lock().as_ref().map(Leader::hand)
    }

    /// Without the interpreter lock, and without ours: a fork in the meantime would inherit that locked.
    fn with_hand<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&Hand) -> Result<Option<T>, Error> + Send,
    ) -> Result<Option<T>, Error> {
        let hand = self.hand();
        py.detach(|| hand.map_or(Ok(None), |hand| act(&hand)))
    }

    fn key(&self, name: &str) -> u64 {
        self.seed.digest(cut(name).as_bytes()).0[0]
    }

    fn push(&self, write: impl FnOnce(&mut Vec<u64>)) -> Option<u64> {
        ROOM.with_borrow_mut(|words| {
            words.clear();
            write(words);
            self.area.ring().append(words)
        })
    }
}

fn raw(seed: Seed) -> Vec<u8> {
    seed.0.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn steps_of((allowed, delay, patience, calm): (Vec<String>, f64, f64, f64)) -> Result<Steps, Error> {
    let mut steps = Steps { delay, patience, calm, ..Steps::default() };
    for name in allowed {
        let rung = Rung::ALL.into_iter().find(|rung| rung.name() == name);
        let rung = rung.ok_or_else(|| Error::config(format!("no such rung: {name:?}")))?;
        steps.allowed[rung as usize] = true;
    }
    Ok(steps)
}

#[pyclass(frozen, module = "ratelimit_guard.live")]
pub struct Sight {
    rung: Rung,
    campaign: u32,
    whole: bool,
    score: f32,
}

impl Sight {
    /// `None` when nothing is to be done.
    fn of(seen: look::Sight) -> Option<Self> {
        let standing = seen.standing;
        let (whole, score) = (standing.is_whole && standing.rung != Rung::Observe, standing.score);
        let campaign = match seen.campaign {
            0 if whole => standing.campaign,
            campaign => campaign,
        };
        let rung = seen.rung.max(if whole { standing.rung } else { Rung::Observe });
        (rung != Rung::Observe).then_some(Self { rung, campaign, whole, score })
    }
}

#[pymethods]
impl Sight {
    #[getter]
    fn level(&self) -> &'static str {
        self.rung.name()
    }
    #[getter]
    fn campaign(&self) -> Option<u32> {
        (self.campaign != 0).then_some(self.campaign)
    }
    #[getter]
    fn whole(&self) -> bool {
        self.whole
    }
    #[getter]
    fn score(&self) -> f32 {
        self.score
    }
    fn __repr__(&self) -> String {
        format!("Sight(level={:?}, campaign={}, whole={})", self.level(), self.campaign, self.whole)
    }
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "live")?;
    module.add_class::<Live>()?;
    module.add_class::<Sight>()?;
    module.add_class::<Findings>()?;
    module.add("AREA_SUFFIX", file::AREA_SUFFIX)?;
    module.add("STATE_SUFFIX", file::STATE_SUFFIX)?;
    Ok(module)
}
