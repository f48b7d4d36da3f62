//! Chunks into lines: as by a naive splitter, wherever the chunks end.

use super::rounds;
use proptest::prelude::*;
use ratelimit_guard_core::audit::MAX_LINE;
use ratelimit_guard_core::audit::lines::Lines;

/// Lines of a file: what stands between ends, the last one too if there is something.
fn naive(file: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

/// Lines of these files, each given in chunks that end where `cuts` says.
fn split(files: &[Vec<u8>], cuts: &[usize]) -> Vec<Vec<u8>> {
    let (mut lines, mut found, mut cuts) = (Lines::default(), Vec::new(), cuts.iter().cycle());
    for file in files {
        let mut rest = &file[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(cuts.next().map_or(rest.len(), |cut| *cut.min(&rest.len())));
            lines.feed(chunk, |line| found.push(line.unwrap().to_vec()));
            rest = after;
        }
        lines.end_file(|line| found.push(line.unwrap().to_vec()));
    }
    lines.end_file(|_| panic!("nothing is left"));
    found
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: rounds(2_000) as u32, failure_persistence: None, ..ProptestConfig::default() }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![2 => Just(b'\n'), 5 => any::<u8>(), 1 => Just(b'\r')], 0..80)
}

proptest! {
    #![proptest_config(cases())]

    /// Chunks and files may end anywhere.
    #[test]
    fn lines_equal_those_of_a_naive_splitter(
        files in prop::collection::vec(bytes(), 0..4),
        cuts in prop::collection::vec(1usize..12, 1..10),
    ) {
        let wanted: Vec<Vec<u8>> = files.iter().flat_map(|file| naive(file)).collect();
        prop_assert_eq!(split(&files, &cuts), wanted);
    }
}

/// A line of the longest length is passed on, whole or in chunks; a longer one is told of once, and the next is not
/// touched.
#[test]
fn lines_are_bounded() {
    let mut long = vec![b'x'; MAX_LINE];
    for (extra, chunk) in [(0, MAX_LINE), (0, 1 << 22), (1, MAX_LINE), (1, 1 << 22), (2_000_000, 1 << 22)] {
        long.truncate(MAX_LINE);
        long.resize(MAX_LINE + extra, b'x');
        for is_ended in [false, true] {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            long.chunks(chunk).for_each(|part| lines.feed(part, |_| panic!("it has not ended")));
            let end: &[u8] = if is_ended { b"\nnext\n" } else { b"" };
            lines.feed(end, |line| found.push(line.map(<[u8]>::len)));
            lines.end_file(|line| found.push(line.map(<[u8]>::len)));
            let first = Some(MAX_LINE).filter(|_| extra == 0);
            let wanted = if is_ended { vec![first, Some(4)] } else { vec![first] };
            assert_eq!(found, wanted, "{extra} {chunk} {is_ended}");
        }
    }
}
