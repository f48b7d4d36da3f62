//! `RemotePolicies` and `RemoteBatch`: questions to a server's script, and its answers as results.

use crate::arguments::{Cost, Tokens, text, with_key};
use crate::error::{OrRaise, exception};
use crate::quota::Quota;
use crate::result::{LimitResult, PolicyName};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Digest;
use ratelimit_guard_core::limiter::Outcome;
use ratelimit_guard_core::remote::policies::{digest, tag_of};
use ratelimit_guard_core::remote::{Answered, Call, Due, Gate, Policies, Program, Receipt};
use ratelimit_guard_core::rule::Answer;
use ratelimit_guard_core::time::Nanos;
use std::collections::BTreeMap;
use std::sync::Arc;

#[pyclass(frozen, weakref, module = "ratelimit_guard._core.remote")]
pub struct RemotePolicies {
    policies: Arc<Policies>,
    names: Arc<[PolicyName]>,
}

impl RemotePolicies {
    fn over(policies: Policies) -> Self {
        let name = |entry: &ratelimit_guard_core::remote::policies::Entry| {
            PolicyName::new(entry.name.clone(), entry.quota.unit())
        };
        let names = policies.entries().iter().map(name).collect();
        Self { policies: Arc::new(policies), names }
    }

    fn digests(&self, keys: &Bound<'_, PyAny>) -> PyResult<Vec<Digest>> {
        match keys.cast::<PyTuple>() {
            Ok(keys) => keys.iter().map(|key| with_key(&key, digest)).collect(),
            Err(_) => Ok(vec![with_key(keys, digest)?; self.policies.entries().len()]),
        }
    }
}

#[pymethods]
impl RemotePolicies {
    #[new]
    fn new(namespace: &Bound<'_, PyAny>, policies: Vec<(String, PyRef<'_, Quota>)>) -> PyResult<Self> {
        let policies: Vec<_> = policies.into_iter().map(|(name, quota)| (name, quota.0)).collect();
        let bind = || Policies::new(text("namespace", namespace)?, &policies).map(Self::over);
        bind().or_raise(namespace.py())
    }

    #[getter]
    fn prefix(&self) -> &str {
        self.policies.prefix()
    }

    /// Which of them are metered, count slots, …: their units.
    #[getter]
    fn units(&self) -> Vec<&'static str> {
        self.policies.entries().iter().map(|entry| entry.quota.unit().name()).collect()
    }

    fn subset(&self, indices: Vec<usize>) -> Self {
        Self::over(self.policies.subset(&indices))
    }

    fn registrations(&self) -> Vec<(String, String)> {
        self.policies.entries().iter().map(|entry| entry.registration()).collect()
    }

    fn set_stamps(&self, stamps: Vec<u64>) {
        self.policies.entries().iter().zip(stamps).for_each(|(entry, stamp)| entry.set_stamp(stamp));
    }

    /// The policies whose counters share a hash tag, in the order in which they are to be charged.
    fn groups(&self, keys: &Bound<'_, PyTuple>) -> PyResult<Vec<(u64, Vec<usize>)>> {
        let mut groups: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
        let mut ranks: BTreeMap<u64, usize> = BTreeMap::new();
        let mut tags = Vec::with_capacity(keys.len());
        for key in keys.iter() {
            let (tag, rank) = with_key(&key, |key| Ok((tag_of(digest(key)?), rank(key))))?;
            let first = ranks.entry(tag).or_insert(rank);
            *first = rank.min(*first);
            tags.push(tag);
        }
        for (index, tag) in tags.into_iter().enumerate() {
            groups.entry((ranks[&tag], tag)).or_default().push(index);
        }
        Ok(groups.into_iter().map(|((_, tag), indices)| (tag, indices)).collect())
    }

    #[staticmethod]
    fn tag(key: &Bound<'_, PyAny>) -> PyResult<u64> {
        with_key(key, |key| Ok(tag_of(digest(key)?)))
    }

    /// One result of the answers of parts: of each the indices and a result, or True (let pass uncounted) or False
    /// (refused for `wait_s`).
    fn merge(&self, py: Python<'_>, parts: Vec<(Vec<usize>, Bound<'_, PyAny>)>, wait_s: f64) -> PyResult<LimitResult> {
        let wait = Nanos((wait_s.clamp(0.0, 1e9) * 1e9) as u64);
        let entries = self.policies.entries();
        let mut answers: Vec<Option<Answer>> = vec![None; entries.len()];
        for (indices, given) in parts {
            let found = given.cast::<LimitResult>().ok().map(|result| result.get().answers().to_vec());
            let passes = if found.is_none() { given.extract::<bool>()? } else { false };
            for (place, index) in indices.into_iter().enumerate() {
                let of = |entry: &ratelimit_guard_core::remote::policies::Entry| {
                    entry.uncounted(if passes { None } else { Some(wait) })
                };
                let answer = match &found {
                    Some(found) => found.get(place).copied(),
                    None => entries.get(index).map(of),
                };
                if let (Some(slot), Some(answer)) = (answers.get_mut(index), answer) {
                    *slot = Some(answer);
                }
            }
        }
        let missing = || exception(py, &Error::usage("every policy needs an answer"));
        let answers: Box<[Answer]> = answers.into_iter().collect::<Option<_>>().ok_or_else(missing)?;
        Ok(LimitResult::new(Outcome::of(answers), &self.names))
    }
}

