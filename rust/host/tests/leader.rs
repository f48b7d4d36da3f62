//! Processes that lead one after the other: who is killed costs nothing, and what cannot be kept stops nobody.

#[path = "../../core/tests/scan/bodies.rs"]
mod bodies;
#[path = "leader/scene.rs"]
mod scene;
#[path = "../../core/tests/campaign/service.rs"]
mod service;

use ratelimit_guard_core::hash::mix;
use ratelimit_guard_core::live::exchange::{Verdicts, read_batch};
use ratelimit_guard_core::live::record::relayed;
use ratelimit_guard_core::table::Memory;
use ratelimit_guard_host::file::try_seat;
use ratelimit_guard_host::journal::Journal;
use ratelimit_guard_host::leader::Leader;
use scene::*;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

#[test]
#[ignore = "what other tests run as a process of its own"]
fn helper() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    let leader = Leader::start(post(&home, std::env::var_os(STATE).unwrap().into())).unwrap();
    let mut told = String::new();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let troubles = leader.troubles();
        if !troubles.is_empty() {
            told += &troubles.join("\n");
            let _ = std::fs::write(home.join("troubles"), &told);
        }
    }
}

/// Of several threads of one process one leads; when it stops, another does.
#[test]
fn one_leads_at_a_time() {
    let home = Home::new();
    let (area, seat) = (home.area(), home.0.join("seat"));
    let mut leaders: Vec<Leader> = (0..3).map(|_| home.lead()).collect();
    wait("leader", || area.terms().load(SeqCst) == 1);
    std::thread::sleep(Duration::from_millis(350));
    assert_eq!(area.terms().load(SeqCst), 1);
    while let Some(mut leader) = leaders.pop() {
        leader.stop();
        assert_eq!(leader.troubles(), Vec::<String>::new());
        let took = wait("leader", || try_seat(&seat).unwrap().is_none() != leaders.is_empty());
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    assert!((1..=3).contains(&area.terms().load(SeqCst)));
}

/// A lock is one process's, whoever forks: a child that lives on does not keep it.
#[test]
#[allow(unsafe_code)]
fn a_forked_child_keeps_no_seat() {
    let home = Home::new();
    let seat = home.0.join("seat");
    let held = try_seat(&seat).unwrap().expect("a free seat");
    assert!(try_seat(&seat).unwrap().is_none());
    // SAFETY: the child does nothing but wait for its end, which is safe with other threads in the parent.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            libc::alarm(60); // should this test fail before it ends the child
            libc::pause();
            libc::_exit(0)
        }
    }
    drop(held);
    let again = try_seat(&seat).unwrap();
    let mut other = spawn(&home, &home.state(), None);
    let area = home.area();
    std::thread::sleep(Duration::from_millis(300));
    let early = area.terms().load(SeqCst);
    let is_ours = again.is_some();
    drop(again);
    wait("leader", || area.leader().load(SeqCst) == other.id());
    other.kill();
    let last = try_seat(&seat).unwrap();
    // SAFETY: our own child.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    assert!(is_ours && early == 0 && last.is_some());
}

/// The one that leads is killed again and again, in the midst of traffic: another takes over within a second, and in the
/// end all is as if nothing had happened.
#[test]
fn a_killed_leader_costs_nothing() {
    let records = stream(6_000);
    let expected = learned(&uninterrupted(&records));
    for round in 0..3u64 {
        let home = Home::new();
        let area = home.area();
        let mut processes: Vec<Process> = (0..2).map(|_| spawn(&home, &home.state(), None)).collect();
        wait("leader", || area.leader().load(SeqCst) != 0);
        for (number, words) in records.iter().enumerate() {
            push(&area, words);
            if number % 97 == 0 {
                std::thread::sleep(Duration::from_millis(mix(number as u64 ^ round << 32) % 8));
            }
            if number % 2_000 == 999 {
                ask_to_save(&area);
            }
            if number % 1_000 == 700 {
                let terms = area.terms().load(SeqCst);
                let place = processes.iter().position(|process| process.id() == area.leader().load(SeqCst)).unwrap();
                processes[place].kill();
                let took = wait("other leader", || area.terms().load(SeqCst) > terms);
                assert!(took < Duration::from_secs(1), "{took:?}");
                processes[place] = spawn(&home, &home.state(), None);
            }
        }
        ask_to_save(&area);
        assert_eq!(area.ring().torn(), 0);
        let found = learned(&kept(&home));
        assert!(found == expected, "{:?} {:?}", (&found.2, &found.3), (&expected.2, &expected.3));
        assert_eq!(area.convicted().load(SeqCst), 1);
    }
}

