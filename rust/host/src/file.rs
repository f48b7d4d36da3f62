//! A shared file, a table, its leases or a detector's area: whom it may belong to, how it comes into being, and when it is worthless.
//!
//! It is made under another name and renamed when complete, so nobody ever sees half a table; a lock on a file beside
//! it lets one process at a time look and make. Directory 0700 and file 0600 of our own user, no symlinks: another user
//! could otherwise shorten it under us or read the seed.

use crate::host;
use crate::mapping::Mapping;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::layout::WORDS_HOST;
use ratelimit_guard_core::table::Memory;
use rustix::fs::{FallocateFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::fs::{fallocate, fcntl_lock, flock, fstat, fstatfs, ftruncate, lstat, open, rename, unlink};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, PoisonError};

/// After a table's path: the file whose lock lets one process look and make. No table may be called so.
pub const LOCK_SUFFIX: &str = ".ratelimit-guard-lock";
/// After a table's path: a table not yet complete. No table may be called so.
pub const UNFINISHED_SUFFIX: &str = ".ratelimit-guard-new";
/// After a table's path: what its detector shares. No table may be called so.
pub const AREA_SUFFIX: &str = ".ratelimit-guard-detector";
/// After a table's path: what its reservations in flight hold. No table may be called so.
pub const LEASES_SUFFIX: &str = ".ratelimit-guard-leases";
/// After an area's path: the lock of the process that folds.
pub const SEAT_SUFFIX: &str = ".leader";
/// After an area's path: what that process saved. A journal lies beside it.
pub const STATE_SUFFIX: &str = ".state";
/// What Linux calls the type of a file system in memory (statfs(2)).
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Room is reserved by so much at a time: a signal ends a reservation and undoes it, and a timer must not end them all.
const PIECE: u64 = 1 << 20;

/// What may be in a file.
pub trait Layout {
    /// What is made of its memory.
    type Made;
    /// Words of a new one.
    fn words(&self) -> usize;
    /// Make one of zeroed memory.
    fn format(&self, memory: Mapping) -> Result<Self::Made, Error>;
    /// Recognise one.
    fn open(&self, memory: Mapping) -> Result<Self::Made, Error>;
    /// The memory of one.
    fn memory<'m>(&self, made: &'m Self::Made) -> &'m Mapping;
    /// False: what one belonged to is no more, so it is worthless.
    fn is_current(&self, _made: &Self::Made) -> bool {
        true
    }
}

/// Open what is at `path`, or make it. A signal during the wait for the lock calls `interrupted`, whose
/// error ends it.
pub fn open_or_make<L: Layout>(
    path: &Path,
    layout: &L,
    interrupted: impl Fn() -> Result<(), Error>,
) -> Result<L::Made, Error> {
    make_parent(path)?;
    let lock = open_own(&beside(path, LOCK_SUFFIX), OFlags::CREATE)?;
    loop {
        match flock(&lock, FlockOperation::LockExclusive) {
            Ok(()) => break,
            Err(Errno::INTR) => interrupted()?,
            Err(why) => return Err(failed("lock", why)),
        }
    }
    match lstat(path) {
        Err(Errno::NOENT) => make(path, layout),
        Err(why) => Err(failed("look at", why)),
        Ok(_) => match open_existing(path, layout)? {
            Some(made) => Ok(made),
            None => make(path, layout),
        },
    }
}

/// None: worthless, or of an earlier boot, whose times mean nothing now.
fn open_existing<L: Layout>(path: &Path, layout: &L) -> Result<Option<L::Made>, Error> {
    let file = open_own(path, OFlags::empty())?;
    let bytes = fstat(&file).map_err(|why| failed("look at", why))?.st_size as usize;
    if bytes < 8 * WORDS_HOST.end || !bytes.is_multiple_of(8) {
        return Err(Error::store(format!(
            "file of {bytes} bytes is no table, or a truncated one: name another path, or delete it"
        )));
    }
    let made = layout.open(Mapping::of_file(&file, bytes / 8).map_err(|why| failed("map", why))?)?;
    let there: Vec<u64> = layout.memory(&made).words()[WORDS_HOST].iter().map(|word| word.load(SeqCst)).collect();
    if there[..2] != host::boot_id()? {
        return Ok(None);
    }
    if there[2] != host::time_namespace() {
        return Err(Error::store(
            "made in another time namespace, where the clock differs: give each container its own path",
        ));
    }
    Ok(Some(made).filter(|made| layout.is_current(made)))
}

