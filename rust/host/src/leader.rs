//! The elected process: takes observations out of the ring, keeps them in a journal, folds them, and saves the state.
//!
//! Which process it is a lock decides that the kernel frees when its holder dies. Each process has a thread that tries
//! for it ten times a second. Whoever gets it reads the saved state, and the journal for what came after; so a
//! death costs nothing that was taken out of the ring, and what waits in the ring waits on.
//!
//! Where another host judges for all, the elected process does not fold but hands on what waits ([`crate::exchange`]).

use crate::file;
use crate::intake::Intake;
use crate::journal::Journal;
use crate::mapping::Mapping;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::live::area::Area;
use ratelimit_guard_core::live::fold::Folder;
use ratelimit_guard_core::live::record::Record;
use ratelimit_guard_core::live::saved::{Mark, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How often a process that is not elected tries.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// How long the elected one rests when there is nothing to do. Verdicts are older by so much at most.
const REST: Duration = Duration::from_millis(5);
/// Records taken at a time.
const BATCH: usize = 256;
/// Seconds between two times that the state is saved.
const SAVE_EVERY: Duration = Duration::from_secs(30);
/// Bytes of journal from which the state is saved earlier: reading them again takes half a second.
const JOURNAL_BYTES: u64 = 32 << 20;
/// What failed is tried again after so long at the earliest.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The same for one that was just elected: some two thousand observations.
const REREAD_BYTES: u64 = 1 << 20;

/// What a process needs to lead.
pub struct Post {
    /// What is shared.
    pub area: Arc<Area<Mapping>>,
    /// The lock.
    pub seat: PathBuf,
    /// Where the state is kept; a journal lies beside it.
    pub state: PathBuf,
    /// Makes a folder that has seen nothing.
    pub make: Box<dyn Fn() -> Folder + Send + Sync>,
    /// True: another host judges, and observations wait to be handed on.
    pub forwards: Arc<AtomicBool>,
}

/// A process's thread, and what it has to say.
pub struct Leader {
    term: Arc<Term>,
    thread: Option<JoinHandle<()>>,
    /// The process that started it.
    process: u32,
}

impl Leader {
    /// Begin to try.
    pub fn start(post: Post) -> Result<Self, Error> {
        let term = Arc::new(Term {
            post,
            stop: AtomicBool::new(false),
            is_elected: AtomicBool::new(false),
            intake: Mutex::default(),
            troubles: Mutex::default(),
        });
        let runs = term.clone();
        let thread = Builder::new().name("ratelimit-guard".into()).spawn(move || runs.run());
        let thread = thread.map_err(|why| Error::store(format!("no thread for the detector: {why}")))?;
        Ok(Self { term, thread: Some(thread), process: std::process::id() })
    }

    /// What went wrong since the last call, for the operator.
    pub fn troubles(&self) -> Vec<String> {
        std::mem::take(&mut *self.term.troubles.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What this process may do by hand while it is elected.
    pub fn hand(&self) -> Hand {
        Hand { term: self.term.clone(), process: self.process }
    }

    /// Save the state if this process leads, and let another one try.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.process != std::process::id() {
            // A fork has the handle and not the thread: its number may be that of a thread of the fork's own.
            return std::mem::forget(thread);
        }
        self.term.stop.store(true, SeqCst);
        thread.thread().unpark();
        _ = thread.join();
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The elected process's hand on what is shared, while its thread does not fold: see [`crate::exchange`].
#[derive(Clone)]
pub struct Hand {
    term: Arc<Term>,
    process: u32,
}

impl Hand {
    /// Has this process the lock?
    pub fn is_elected(&self) -> bool {
        self.process == std::process::id() && self.term.is_elected.load(SeqCst)
    }

    /// What is shared, and where the state is kept.
    pub fn post(&self) -> &Post {
        &self.term.post
    }

    /// The way into the ring, if this process is elected, hands observations on, and does not fold any longer.
    pub fn intake(&self) -> Option<MutexGuard<'_, Intake>> {
        let is_due = self.is_elected() && self.term.forwards();
        is_due.then(|| self.term.intake.try_lock().ok()).flatten()
    }
}

struct Term {
    post: Post,
    stop: AtomicBool,
    is_elected: AtomicBool,
    /// Who has this reads the ring.
    intake: Mutex<Intake>,
    troubles: Mutex<Vec<String>>,
}

impl Term {
    fn run(&self) {
        while !self.stop.load(SeqCst) {
            match file::try_seat(&self.post.seat) {
                // What brings this one down must not end the thread: nobody would hear of it.
                Ok(Some(_seat)) => {
                    self.is_elected.store(true, SeqCst);
                    let led = catch_unwind(AssertUnwindSafe(|| self.lead()));
                    self.is_elected.store(false, SeqCst);
                    if led.is_err() {
                        self.trouble(&Error::store("the detector broke down and begins anew: please report this"));
                        std::thread::park_timeout(TRY_AGAIN);
                    }
                }
                Ok(None) => {}
                Err(why) => self.trouble(&why),
            }
            std::thread::park_timeout(TRY_EVERY);
        }
    }

    fn lead(&self) {
        while !self.stop.load(SeqCst) {
            if self.forwards() {
                self.post.area.leader().store(u64::from(std::process::id()), SeqCst);
                std::thread::park_timeout(REST);
            } else {
                self.fold();
            }
        }
    }

    fn forwards(&self) -> bool {
        self.post.forwards.load(SeqCst)
    }

    fn fold(&self) {
        let _intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner);
        let mut desk = Desk::open(&self.post, |why| self.trouble(why));
        self.post.area.terms().fetch_add(1, SeqCst);
        self.post.area.leader().store(u64::from(std::process::id()), SeqCst);
        desk.folder.tell_all(&self.post.area);
        if desk.is_journal_long() {
            // Or a process that dies again and again would leave more to read each time.
            desk.save(|why| self.trouble(why));
        }
        while !self.stop.load(SeqCst) && !self.forwards() {
            let taken = desk.take(|why| self.trouble(why));
            if desk.is_save_due() {
                desk.save(|why| self.trouble(why));
            }
            if taken == 0 {
                std::thread::park_timeout(REST);
            }
        }
        // What waits now: others may go on telling.
        let end = desk.intake.position + self.post.area.ring().waiting();
        while desk.intake.position < end && desk.take(|why| self.trouble(why)) > 0 {}
        desk.save(|why| self.trouble(why));
    }

    /// At most a few are kept, of one kind one.
    fn trouble(&self, why: &Error) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let text = why.to_string();
        if troubles.len() < 16 && !troubles.contains(&text) {
            troubles.push(text);
        }
    }
}