/// Shared by the most first: what everybody draws on is the likeliest to refuse.
fn rank(key: &[u8]) -> usize {
    const ORDER: [&[u8]; 8] =
        [b"global:", b"route:", b"model:", b"campaign:", b"tenant:", b"account:", b"address:", b""];
    ORDER.iter().position(|begin| key.starts_with(begin)).unwrap_or(ORDER.len())
}

#[pyclass(module = "ratelimit_guard._core.remote")]
#[derive(Default)]
pub struct RemoteBatch {
    program: Program,
    names: Vec<Arc<[PolicyName]>>,
}

impl RemoteBatch {
    fn asked(&mut self, policies: &Bound<'_, RemotePolicies>) {
        self.names.push(policies.get().names.clone());
    }
}

fn gate_of(gate: u8) -> Gate {
    match gate {
        1 => Gate::Opens,
        2 => Gate::Behind,
        _ => Gate::None,
    }
}

#[pymethods]
impl RemoteBatch {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __len__(&self) -> usize {
        self.program.len()
    }

    #[getter]
    fn counters(&self) -> usize {
        self.program.counters()
    }

    #[pyo3(
        signature = (policies, keys, cost = Cost(1), gate = 0, receipts = false, extra = 0),
        text_signature = "($self, policies, keys, cost=1, gate=0, receipts=False, extra=0)",
    )]
    fn acquire(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        keys: &Bound<'_, PyAny>,
        cost: Cost,
        gate: u8,
        receipts: bool,
        extra: u64,
    ) -> PyResult<()> {
        let bound = policies.get();
        let digests = bound.digests(keys)?;
        let asked = self.program.charge(&bound.policies, &digests, cost.0, extra, gate_of(gate), receipts);
        asked.or_raise(policies.py())?;
        self.asked(policies);
        Ok(())
    }

    #[pyo3(signature = (policies, keys, cost = Cost(1)), text_signature = "($self, policies, keys, cost=1)")]
    fn peek(&mut self, policies: &Bound<'_, RemotePolicies>, keys: &Bound<'_, PyAny>, cost: Cost) -> PyResult<()> {
        let bound = policies.get();
        let digests = bound.digests(keys)?;
        self.program.peek(&bound.policies, &digests, cost.0).or_raise(policies.py())?;
        self.asked(policies);
        Ok(())
    }

    fn reset(&mut self, policies: &Bound<'_, RemotePolicies>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let key = with_key(key, digest)?;
        self.program.reset(&policies.get().policies, key);
        self.asked(policies);
        Ok(())
    }

    /// Gives what is paid of each policy besides output.
    #[pyo3(signature = (
        policies, keys, units, input_tokens, output_tokens, *, surely, least, firm, account, number, lease_us, gate = 0
    ))]
    #[allow(clippy::too_many_arguments)] // as many as Python passes
    fn reserve(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        keys: &Bound<'_, PyTuple>,
        units: Cost,
        input_tokens: Tokens,
        output_tokens: Tokens,
        surely: Tokens,
        least: Tokens,
        firm: bool,
        account: Option<&Bound<'_, PyAny>>,
        number: u64,
        lease_us: u64,
        gate: u8,
    ) -> PyResult<Vec<u64>> {
        let bound = policies.get();
        let digests = bound.digests(keys)?;
        let hash = |account| with_key(account, digest);
        // Half of the bits: a server's Lua holds 53 of a number.
        let account = account.map(hash).transpose()?.map_or(0, |digest| (digest.0[0] >> 12).max(1));
        let (units, input, output) = (units.0, input_tokens.0, output_tokens.0);
        let call =
            Call { units, input, surely: surely.0, output, least: least.0, firm, account, id: number, lease: lease_us };
        let fixed = self.program.reserve(&bound.policies, &digests, &call, gate_of(gate)).or_raise(policies.py())?;
        self.asked(policies);
        Ok(fixed)
    }

    #[allow(clippy::too_many_arguments)]
    fn top_up(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        keys: &Bound<'_, PyTuple>,
        missing: Tokens,
        more: Tokens,
        firm: bool,
        number: u64,
        lease_us: u64,
    ) -> PyResult<()> {
        let bound = policies.get();
        let digests = bound.digests(keys)?;
        let call = Call { firm, id: number, lease: lease_us, ..Call::default() };
        self.program.top_up(&bound.policies, &digests, &call, missing.0, more.0);
        self.asked(policies);
        Ok(())
    }

    fn charge_more(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        keys: &Bound<'_, PyTuple>,
        units: Cost,
    ) -> PyResult<()> {
        let bound = policies.get();
        let digests = bound.digests(keys)?;
        self.program.charge_more(&bound.policies, &digests, units.0);
        self.asked(policies);
        Ok(())
    }

    /// `dues`: index, reservation, units listed, units to take, and receipts to give back.
    #[allow(clippy::type_complexity)] // rows, as Python passes them
    fn settle(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        keys: &Bound<'_, PyAny>,
        dues: Vec<(usize, u64, u64, Tokens, Vec<(u64, u64, u64)>)>,
    ) -> PyResult<()> {
        let bound = policies.get();
        let digests = bound.digests(keys)?;
        let due = |(index, id, listed, debit, back): (usize, u64, u64, Tokens, Vec<(u64, u64, u64)>)| {
            (index, Due { id, listed, debit: debit.0, back })
        };
        let dues: Vec<_> = dues.into_iter().map(due).collect();
        if dues.iter().any(|(index, _)| *index >= digests.len()) {
            return Err(exception(policies.py(), &Error::usage("there is no policy of that index")));
        }
        self.program.settle(&bound.policies, &digests, &dues);
        self.asked(policies);
        Ok(())
    }

    fn renew(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        index: usize,
        key: &Bound<'_, PyAny>,
        mark: u64,
        born: u64,
    ) -> PyResult<()> {
        let key = with_key(key, digest)?;
        self.program.renew(&policies.get().policies, index, key, mark, born);
        self.asked(policies);
        Ok(())
    }

    fn beat(
        &mut self,
        policies: &Bound<'_, RemotePolicies>,
        index: usize,
        key: &Bound<'_, PyAny>,
        number: u64,
        lease_us: u64,
    ) -> PyResult<()> {
        let key = with_key(key, digest)?;
        self.program.beat(&policies.get().policies, index, key, number, lease_us);
        self.asked(policies);
        Ok(())
    }

    /// The script's keys and its argument.
    fn arguments<'py>(
        &self,
        py: Python<'py>,
        now_us: u64,
        nonce: u64,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyBytes>)> {
        let (keys, argument) = self.program.arguments(now_us, nonce);
        let keys = PyList::new(py, keys.map(|key| PyBytes::new(py, key.as_bytes())).collect::<Vec<_>>())?;
        Ok((keys, PyBytes::new(py, &argument)))
    }

    /// The answers: a result; with receipts (result, output, receipts); a bool; a renewal's mark or None; None for what
    /// was not done behind a closed gate; `NotImplemented` where a key holds what is not ours. And how many
    /// reservations were taken back.
    fn read<'py>(&self, py: Python<'py>, reply: &Bound<'py, PyBytes>) -> PyResult<(Bound<'py, PyList>, u64)> {
        let reply = self.program.read(reply.as_bytes()).or_raise(py)?;
        let rows = reply.answers.into_iter().zip(&self.names);
        let answers = rows.map(|(answer, names)| told(py, answer, names)).collect::<PyResult<Vec<_>>>()?;
        Ok((PyList::new(py, answers)?, reply.reclaimed))
    }
}