fn make<L: Layout>(path: &Path, layout: &L) -> Result<L::Made, Error> {
    let fresh = beside(path, UNFINISHED_SUFFIX);
    match unlink(&fresh) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(why) => return Err(failed("remove the rest of a failed attempt to make", why)),
    }
    let made = fill(&fresh, layout).and_then(|made| {
        rename(&fresh, path).map_err(|why| failed("put in place", why))?;
        Ok(made)
    });
    if made.is_err() {
        let _ = unlink(&fresh); // nothing is lost: it never had a user
    }
    made
}

fn fill<L: Layout>(fresh: &Path, layout: &L) -> Result<L::Made, Error> {
    let file = open_own(fresh, OFlags::CREATE | OFlags::EXCL)?;
    let words = layout.words();
    // All of it now: a full file system is an error here and would be a SIGBUS later.
    reserve(&file, words as u64 * 8)?;
    let mapping = Mapping::of_file(&file, words).map_err(|why| failed("map", why))?;
    let boot = host::boot_id()?;
    let notes = [boot[0], boot[1], host::time_namespace()];
    for (word, note) in mapping.words()[WORDS_HOST].iter().zip(notes) {
        word.store(note, SeqCst);
    }
    layout.format(mapping)
}

fn reserve(file: &File, bytes: u64) -> Result<(), Error> {
    let system = fstatfs(file).map_err(|why| failed("look at the file system of", why))?;
    let free = (system.f_bavail as u64).saturating_mul(system.f_bsize as u64);
    let is_memory = system.f_type as u64 == TMPFS_MAGIC;
    check_room(bytes, free, is_memory.then(host::memory_available).flatten())?;
    for start in (0..bytes).step_by(PIECE as usize) {
        let length = PIECE.min(bytes - start);
        match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), start, length)) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) => return ftruncate(file, bytes).map_err(|why| failed("size", why)),
            Err(why) => {
                let text = format!("cannot reserve {bytes} bytes ({why}): lower the capacity or make room");
                return Err(Error::store(text));
            }
        }
    }
    Ok(())
}

/// A file system in memory promises its whole size, which may be more than the machine has left: reserving that would have
/// the kernel kill processes instead of giving an error.
fn check_room(bytes: u64, free: u64, memory: Option<u64>) -> Result<(), Error> {
    let room = free.min(memory.unwrap_or(free));
    if bytes <= room {
        return Ok(());
    }
    Err(Error::store(format!("needs {bytes} bytes and {room} are free: lower the capacity or make room")))
}

/// Open a file that is ours alone, and nothing else.
pub(crate) fn open_own(path: &Path, more: OFlags) -> Result<File, Error> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | more;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|why| match why {
        Errno::LOOP => Error::store("is a symlink, which is not followed: name the file itself"),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => failed("open for reading and writing", why),
        why => failed("open", why),
    })?;
    let stat = fstat(&file).map_err(|why| failed("look at", why))?;
    let own = rustix::process::geteuid().as_raw();
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::store("is no regular file: name another path"));
    }
    if stat.st_uid != own {
        let text = format!("belongs to user {}, not to {own}: run as one user or name another path", stat.st_uid);
        return Err(Error::store(text));
    }
    if stat.st_mode & 0o077 != 0 || stat.st_mode & 0o200 == 0 {
        let text = format!("has mode {:03o}, which must be 600: chmod 600 or delete it", stat.st_mode & 0o777);
        return Err(Error::store(text));
    }
    Ok(File::from(file))
}

