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
use ratelimit_guard_host::keeper::Leases;
use ratelimit_guard_host::{mapping::Mapping, store};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Keys of a store when nobody says otherwise: 56 MB of address space, of which only touched pages count.
pub const DEFAULT_CAPACITY: u64 = 1 << 20;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Table {
    table: Arc<table::Table<Mapping>>,
    clock: Arc<AnyClock>,
    path: Option<PathBuf>,
    /// Opened for the first limiter that needs them: their file takes room at once.
    leases: OnceLock<Arc<Leases>>,
}

impl Table {
    fn leases_opened(&self, py: Python<'_>) -> PyResult<Arc<Leases>> {
        if let (None, Some(path)) = (self.leases.get(), &self.path) {
            let ledger = interruptible(py, |interrupted| store::shared_leases(&self.table, path, interrupted))?;
            let leases = Arc::new(Leases::new(self.table.clone(), ledger));
            if let AnyClock::Machine = &*self.clock {
                // What the last process left when it was killed.
                py.detach(|| leases.keep(&*self.clock));
            }
            _ = self.leases.set(leases); // or another thread was first
        }
        Ok(self.leases.get().expect("those of a table in memory are made with it").clone())
    }
}

/// Another process may hold a file's lock for as long as it takes to make what is in it: wait without the interpreter
/// lock, and raise what signals raise meanwhile.
fn interruptible<T: Send>(
    py: Python<'_>,
    open: impl FnOnce(&(dyn Fn() -> Result<(), Error> + Sync)) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let signal = Mutex::new(None);
    let interrupted = || {
        let keep = |raised| {
            *signal.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised);
            Error::store("interrupted")
        };
        Python::attach(|py| py.check_signals()).map_err(keep)
    };
    let opened = py.detach(|| open(&interrupted));
    match signal.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(raised) => Err(raised),
        None => opened.or_raise(py),
    }
}

#[pymethods]
impl Table {
    #[staticmethod]
    #[pyo3(signature = (capacity, clock = None))]
    fn memory(capacity: &Bound<'_, PyAny>, clock: Option<&ManualClock>) -> PyResult<Self> {
        let make = || {
            let table = Arc::new(whole("capacity", MAX_CAPACITY, capacity).and_then(store::memory)?);
            // Before any fork, so that children share it.
            let leases = Arc::new(Leases::new(table.clone(), store::memory_leases(&table)?));
            Ok(Self { table, clock: Arc::new(clock.into()), path: None, leases: OnceLock::from(leases) })
        };
        make().or_raise(capacity.py())
    }

    #[staticmethod]
    #[pyo3(signature = (path, capacity, clock = None))]
    fn shared(path: PathBuf, capacity: &Bound<'_, PyAny>, clock: Option<&ManualClock>) -> PyResult<Self> {
        let py = capacity.py();
        let capacity = whole("capacity", MAX_CAPACITY, capacity).or_raise(py)?;
        let table = interruptible(py, |interrupted| store::shared(&path, capacity, interrupted))?;
        let (table, clock) = (Arc::new(table), Arc::new(clock.into()));
        Ok(Self { table, clock, path: Some(path), leases: OnceLock::new() })
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

    fn leases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // Who only looks makes no ledger, but opens the one that others made.
        let is_there = self.path.as_deref().is_some_and(store::has_leases);
        let leases = if is_there { Some(self.leases_opened(py)?) } else { self.leases.get().cloned() };
        let stats = leases.map(|leases| leases.stats()).unwrap_or_default();
        let dict = PyDict::new(py);
        dict.set_item("live", stats.live)?;
        dict.set_item("reclaimed", stats.reclaimed)?;
        dict.set_item("unlisted", stats.unlisted)?;
        Ok(dict)
    }

    fn keep(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.leases.get().map_or(0, |leases| leases.keep(&*self.clock)))
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
        let leases = limiter.is_metered().then(|| self.leases_opened(namespace.py())).transpose()?;
        Ok(TableLimiter::new(Arc::new(limiter), self.clock.clone(), leases))
    }
}

fn on_full_named(name: &Bound<'_, PyAny>) -> PyResult<OnFull> {
    text("on_full", name).and_then(OnFull::named).or_raise(name.py())
}