/// What the elected process works with.
struct Desk<'p> {
    post: &'p Post,
    folder: Folder,
    journal: Option<Journal>,
    intake: Intake,
    saved_at: Instant,
    folded: u64,
    is_asked: bool,
    batch: Vec<(u64, Vec<u64>)>,
}

impl<'p> Desk<'p> {
    fn open(post: &'p Post, trouble: impl Fn(&Error)) -> Self {
        let area = &post.area;
        let mut folder = (post.make)();
        let mut since = 0;
        match read_state(&post.state, area, &mut folder) {
            Ok(position) => since = position,
            Err(why) => trouble(&why),
        }
        let path = journal_path(&post.state);
        let journal = Journal::open(&path, area.id(), |position, words| {
            if position > since
                && let Some(record) = Record::read(words)
            {
                fold(&mut folder, area, &record, &trouble);
                since = position;
            }
        });
        let journal = journal.map_err(|why| trouble(&at(&path)(why))).ok();
        let intake = Intake::at(area.ring().read_up_to().max(since));
        Self { post, folder, journal, intake, saved_at: Instant::now(), folded: 0, is_asked: false, batch: Vec::new() }
    }

    /// Take what waits, and fold it. How many records that were.
    fn take(&mut self, trouble: impl Fn(&Error)) -> usize {
        let area = &self.post.area;
        while self.batch.len() < BATCH
            && let Some(record) = self.intake.next(area.ring())
        {
            self.batch.push(record);
        }
        // A record is given up to be written over only when the journal has it.
        if let Some(journal) = &mut self.journal
            && !self.batch.is_empty()
            && let Err(why) = journal.append(&self.batch)
        {
            trouble(&why);
            self.journal = None;
        }
        area.ring().advance(self.intake.position);
        for (_, words) in &self.batch {
            let Some(record) = Record::read(words) else { continue };
            self.is_asked |= matches!(record, Record::Save | Record::ReleaseAccount(_) | Record::ReleaseCampaign(_));
            fold(&mut self.folder, area, &record, &trouble);
        }
        self.folded += self.batch.len() as u64;
        std::mem::take(&mut self.batch).len()
    }

    fn is_journal_long(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.len() >= REREAD_BYTES)
    }

    fn is_save_due(&self) -> bool {
        let is_long = self.journal.as_ref().is_some_and(|journal| journal.len() >= JOURNAL_BYTES);
        let wait = if is_long { TRY_AGAIN } else { SAVE_EVERY };
        self.is_asked || self.folded > 0 && self.saved_at.elapsed() >= wait
    }

    fn save(&mut self, trouble: impl Fn(&Error)) {
        let area = &self.post.area;
        (self.saved_at, self.folded, self.is_asked) = (Instant::now(), 0, false);
        let mark = Mark { area: area.id(), position: self.intake.position, secret: area.seed().0 };
        let state = State::bytes(&self.folder, mark);
        let saved = state.and_then(|bytes| file::replace(&self.post.state, &bytes).map_err(at(&self.post.state)));
        if let Err(why) = saved {
            // The journal still has all since the last time.
            return trouble(&why);
        }
        area.saved().fetch_add(1, SeqCst);
        area.saved_up_to().store(self.intake.position, SeqCst);
        let path = journal_path(&self.post.state);
        let open = || Journal::open(&path, area.id(), |_, _| {});
        let journal = self.journal.take().map_or_else(open, Ok);
        let cleared = journal.and_then(|mut journal| journal.clear().map(|()| journal));
        self.journal = cleared.map_err(|why| trouble(&at(&path)(why))).ok();
    }
}

/// A record that brings the engine down is passed over: it must not bring down every process that takes over.
fn fold(folder: &mut Folder, area: &Area<Mapping>, record: &Record, trouble: &impl Fn(&Error)) {
    if catch_unwind(AssertUnwindSafe(|| folder.fold(area, record))).is_err() {
        trouble(&Error::store("a request could not be judged and was passed over: please report this"));
    }
}

/// Read the saved state into a folder; up to where in the ring it goes.
fn read_state(path: &Path, area: &Area<Mapping>, folder: &mut Folder) -> Result<u64, Error> {
    match file::read(path).map_err(at(path))? {
        Some(bytes) => State::read(&bytes)?.restore(folder, area.id(), area.seed()),
        None => Ok(0),
    }
}

/// Which file it was.
fn at(path: &Path) -> impl Fn(Error) -> Error {
    move |why| Error::store(format!("{path:?}: {why}"))
}

pub(crate) fn journal_path(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".journal");
    name.into()
}
