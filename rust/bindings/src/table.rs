//! `Table`: a home for counters.

use crate::clock::{AnyClock, ManualClock};
use crate::error::{OrRaise, exception};
use crate::limiter::TableLimiter;
use crate::quota::Quota;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::limiter::{Limiter, OnFull};
use ratelimit_guard_core::table::{self, Memory};
use ratelimit_guard_core::time::Clock;
use ratelimit_guard_host::{mapping::Mapping, store};
use std::path::PathBuf;
use std::sync::Arc;

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
    fn memory(py: Python<'_>, capacity: i128, clock: Option<&ManualClock>) -> PyResult<Self> {
        let table = checked(capacity).and_then(store::memory).or_raise(py)?;
        Ok(Self { table: Arc::new(table), clock: Arc::new(clock.into()), path: None })
    }

    #[staticmethod]
    #[pyo3(signature = (path, capacity, clock = None))]
    fn shared(py: Python<'_>, path: PathBuf, capacity: i128, clock: Option<&ManualClock>) -> PyResult<Self> {
        let table = checked(capacity).and_then(|capacity| store::shared(&path, capacity)).or_raise(py)?;
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
        let stats = self.table.stats(self.clock.now());
        let dict = PyDict::new(py);
        dict.set_item("cells", stats.cells)?;
        dict.set_item("live", stats.live)?;
        dict.set_item("full_refused", stats.full_refused)?;
        dict.set_item("full_allowed", stats.full_allowed)?;
        Ok(dict)
    }

    #[pyo3(signature = (namespace, policies, on_full = "refuse"))]
    fn limiter(
        &self,
        py: Python<'_>,
        namespace: &str,
        policies: Vec<(String, PyRef<'_, Quota>)>,
        on_full: &str,
    ) -> PyResult<TableLimiter> {
        let on_full = match on_full {
            "refuse" => OnFull::Refuse,
            "allow" => OnFull::Allow,
            _ => {
                return Err(exception(py, &Error::config(format!("on_full must be refuse or allow, got {on_full:?}"))));
            }
        };
        let policies: Vec<_> = policies.into_iter().map(|(name, quota)| (name, quota.0)).collect();
        let limiter = Limiter::new(self.table.clone(), namespace, &policies, on_full).or_raise(py)?;
        Ok(TableLimiter::new(Arc::new(limiter), self.clock.clone()))
    }
}

fn checked(capacity: i128) -> Result<u64, Error> {
    u64::try_from(capacity).map_err(|_| Error::config(format!("capacity must be at least 1, got {capacity}")))
}
