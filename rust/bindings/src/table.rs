//! `Table`: a home for counters.

use crate::arguments::{text, whole};
use crate::clock::{AnyClock, ManualClock};
use crate::error::OrRaise;
use crate::limiter::TableLimiter;
use crate::quota::Quota;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::layout::MAX_CAPACITY;
use ratelimit_guard_core::limiter::{Limiter, OnFull};
use ratelimit_guard_core::table::{self, Memory};
use ratelimit_guard_core::time::Clock;
use ratelimit_guard_host::{mapping::Mapping, store};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys of a store when nobody says otherwise: 56 MB of address space, of which only touched pages count.
pub const DEFAULT_CAPACITY: u64 = 1 << 20;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Table {
    table: Arc<table::Table<Mapping>>,
    clock: Arc<AnyClock>,
    path: Option<PathBuf>,
}

#[pymethods]
impl Table {
    #[staticmethod]
    #[pyo3(signature = (capacity, clock = None))]
    fn memory(capacity: &Bound<'_, PyAny>, clock: Option<&ManualClock>) -> PyResult<Self> {
        let table = whole("capacity", MAX_CAPACITY, capacity).and_then(store::memory).or_raise(capacity.py())?;
        Ok(Self { table: Arc::new(table), clock: Arc::new(clock.into()), path: None })
    }

    #[staticmethod]
    #[pyo3(signature = (path, capacity, clock = None))]
    fn shared(path: PathBuf, capacity: &Bound<'_, PyAny>, clock: Option<&ManualClock>) -> PyResult<Self> {
        let py = capacity.py();
        let capacity = whole("capacity", MAX_CAPACITY, capacity).or_raise(py)?;
        // Another process may hold the file's lock for as long as it takes to make a table.
        let signal = Mutex::new(None);
        let interrupted = || {
            let keep = |raised| {
                *signal.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised);
                Error::store("interrupted")
            };
            Python::attach(|py| py.check_signals()).map_err(keep)
        };
        let opened = py.detach(|| store::shared(&path, capacity, interrupted));
        if let Some(raised) = signal.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(raised);
        }
        let table = opened.or_raise(py)?;
        Ok(Self { table: Arc::new(table), clock: Arc::new(clock.into()), path: Some(path) })
    }

    #[getter]
    fn capacity(&self) -> u64 {
        self.table.capacity()
    }
    #[getter]
    fn size_bytes(&self) -> usize {
        self.table.memory().words().len() * 8
    }
    #[getter]
    fn path(&self) -> Option<String> {
        self.path.as_ref().map(|path| path.to_string_lossy().into_owned())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = py.detach(|| self.table.stats(self.clock.now()));
        let dict = PyDict::new(py);
        dict.set_item("cells", stats.cells)?;
        dict.set_item("live", stats.live)?;
        dict.set_item("full_refused", stats.full_refused)?;
        dict.set_item("full_allowed", stats.full_allowed)?;
        Ok(dict)
    }

    #[pyo3(
        signature = (namespace, policies, on_full = OnFull::Refuse),
        text_signature = "($self, namespace, policies, on_full='refuse')",
    )]
    fn limiter(
        &self,
        namespace: &Bound<'_, PyAny>,
        policies: Vec<(Bound<'_, PyAny>, PyRef<'_, Quota>)>,
        #[pyo3(from_py_with = on_full_named)] on_full: OnFull,
    ) -> PyResult<TableLimiter> {
        let bind = || {
            let named = policies.iter().map(|(name, quota)| Ok((text("policy name", name)?.to_owned(), quota.0)));
            let policies: Vec<_> = named.collect::<Result<_, Error>>()?;
            Limiter::new(self.table.clone(), text("namespace", namespace)?, &policies, on_full)
        };
        let limiter = bind().or_raise(namespace.py())?;
        Ok(TableLimiter::new(Arc::new(limiter), self.clock.clone()))
    }
}

fn on_full_named(name: &Bound<'_, PyAny>) -> PyResult<OnFull> {
    text("on_full", name).and_then(OnFull::named).or_raise(name.py())
}
