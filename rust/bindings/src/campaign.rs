//! `Correlator`: prompts of many accounts in, what they share out.

use crate::arguments::{whole, with_text};
use crate::error::OrRaise;
use crate::prompt::{Prompt, seed_of};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use ratelimit_guard_core::campaign::campaigns::Campaign;
use ratelimit_guard_core::campaign::cells::FIRST;
use ratelimit_guard_core::campaign::{self, Found, Known, Request, Room};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most of everything that a correlator may have room for.
const MAX_ROOM: u64 = 1 << 24;

#[pyclass(frozen, subclass, module = "ratelimit_guard._core")]
pub struct Correlator {
    correlator: Mutex<campaign::Correlator>,
    seed: Seed,
}

#[pymethods]
impl Correlator {
    #[new]
    fn new(
        py: Python<'_>,
        secret: &Bound<'_, PyBytes>,
        known: Option<&Bound<'_, PyBytes>>,
        keys: &Bound<'_, PyAny>,
        accounts: &Bound<'_, PyAny>,
        answers: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let make = || {
            let known = known.map(|bytes| from_bytes(bytes.as_bytes())).transpose()?;
            let room = Room {
                keys: room("keys", keys)?,
                accounts: room("accounts", accounts)?,
                answers: room("answers", answers)?,
            };
            let correlator = Mutex::new(campaign::Correlator::new(room, known.as_ref()));
            Ok(Self { correlator, seed: seed_of(secret.as_bytes())? })
        };
        make().or_raise(py)
    }

    #[pyo3(signature = (account, prompt, *, time, tenant = None, answer = None, requests = 0))]
    fn observe(
        &self,
        account: &Bound<'_, PyAny>,
        prompt: &Bound<'_, Prompt>,
        time: f64,
        tenant: Option<&Bound<'_, PyAny>>,
        answer: Option<(u64, u32)>,
        requests: u32,
    ) -> PyResult<Match> {
        let account = self.name("account", account)?;
        let tenant = tenant.map(|tenant| self.name("tenant", tenant)).transpose()?;
        if !time.is_finite() {
            let error = Error::usage(format!("time must be a number of seconds, got {time}"));
            return Err(error).or_raise(prompt.py());
        }
        let request = Request {
            account,
            tenant: tenant.unwrap_or(account),
            requests,
            facts: &prompt.get().facts,
            answer: answer.unwrap_or_default(),
            time: time as u64,
        };
        let mut correlator = self.lock();
        let found = correlator.observe(&request);
        let campaign = correlator.campaigns.name(found.campaign);
        Ok(Match { found, campaign })
    }

    fn known<'py>(&self, py: Python<'py>, tenants: usize) -> Bound<'py, PyBytes> {
        let known = py.detach(|| self.lock().known(tenants));
        PyBytes::new(py, &to_bytes(&known))
    }

    fn campaigns<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut found: Vec<_> = {
            let correlator = self.lock();
            correlator.campaigns.records().cloned().collect()
        };
        found.sort_unstable_by_key(|campaign| campaign.name);
        found.iter().map(|campaign| row(py, campaign)).collect()
    }
}

impl Correlator {
    fn lock(&self) -> MutexGuard<'_, campaign::Correlator> {
        self.correlator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, what: &str, name: &Bound<'_, PyAny>) -> PyResult<u64> {
        with_text(what, name, |name| Ok(self.seed.digest(name).0[0]))
    }
}

#[pyclass(frozen, module = "ratelimit_guard.campaign")]
pub struct Match {
    found: Found,
    campaign: u32,
}

#[pymethods]
impl Match {
    #[getter]
    fn campaign(&self) -> Option<u32> {
        Some(self.campaign).filter(|&name| name != 0)
    }
    #[getter]
    fn shared(&self) -> bool {
        self.found.matches
    }
    #[getter]
    fn rotation(&self) -> Option<bool> {
        self.found.event
    }
    #[getter]
    fn member(&self) -> bool {
        self.found.is_member
    }
    #[getter]
    fn pays(&self) -> bool {
        self.found.pays
    }
    #[getter]
    fn restricted(&self) -> bool {
        self.found.is_whole
    }
    fn __repr__(&self) -> String {
        let campaign = self.campaign().map_or("None".into(), |number| number.to_string());
        let word = |flag: bool| if flag { "True" } else { "False" };
        format!("Match(campaign={campaign}, shared={}, pays={})", word(self.shared()), word(self.pays()))
    }
}

/// What both tables of campaigns tell.
pub fn row<'py>(py: Python<'py>, campaign: &Campaign) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", campaign.name)?;
    dict.set_item("kind", campaign.kind.name())?;
    dict.set_item("convicted", campaign.convicted)?;
    dict.set_item("pieces", campaign.pieces)?;
    dict.set_item("evidence", campaign.highest)?;
    Ok(dict)
}

/// How many tenants make a key common and how many common keys there are, those, and each owned key with its tenants:
/// eight bytes a number.
pub fn to_bytes(known: &Known) -> Vec<u8> {
    let counts = [known.tenants as u64, known.keys.len() as u64];
    let owned = known.owned.iter().flat_map(|(key, [one, two])| [*key, u64::from(*one) << 32 | u64::from(*two)]);
    let numbers = counts.into_iter().chain(known.keys.iter().copied()).chain(owned);
    numbers.flat_map(u64::to_le_bytes).collect()
}

/// The same back.
pub fn from_bytes(bytes: &[u8]) -> Result<Known, Error> {
    let damaged = || Error::config("known keys are damaged: calibrate anew");
    let mut numbers = bytes.chunks_exact(8).map(|number| u64::from_le_bytes(number.try_into().unwrap_or_default()));
    let tenants = numbers.next().filter(|tenants| (1..=FIRST as u64).contains(tenants)).ok_or_else(damaged)?;
    let count = numbers.next().filter(|count| *count <= numbers.len() as u64).ok_or_else(damaged)?;
    let keys: Vec<u64> = numbers.by_ref().take(count as usize).collect();
    let rest: Vec<u64> = numbers.collect();
    if !bytes.len().is_multiple_of(8) || !rest.len().is_multiple_of(2) {
        return Err(damaged());
    }
    let owned = rest.chunks_exact(2).map(|pair| (pair[0], [(pair[1] >> 32) as u32, pair[1] as u32])).collect();
    Ok(Known { tenants: tenants as usize, keys, owned })
}

fn room(what: &str, number: &Bound<'_, PyAny>) -> Result<usize, Error> {
    match whole(what, MAX_ROOM, number)? {
        number @ 1..=MAX_ROOM => Ok(number as usize),
        number => Err(Error::config(format!("{what} must be 1 to {MAX_ROOM}, got {number}"))),
    }
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "campaign")?;
    module.add_class::<Correlator>()?;
    module.add_class::<Match>()?;
    let room = Room::default();
    module.add("DEFAULT_KEYS", room.keys)?;
    module.add("DEFAULT_ACCOUNTS", room.accounts)?;
    module.add("DEFAULT_ANSWERS", room.answers)?;
    Ok(module)
}
