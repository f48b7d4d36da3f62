//! Where a stream stands.

use super::{cases, naive, pieces, streams};
use ratelimit_guard_core::tokens::lines::{Lines, MAX_LINE, Part, data};

/// The number of bytes up to which the event that stands open at `at` goes, if one does, as the whole stream tells.
fn rest(stream: &[u8], at: usize) -> Option<usize> {
    let mut begins = 0;
    for (line, range) in naive::lines(stream) {
        if !line.is_empty() {
            continue;
        }
        // Between the two bytes of a line's end the event is over.
        if at <= range.start && at > begins {
            return Some(range.end - at);
        }
        begins = range.end;
        if at < begins {
            return None;
        }
    }
    (at > begins).then_some(stream.len() - at)
}

/// At every byte of a stream the rest of its event is what the whole stream tells.
#[test]
fn the_rest_of_an_event_ends_behind_its_blank_line() {
    for mut random in cases().take(500) {
        let stream = streams::stream(&mut random);
        for at in 0..=stream.len() {
            let mut lines = Lines::default();
            pieces(&stream[..at], &mut random).into_iter().for_each(|piece| lines.feed(piece, |_| {}));
            let found = lines.place().rest_of_event(&stream[at..]);
            assert_eq!(lines.place().in_event(), rest(&stream, at).is_some(), "{at} {stream:?}");
            assert_eq!(found, rest(&stream, at).unwrap_or(0), "{at} {stream:?}");
        }
    }
}

/// Lines are those of the twin, wherever the stream is cut.
#[test]
fn lines_do_not_depend_on_cuts() {
    for mut random in cases() {
        let stream = streams::stream(&mut random);
        let mut found = Vec::new();
        let mut tell = |part: Part<'_>| match part {
            Part::Line(line) => found.push(line.to_vec()),
            other => panic!("{other:?}"),
        };
        let mut lines = Lines::default();
        pieces(&stream, &mut random).into_iter().for_each(|piece| lines.feed(piece, &mut tell));
        lines.finish(&mut tell);
        let plain = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&stream);
        let expected: Vec<_> = naive::lines(plain).into_iter().map(|(line, _)| line.to_vec()).collect();
        // A stream of nothing but a mark has a line of nothing.
        assert_eq!(found.concat(), expected.concat());
        assert!(found == expected || plain.is_empty(), "{stream:?}");
    }
}

/// Of a long line the first 64 KiB come together, the rest as it comes, and the next line is a line again.
#[test]
fn a_long_line_is_not_kept() {
    for piece in [1, 1000, MAX_LINE, 10 * MAX_LINE] {
        let stream = [&vec![b'x'; MAX_LINE + 1], &b"\n"[..], &vec![b'y'; MAX_LINE], b"\nz\n"].concat();
        let (mut long, mut ends, mut found) = (Vec::new(), 0, Vec::new());
        let mut lines = Lines::default();
        for chunk in stream.chunks(piece) {
            lines.feed(chunk, |part| match part {
                Part::Line(line) => found.push(line.to_vec()),
                Part::Long(bytes) => long.push(bytes.to_vec()),
                Part::LongEnd => ends += 1,
            });
        }
        assert_eq!(long[0].len(), MAX_LINE);
        assert_eq!((long.concat().len(), ends), (MAX_LINE + 1, 1));
        assert_eq!(found, [vec![b'y'; MAX_LINE], b"z".to_vec()]);
    }
}

/// What is data, and what is not.
#[test]
fn data_is_what_stands_behind_its_name() {
    for (line, value) in [("data: a", "a"), ("data:a", "a"), ("data:  a", " a"), ("data", ""), ("data:", "")] {
        assert_eq!(data(line.as_bytes()), Some(value.as_bytes()));
    }
    for line in ["", "dat", "datax: a", " data: a", "event: data", ": data:"] {
        assert_eq!(data(line.as_bytes()), None, "{line}");
    }
}
