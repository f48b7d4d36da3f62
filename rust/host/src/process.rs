//! Processes as the ledger of leases names them: this one, and whether another one still lives.

use crate::mapping::Mapping;
use ratelimit_guard_core::lease::line::Owner;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;

/// What /proc says of a process.
struct Stat {
    /// Dead, but its parent has not asked for it yet.
    is_zombie: bool,
    /// Clock ticks since the boot.
    start: u64,
}

/// The number of this process, in a word that a forked child finds empty: a system call would cost more than all else of
/// a spend. None where the kernel has no such memory.
static NUMBER: LazyLock<Option<Mapping>> = LazyLock::new(|| Mapping::wiped_on_fork(1).ok());

/// The number of this process.
#[inline]
pub fn number() -> u32 {
    let Some(word) = NUMBER.as_ref().map(|words| &words.as_ref()[0]) else { return std::process::id() };
    match word.load(Relaxed) as u32 {
        0 => {
            let number = std::process::id();
            word.store(u64::from(number), Relaxed);
            number
        }
        number => number,
    }
}

/// This process. Without /proc its namespace is unknown, and others judge it by its heartbeat alone.
pub fn this() -> Owner {
    let pid = number();
    match (stat("self"), fs::metadata("/proc/self/ns/pid")) {
        (Ok(Some(stat)), Ok(namespace)) => Owner::new(pid, namespace.ino(), stat.start),
        _ => Owner::new(pid, 0, 0),
    }
}

/// Is a process, seen by `me`, surely dead? False for those of other pid namespaces.
pub fn is_dead(me: Owner, other: Owner) -> bool {
    if me.namespace() == 0 || me.namespace() != other.namespace() {
        return false;
    }
    match stat(&other.pid().to_string()) {
        Ok(Some(stat)) => stat.is_zombie || Owner::new(0, 0, stat.start).start() != other.start(),
        // A /proc mounted with hidepid does not show the processes of others, which a server's workers may become.
        Ok(None) => is_gone(other.pid()),
        Err(()) => false,
    }
}

/// Does the kernel know no process of this number?
fn is_gone(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    test_kill_process(pid) == Err(Errno::SRCH)
}

/// None: there is no such process. An error: nobody can tell.
fn stat(process: &str) -> Result<Option<Stat>, ()> {
    match fs::read(format!("/proc/{process}/stat")) {
        Ok(text) => parse(&text).map(Some).ok_or(()),
        // It may end while it is read (ESRCH).
        Err(why) if why.kind() == ErrorKind::NotFound || why.raw_os_error() == Some(ESRCH) => Ok(None),
        Err(_) => Err(()),
    }
}

const ESRCH: i32 = Errno::SRCH.raw_os_error();

/// Fields 3 (state), 20 (threads) and 22 (start) of proc(5). The name before them may hold anything, also parentheses.
fn parse(text: &[u8]) -> Option<Stat> {
    let after_name = text.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&text[after_name..]).ok()?.split_ascii_whitespace().collect();
    let (state, threads, start) = (fields.first()?, fields.get(17)?, fields.get(19)?);
    // A first thread may end before the others: then the process lives.
    let is_zombie = matches!(*state, "Z" | "X") && threads.parse::<u64>().ok()? <= 1;
    Some(Stat { is_zombie, start: start.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// What /proc hides is not gone for that.
    #[test]
    fn the_kernel_knows_who_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        assert!(!is_gone(std::process::id()) && !is_gone(1) && !is_gone(child.id()));
        child.wait().unwrap();
        assert!(is_gone(child.id()) && is_gone(0) && is_gone(u32::MAX));
    }

    /// A process is alive to itself, dead as soon as it is killed though nobody has asked for it, and another one of its
    /// number is not it.
    #[test]
    fn the_dead_are_known() {
        let me = this();
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let start = stat(&child.id().to_string()).unwrap().unwrap().start;
        let other = Owner::new(child.id(), me.namespace(), start);
        let later = Owner::new(child.id(), me.namespace(), start + 1);
        let elsewhere = Owner::new(child.id(), me.namespace() + 1, start + 1);
        assert_eq!([me, other, later, elsewhere].map(|who| is_dead(me, who)), [false, false, true, false]);
        child.kill().unwrap();
        // Its output ends when it is gone.
        std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut Vec::new()).unwrap();
        while stat(&child.id().to_string()).unwrap().is_some_and(|stat| !stat.is_zombie) {
            std::thread::yield_now();
        }
        assert!(is_dead(me, other));
        child.wait().unwrap();
        assert!(is_dead(me, other));
    }

    #[test]
    fn a_name_may_look_like_fields() {
        let text = b"7 (a) Z 1) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 0 4242 9";
        assert!(parse(text).is_some_and(|stat| !stat.is_zombie && stat.start == 4242));
        assert!(parse(b"7 (a) Z").is_none() && parse(b"").is_none());
    }
}
