//! `Findings`: a saved state, for people.

use crate::audit::{campaign_rows, convicted, row, tallies};
use crate::detector::by_name;
use crate::error::OrRaise;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use ratelimit_guard_core::audit::judge::Judge;
use ratelimit_guard_core::audit::ledger::Tally;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::live::saved::State;
use ratelimit_guard_host::file;
use std::path::PathBuf;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Findings {
    judge: Judge,
}

#[pymethods]
impl Findings {
    #[new]
    fn new(py: Python<'_>, state: PathBuf) -> PyResult<Self> {
        let read = || {
            let bytes = file::read(&state)?;
            let bytes = bytes.ok_or_else(|| Error::store(format!("{state:?}: nothing was saved yet")))?;
            Ok(Self { judge: State::read(&bytes)?.into_judge() })
        };
        py.detach(read).or_raise(py)
    }

    fn campaigns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        campaign_rows(py, &convicted(&self.judge))
    }

    fn accounts<'py>(&self, py: Python<'py>, start: usize, end: usize) -> PyResult<Bound<'py, PyList>> {
        let rows = tallies(&self.judge, start, end).iter().map(|tally| row(py, tally)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, rows)
    }

    fn __len__(&self) -> usize {
        self.judge.ledger.tallies().len()
    }

    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        by_name(py, self.judge.detector.thresholds())
    }

    #[getter]
    fn span(&self) -> Option<(f64, f64)> {
        let tallies = || self.judge.ledger.tallies().iter();
        let first = tallies().map(|tally: &Tally| tally.first).min_by(f64::total_cmp)?;
        Some((first, tallies().map(|tally| tally.last).max_by(f64::total_cmp)?))
    }
}