fn told<'py>(py: Python<'py>, answer: Answered, names: &Arc<[PolicyName]>) -> PyResult<Bound<'py, PyAny>> {
    match answer {
        Answered::Told(outcome) => LimitResult::new(outcome, names).into_bound_py_any(py),
        Answered::Charged(outcome, 0, receipts) if receipts.is_empty() => {
            LimitResult::new(outcome, names).into_bound_py_any(py)
        }
        Answered::Charged(outcome, output, receipts) => {
            let row = |Receipt { units, mark, born }: Receipt| (units, mark, born);
            let receipts: Vec<_> = receipts.into_iter().map(row).collect();
            (LimitResult::new(outcome, names), output, receipts).into_bound_py_any(py)
        }
        Answered::Skipped => Ok(py.None().into_bound(py)),
        Answered::Damaged => Ok(py.NotImplemented().into_bound(py)),
        Answered::Flag(flag) => flag.into_bound_py_any(py),
        Answered::Renewed(mark) => mark.into_bound_py_any(py),
    }
}

/// A result as it stands so much later, with so many units more that are free.
#[pyfunction]
#[pyo3(signature = (result, seconds, spare = 0))]
fn aged(result: &Bound<'_, LimitResult>, seconds: f64, spare: u64) -> LimitResult {
    result.get().aged(Nanos((seconds.clamp(0.0, 1e9) * 1e9) as u64), spare)
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "remote")?;
    module.add_class::<RemotePolicies>()?;
    module.add_class::<RemoteBatch>()?;
    module.add_function(wrap_pyfunction!(aged, &module)?)?;
    module.add("TAGS", ratelimit_guard_core::remote::TAGS)?;
    module.add("PREFIX", ratelimit_guard_core::remote::policies::PREFIX)?;
    Ok(module)
}