/// Who stops saves all that was told so far, and the next one goes on there.
#[test]
fn who_stops_saves() {
    let records = stream(3_000);
    let home = Home::new();
    let area = home.area();
    for part in records.chunks(1_000) {
        let mut leader = home.lead();
        part.iter().for_each(|words| push(&area, words));
        let terms = area.terms().load(SeqCst);
        wait("leader", || terms > 0 || area.terms().load(SeqCst) > 0);
        wait("a beginning", || area.folded().load(SeqCst) > 0);
        leader.stop();
        assert_eq!(leader.troubles(), Vec::<String>::new());
    }
    assert!(Journal::open(&home.journal(), area.id(), |_, _| panic!("saved, and still in the journal")).is_ok());
    let mut last = home.lead();
    ask_to_save(&area);
    last.stop();
    assert!(learned(&kept(&home)) == learned(&uninterrupted(&records)));
}

/// A state that cannot be read is told of, and all begins anew; the next state is whole.
#[test]
fn a_damaged_state_stops_nobody() {
    let records = stream(300);
    for damage in [&b"garbage"[..], b"", &[0; 100_000]] {
        let home = Home::new();
        std::fs::write(home.state(), damage).unwrap();
        std::fs::set_permissions(home.state(), std::fs::Permissions::from_mode(0o600)).unwrap();
        let area = home.area();
        let mut leader = home.lead();
        records.iter().for_each(|words| push(&area, words));
        ask_to_save(&area);
        leader.stop();
        let troubles = leader.troubles();
        assert!(troubles.len() == 1 && troubles[0].contains("cannot be used"), "{troubles:?}");
        assert!(learned(&kept(&home)) == learned(&uninterrupted(&records)));
    }
}

/// Where nothing can be kept, requests are judged all the same, and the operator hears of it.
#[test]
fn nowhere_to_keep_anything_stops_nobody() {
    let records = stream(1_500);
    let home = Home::new();
    std::fs::write(home.0.join("file"), b"no directory").unwrap();
    let area = home.area();
    let mut leader = Leader::start(post(&home.0, home.0.join("file/state"))).unwrap();
    records.iter().for_each(|words| push(&area, words));
    wait("end", || area.folded().load(SeqCst) == records.len() as u64);
    assert_eq!(area.convicted().load(SeqCst), 1);
    leader.stop();
    let troubles = leader.troubles();
    assert!(troubles.len() == 2 && troubles.iter().all(|told| told.contains("file/state")), "{troubles:?}");
}

/// A full disk, too: and who takes over when there is room again goes on.
#[test]
fn a_full_disk_stops_nobody() {
    let records = stream(3_000);
    let home = Home::new();
    let area = home.area();
    let mut limited = spawn(&home, &home.state(), Some(200));
    records.iter().for_each(|words| push(&area, words));
    wait("end", || area.folded().load(SeqCst) == records.len() as u64);
    wait("trouble", || std::fs::read_to_string(home.0.join("troubles")).is_ok_and(|told| told.contains("journal")));
    assert_eq!((area.convicted().load(SeqCst), area.saved().load(SeqCst)), (1, 0));
    limited.kill();
    let mut leader = home.lead();
    wait("leader", || area.leader().load(SeqCst) == u64::from(std::process::id()));
    records[..100].iter().for_each(|words| push(&area, words));
    ask_to_save(&area);
    leader.stop();
    assert_eq!(leader.troubles(), Vec::<String>::new());
    let judged = kept(&home).judge.ledger.tallies().iter().map(|tally| tally.requests).sum::<u32>();
    assert!((200..3_100).contains(&judged), "{judged}");
}