/// Directories that are made are ours alone; one that exists must not let strangers replace our file.
fn make_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.exists() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|why| Error::store(format!("cannot make directory {parent:?}: {why}")))?;
    }
    let stat = rustix::fs::stat(parent).map_err(|why| failed("look at the directory of", why))?;
    let (own, sticky) = (rustix::process::geteuid().as_raw(), stat.st_mode & 0o1000 != 0);
    if stat.st_uid != own && stat.st_uid != 0 {
        return Err(Error::store(format!("directory {parent:?} belongs to user {}, not to {own}", stat.st_uid)));
    }
    if stat.st_mode & 0o022 != 0 && !sticky {
        return Err(Error::store(format!("others may write to directory {parent:?}: chmod 700 or name another path")));
    }
    Ok(())
}

/// A lock that is held as long as this lives, or its process. Children that it forks do not hold it: one of them that
/// does nothing but live on would keep everybody else out.
pub struct Seat(Place);

/// Process, device and inode.
type Place = (u32, u64, u64);

/// Such a lock is the process's own: a second one of its would be granted, and closing any file of that name would let
/// the first one go.
static HELD: Mutex<Vec<(Place, File)>> = Mutex::new(Vec::new());

impl Drop for Seat {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).retain(|(place, _)| *place != self.0);
    }
}

/// Take the lock at `path` if nobody has it.
pub fn try_seat(path: &Path) -> Result<Option<Seat>, Error> {
    // A child forked while this is taken never gets it, and leaves the lock to others.
    let Ok(mut held) = HELD.try_lock() else { return Ok(None) };
    let process = std::process::id();
    held.retain(|((holder, ..), _)| *holder == process);
    let place = |stat: rustix::fs::Stat| (process, stat.st_dev, stat.st_ino);
    if lstat(path).is_ok_and(|stat| held.iter().any(|(taken, _)| *taken == place(stat))) {
        return Ok(None);
    }
    let file = open_own(path, OFlags::CREATE)?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let place = place(fstat(&file).map_err(|why| failed("look at", why))?);
            held.push((place, file));
            Ok(Some(Seat(place)))
        }
        Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) => Ok(None),
        Err(why) => Err(failed("lock", why)),
    }
}

/// The bytes of a file of ours; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    if matches!(lstat(path), Err(Errno::NOENT)) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = open_own(path, OFlags::empty())?.read_to_end(&mut bytes);
    read.map(|_| Some(bytes)).map_err(|why| Error::store(format!("cannot read {path:?}: {why}")))
}

/// The first bytes of a file of ours, if it can be read.
pub fn read_start(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 256];
    let length = open_own(path, OFlags::empty()).ok()?.read(&mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// Write a file under another name and put it in place, so that nobody sees half of it.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    make_parent(path)?;
    let fresh = beside(path, UNFINISHED_SUFFIX);
    let file = open_own(&fresh, OFlags::CREATE | OFlags::TRUNC)?;
    let written = (&file).write_all(bytes).map_err(|why| Error::store(format!("cannot write {path:?}: {why}")));
    let put = written.and_then(|()| rename(&fresh, path).map_err(|why| failed("put in place", why)));
    if put.is_err() {
        let _ = unlink(&fresh); // half of it takes room that others need
    }
    put
}

/// The path of a file beside another one.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn failed(what: &str, why: Errno) -> Error {
    Error::store(format!("cannot {what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::check_room;

    #[test]
    fn room_is_what_both_disk_and_memory_have() {
        assert!(check_room(10, 10, None).is_ok() && check_room(10, 20, Some(10)).is_ok());
        for (free, memory) in [(9, None), (9, Some(20)), (20, Some(9))] {
            let text = check_room(10, free, memory).unwrap_err().to_string();
            assert!(text.contains("needs 10 bytes and 9 are free"), "{text}");
        }
    }
}
