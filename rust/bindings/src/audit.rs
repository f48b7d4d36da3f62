//! `Auditor`: a log in chunks in, accounts out.

use crate::arguments::text;
use crate::campaign::{from_bytes, row as campaign_row, to_bytes};
use crate::detector::{by_name, capacity, forgotten, thresholds};
use crate::error::OrRaise;
use crate::prompt::{Tables, seed_of, tables};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use ratelimit_guard_core::audit::groups::Group;
use ratelimit_guard_core::audit::judge::Judge;
use ratelimit_guard_core::audit::ledger::Tally;
use ratelimit_guard_core::audit::record::Column;
use ratelimit_guard_core::audit::totals::Skip;
use ratelimit_guard_core::audit::{self, Format};
use ratelimit_guard_core::campaign::campaigns::Campaign;
use ratelimit_guard_core::campaign::{Correlator, Room};
use ratelimit_guard_core::detector::Detector;
use ratelimit_guard_core::detector::signal::{CONVICTING, Signal};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::prompt::capability::Capability;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Auditor(Mutex<audit::Auditor>);

impl Auditor {
    fn lock(&self) -> MutexGuard<'_, audit::Auditor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Auditor {
    #[new]
    #[allow(clippy::too_many_arguments)] // as many as Python passes
    fn new(
        py: Python<'_>,
        columns: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        dialects: Tables<'_>,
        secret: &Bound<'_, PyBytes>,
        alpha: &Bound<'_, PyAny>,
        guard: Option<[f64; CONVICTING]>,
        capacity: &Bound<'_, PyAny>,
        known: Option<&Bound<'_, PyBytes>>,
    ) -> PyResult<Self> {
        let make = || {
            let known = known.map(|bytes| from_bytes(bytes.as_bytes())).transpose()?;
            let columns: Vec<_> =
                columns.iter().map(|(name, path)| column(name, path)).collect::<Result<_, Error>>()?;
            let format = Format::new(&columns, &tables(&dialects)?, seed_of(secret.as_bytes())?)?;
            let detector = Detector::new(thresholds(alpha, guard)?, self::capacity(capacity)?);
            let correlator = Correlator::new(Room::default(), known.as_ref());
            Ok(Self(Mutex::new(audit::Auditor::new(format, detector, correlator))))
        };
        make().or_raise(py)
    }

    fn declare(&self, account: &Bound<'_, PyString>) {
        self.lock().declare(&account.to_string_lossy());
    }

    fn suspect(&self, account: &Bound<'_, PyString>) {
        self.lock().suspect(&account.to_string_lossy());
    }

    fn relate(&self, account: &Bound<'_, PyString>, payer: &Bound<'_, PyString>) {
        self.lock().relate(&account.to_string_lossy(), &payer.to_string_lossy());
    }

    fn known<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let known = py.detach(|| {
            let auditor = self.lock();
            let tallies = auditor.judge.ledger.tallies().iter();
            let tenants: HashSet<&str> = tallies.map(|tally| &*tally.tenant).collect();
            auditor.judge.correlator.known(tenants.len())
        });
        PyBytes::new(py, &to_bytes(&known))
    }

    fn restricted(&self) -> Vec<(String, String, f64, u32)> {
        let mut auditor = self.lock();
        let taken = std::mem::take(&mut auditor.restricted);
        taken.into_iter().map(|one| (one.id.into(), one.account.into(), one.time, one.campaign)).collect()
    }

    fn campaigns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        // Copies: while Python objects are made another thread may wait for the lock with the interpreter in its hands.
        let found = convicted(&self.lock().judge);
        campaign_rows(py, &found)
    }

    fn feed(&self, chunk: &Bound<'_, PyBytes>) {
        let bytes = chunk.as_bytes();
        chunk.py().detach(|| self.lock().feed(bytes));
    }

    fn end_file(&self, py: Python<'_>) {
        py.detach(|| self.lock().end_file());
    }

    fn __len__(&self) -> usize {
        self.lock().judge.ledger.tallies().len()
    }

    fn accounts<'py>(&self, py: Python<'py>, start: usize, end: usize) -> PyResult<Bound<'py, PyList>> {
        let tallies = tallies(&self.lock().judge, start, end);
        let rows: Vec<_> = tallies.iter().map(|tally| row(py, tally)).collect::<PyResult<_>>()?;
        PyList::new(py, rows)
    }

    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let thresholds = *self.lock().judge.detector.thresholds();
        by_name(py, &thresholds)
    }

    #[getter]
    fn totals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (totals, unlisted, counts) = {
            let auditor = self.lock();
            (auditor.totals, auditor.judge.ledger.unlisted, auditor.judge.detector.accounts.forgotten)
        };
        let dict = PyDict::new(py);
        dict.set_item("lines", totals.lines)?;
        dict.set_item("records", totals.records)?;
        dict.set_item("span", totals.span)?;
        let skipped = PyDict::new(py);
        for why in Skip::ALL {
            let (count, first) = totals.skipped[why as usize];
            if count > 0 {
                skipped.set_item(why.name(), (count, first.file, first.line))?;
            }
        }
        dict.set_item("skipped", skipped)?;
        dict.set_item("repeated", totals.repeated)?;
        dict.set_item("out_of_order", totals.out_of_order)?;
        dict.set_item("jumps", totals.jumps)?;
        dict.set_item("no_prompt", totals.no_prompt)?;
        dict.set_item("not_judged", totals.not_judged)?;
        dict.set_item("unlisted", unlisted)?;
        dict.set_item("forgotten", forgotten(py, &counts)?)?;
        Ok(dict)
    }
}