/// A journal that was cut off anywhere, or damaged, gives what stands before; and what is added then is read.
#[test]
fn a_torn_journal_gives_what_stands_before() {
    let home = Home::new();
    let records: Vec<(u64, Vec<u64>)> =
        (0..4u64).map(|number| (100 * (number + 1), vec![number; 2 + number as usize])).collect();
    let open = |area: u64| {
        let mut told = Vec::new();
        let journal = Journal::open(&home.journal(), area, |position, words| told.push((position, words.to_vec())));
        (journal.unwrap(), told)
    };
    let (mut journal, _) = open(9);
    assert!(journal.is_empty());
    records.iter().for_each(|record| journal.append(std::slice::from_ref(record)).unwrap());
    drop(journal);
    let whole = std::fs::read(home.journal()).unwrap();
    let mut ends = vec![8];
    records.iter().for_each(|(_, words)| ends.push(ends[ends.len() - 1] + 8 * (3 + words.len())));
    let write = |bytes: &[u8]| {
        let mut options = std::fs::OpenOptions::new();
        use std::io::Write;
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(home.journal())
            .unwrap()
            .write_all(bytes)
            .unwrap();
    };
    let new = (900, vec![7; 3]);
    for cut in 0..=whole.len() {
        let count = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        write(&whole[..cut]);
        let (mut journal, told) = open(9);
        assert_eq!(told, records[..count], "{cut}");
        journal.append(std::slice::from_ref(&new)).unwrap();
        assert_eq!(open(9).1, [&records[..count], std::slice::from_ref(&new)].concat(), "{cut}");
        if cut < whole.len() && cut >= 8 {
            let mut damaged = whole.clone();
            damaged[cut] ^= 1;
            write(&damaged);
            let count = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(open(9).1, records[..count], "{cut}");
        }
    }
    write(&whole);
    let (journal, told) = open(10);
    assert!(told.is_empty() && journal.is_empty());
}

/// Where another host judges, the elected process hands observations on: each once, and none that was not sent.
#[test]
fn what_waits_is_handed_on() {
    let home = Home::new();
    let (area, records) = (home.area(), stream(40));
    let post = post(&home.0, home.state());
    post.forwards.store(true, SeqCst);
    let forwards = post.forwards.clone();
    let leader = Leader::start(post).unwrap();
    let hand = leader.hand();
    wait("election", || hand.is_elected());
    records.iter().for_each(|words| push(&area, words));
    let mut handed = Vec::new();
    while let Some((bytes, count, end)) = hand.take(4_096).unwrap() {
        assert_eq!(hand.take(4_096).unwrap(), Some((bytes.clone(), count, end)), "not sent yet");
        let some = read_batch(SEED, &bytes).unwrap();
        assert_eq!(some.len(), count);
        handed.extend(some);
        hand.sent(end);
    }
    assert_eq!(handed, records);
    assert_eq!((area.ring().waiting(), area.terms().load(SeqCst)), (0, 0));
    // What another host told goes nowhere.
    push(&area, &relayed(&records[0]));
    assert!(hand.take(4_096).unwrap().is_none());
    assert_eq!(area.ring().waiting(), 0);
    // A record that is longer than a batch may be goes by itself.
    push(&area, &records[0]);
    assert_eq!(hand.take(1).unwrap().unwrap().1, 1);
    forwards.store(false, SeqCst);
    wait("folding", || area.folded().load(SeqCst) == 1);
    assert!(hand.take(4_096).unwrap().is_none());
    assert!(!hand.learn(&Verdicts::of(&*area).bytes().unwrap()).unwrap());
}

/// A writer that died in the midst holds up nobody.
#[test]
fn gaps_are_passed_over() {
    let home = Home::new();
    let area = home.area();
    let post = post(&home.0, home.state());
    post.forwards.store(true, SeqCst);
    let leader = Leader::start(post).unwrap();
    let hand = leader.hand();
    wait("election", || hand.is_elected());
    area.memory().words()[64].fetch_add(10, SeqCst); // claimed, and never written
    wait("the gap", || hand.take(4_096).unwrap().is_none() && area.ring().waiting() == 0);
    push(&area, &stream(1)[0]);
    assert_eq!(hand.take(4_096).unwrap().unwrap().1, 1);
    assert_eq!(area.ring().torn(), 1);
}

/// A host that takes over goes on with another one's state, and not with what its own journal has of before.
#[test]
fn a_state_is_adopted() {
    let (from, to) = (Home::new(), Home::new());
    let records = stream(60);
    let mut first = from.lead();
    records.iter().for_each(|words| push(&from.area(), words));
    ask_to_save(&from.area());
    first.stop();
    let mut second = to.lead();
    let (area, hand) = (to.area(), second.hand());
    push(&area, &records[0]);
    wait("folding", || area.folded().load(SeqCst) == 1);
    let state = std::fs::read(from.state()).unwrap();
    assert_eq!(hand.adopt(&state).unwrap(), None, "it folds");
    hand.post().forwards.store(true, SeqCst);
    wait("a rest", || hand.intake().is_some());
    assert!(hand.adopt(b"nothing").is_err());
    assert_eq!(hand.adopt(&std::fs::read(to.state()).unwrap()).unwrap(), Some(false), "its own");
    assert_eq!(hand.adopt(&state).unwrap(), Some(true));
    hand.post().forwards.store(false, SeqCst);
    ask_to_save(&area);
    second.stop();
    assert_eq!(learned(&kept(&to)), learned(&uninterrupted(&records)));
}
