//! `Leases`: a table's ledger, and in each process a thread that keeps the process's own leases and takes back those of
//! dead ones.
//!
//! The thread is started by a process's first reservation, again in a forked child, and needs no lock of Python's. It holds
//! nothing but a weak reference while it rests, so it ends with the table and keeps nobody from exiting.

use crate::clock::Monotonic;
use crate::mapping::Mapping;
use crate::process;
use ratelimit_guard_core::lease::ledger::{Ledger, Stats};
use ratelimit_guard_core::lease::line::Owner;
use ratelimit_guard_core::reservation::Reservation;
use ratelimit_guard_core::table::Table;
use ratelimit_guard_core::time::Clock;
use std::collections::HashMap;
use std::iter::successors;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{Builder, Thread};
use std::time::Duration;

/// How often a keeper makes its round: what a killed process held is back after so long.
const ROUND: Duration = Duration::from_secs(1);
/// Its stack: a round needs a few kilobytes.
const STACK: usize = 128 * 1024;

/// A reservation that its owner and a keeper change in turn.
pub type Kept = Mutex<Reservation<Mapping>>;

/// The leases of a table.
pub struct Leases {
    table: Arc<Table<Mapping>>,
    ledger: Arc<Ledger<Mapping>>,
    first: Own,
}

/// What one process holds of a table's leases.
///
/// A forked child has a copy whose lock a thread may have held that the fork left behind; it gets one of its own behind
/// it. Python forks with the interpreter lock held, so no other thread is then about to make one.
pub struct Own {
    process: u32,
    owner: Owner,
    held: Mutex<Held>,
    keeper: OnceLock<Thread>,
    child: OnceLock<Box<Own>>,
}

#[derive(Default)]
struct Held {
    next: u64,
    kept: HashMap<u64, Weak<Kept>>,
}

impl Leases {
    /// Those of a table.
    pub fn new(table: Arc<Table<Mapping>>, ledger: Ledger<Mapping>) -> Self {
        Self { table, ledger: Arc::new(ledger), first: Own::new() }
    }

    /// Where reservations are listed.
    pub fn ledger(&self) -> &Arc<Ledger<Mapping>> {
        &self.ledger
    }

    /// What its counters say.
    pub fn stats(&self) -> Stats {
        self.ledger.stats()
    }

    /// Forget the reservation that a process enlisted under this number.
    pub fn strike(&self, process: u32, number: u64) {
        if let Some(own) = self.known(process) {
            own.held().kept.remove(&number);
        }
    }

    /// One round: renew this process's own leases, then take back those of dead owners; how many entries.
    pub fn keep(&self, clock: &impl Clock) -> u64 {
        let own = self.own();
        let kept: Vec<_> = own.held().kept.values().filter_map(Weak::upgrade).collect();
        for reservation in kept {
            reservation.lock().unwrap_or_else(PoisonError::into_inner).keep(clock.now());
        }
        self.ledger.reclaim(&self.table, own.owner, |other| process::is_dead(own.owner, other), clock)
    }

    /// Make a round every second from now on, in a thread of this process. When none can be had, the next call tries
    /// again.
    pub fn watch(self: &Arc<Self>, own: &Own) {
        if own.keeper.get().is_some() {
            return;
        }
        let leases = Arc::downgrade(self);
        let keeper = Builder::new().name("ratelimit-guard".into()).stack_size(STACK).spawn(move || watch(&leases));
        if let Ok(keeper) = keeper {
            _ = own.keeper.set(keeper.thread().clone());
        }
    }

    /// What this process holds.
    pub fn own(&self) -> &Own {
        let number = process::number();
        let mut own = &self.first;
        while own.process != number {
            own = own.child.get_or_init(|| Box::new(Own::new()));
        }
        own
    }

    fn known(&self, process: u32) -> Option<&Own> {
        let mut owns = successors(Some(&self.first), |own| own.child.get().map(|own| &**own));
        owns.find(|own| own.process == process)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        if let Some(keeper) = self.known(process::number()).and_then(|own| own.keeper.get()) {
            keeper.unpark();
        }
    }
}

impl Own {
    fn new() -> Self {
        let (keeper, child) = (OnceLock::new(), OnceLock::new());
        Self { process: process::number(), owner: process::this(), held: Mutex::default(), keeper, child }
    }

    /// The process, by its number.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// The process, as the ledger names it.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Renew the leases of a reservation until it is struck out.
    pub fn enlist(&self, kept: &Arc<Kept>) -> u64 {
        let mut held = self.held();
        held.next += 1;
        let number = held.next;
        held.kept.insert(number, Arc::downgrade(kept));
        number
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(leases: &Weak<Leases>) {
    loop {
        std::thread::park_timeout(ROUND);
        let Some(leases) = leases.upgrade() else { break };
        // What brings one round down must not end all of them.
        _ = catch_unwind(AssertUnwindSafe(|| leases.keep(&Monotonic)));
    }
}