/// Convicted campaigns in the order of their conviction, with what came of them and how many members they have.
pub fn convicted(judge: &Judge) -> Vec<(Campaign, Group, usize)> {
    let campaigns = &judge.correlator.campaigns;
    let mut members = HashMap::<u32, usize>::new();
    for tally in judge.ledger.tallies() {
        *members.entry(campaigns.whole(tally.campaign)).or_default() += 1;
    }
    let count = |number| members.get(&number).copied().unwrap_or(0);
    let row = |(number, group)| Some((campaigns.record(number)?.clone(), group, count(number)));
    judge.groups.convicted(campaigns).into_iter().filter_map(row).collect()
}

/// As Python has them.
pub fn campaign_rows<'py>(py: Python<'py>, found: &[(Campaign, Group, usize)]) -> PyResult<Bound<'py, PyList>> {
    let rows = found.iter().map(|(campaign, group, accounts)| {
        let dict = group_row(py, campaign, group)?;
        dict.set_item("accounts", accounts)?;
        Ok(dict)
    });
    PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
}

/// Some accounts in the order of their first records, with the names of their campaigns.
pub fn tallies(judge: &Judge, start: usize, end: usize) -> Vec<Tally> {
    let (tallies, campaigns) = (judge.ledger.tallies(), &judge.correlator.campaigns);
    let end = end.min(tallies.len());
    let named = |tally: &Tally| Tally { campaign: campaigns.name(tally.campaign), ..tally.clone() };
    tallies[start.min(end)..end].iter().map(named).collect()
}

fn column(name: &Bound<'_, PyAny>, path: &Bound<'_, PyAny>) -> Result<(Column, String), Error> {
    let name = text("column", name)?;
    let column = Column::ALL.into_iter().find(|column| column.name() == name).ok_or_else(|| {
        let known = Column::ALL.map(Column::name).join(", ");
        Error::config(format!("no such column: {name:?}: write one of {known}"))
    })?;
    Ok((column, text("path", path)?.to_owned()))
}

/// What `AccountResult` is made of.
pub fn row<'py>(py: Python<'py>, tally: &Tally) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("account", &*tally.account)?;
    dict.set_item("tenant", &*tally.tenant)?;
    dict.set_item("requests", tally.requests)?;
    dict.set_item("answered", tally.answered)?;
    dict.set_item("counted", tally.counted)?;
    dict.set_item("output_tokens", tally.output_tokens)?;
    dict.set_item("first", tally.first)?;
    dict.set_item("last", tally.last)?;
    dict.set_item("campaign", Some(tally.campaign).filter(|&campaign| campaign != 0))?;
    dict.set_item("matched", tally.matched)?;
    dict.set_item("rotations", tally.rotations)?;
    dict.set_item("restricted", tally.restricted)?;
    dict.set_item("level", tally.level.name())?;
    dict.set_item("score", tally.score)?;
    let flag = tally.flag.as_ref().map(|flag| (flag.time, &*flag.id, flag.after));
    dict.set_item("flag", flag)?;
    let signal = |signal: Signal| {
        let (events, counted) = tally.events[signal as usize];
        (signal.name(), events, counted, tally.evidence[signal as usize])
    };
    dict.set_item("signals", PyTuple::new(py, Signal::ALL.map(signal))?)?;
    let points = tally.timeline.points().map(|point| (point.time, point.requests, point.score));
    dict.set_item("timeline", PyTuple::new(py, points.collect::<Vec<_>>())?)?;
    let examples = tally.examples.iter().map(|(time, id, signal)| (*time, &**id, signal.name()));
    dict.set_item("examples", PyTuple::new(py, examples.collect::<Vec<_>>())?)?;
    Ok(dict)
}

#[pyfunction]
fn cut_name(name: &Bound<'_, PyString>) -> String {
    audit::cut(&name.to_string_lossy()).to_owned()
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "audit")?;
    module.add_class::<Auditor>()?;
    module.add("COLUMNS", PyTuple::new(py, Column::ALL.map(Column::name))?)?;
    module.add_function(wrap_pyfunction!(cut_name, &module)?)?;
    Ok(module)
}

/// What `Campaign` of the Python side is made of.
fn group_row<'py>(py: Python<'py>, campaign: &Campaign, group: &Group) -> PyResult<Bound<'py, PyDict>> {
    let dict = campaign_row(py, campaign)?;
    dict.set_item("released", campaign.is_acquitted)?;
    dict.set_item("first", group.first)?;
    dict.set_item("last", group.last)?;
    for (name, sketch) in ["tenants", "payers", "addresses"].iter().zip(&group.different) {
        dict.set_item(name, sketch.as_ref().map_or(0, |sketch| sketch.count().round() as u64))?;
    }
    dict.set_item("matches", group.matches)?;
    dict.set_item("events", group.events)?;
    dict.set_item("restricted", group.restricted)?;
    let capabilities = PyDict::new(py);
    for (capability, &count) in Capability::ALL.iter().zip(&group.capabilities).filter(|(_, count)| **count > 0) {
        capabilities.set_item(capability.name(), count)?;
    }
    dict.set_item("capabilities", capabilities)?;
    dict.set_item("timeline", PyTuple::new(py, group.timeline().collect::<Vec<_>>())?)?;
    let examples = group.examples.iter().map(|(time, id, account)| (*time, &**id, &**account));
    dict.set_item("examples", PyTuple::new(py, examples.collect::<Vec<_>>())?)?;
    Ok(dict)
}
