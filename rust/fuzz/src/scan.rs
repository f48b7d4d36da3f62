//! Target `scan_body`.

use crate::{bodies, naive};
use ratelimit_guard_core::prompt::dialect::Dialect;
use ratelimit_guard_core::prompt::fields::{Fields, Piece, Problem, Span};
use ratelimit_guard_core::prompt::scan::{MAX_PIECES, Scanner};
use std::sync::LazyLock;

const MAX_BYTES: usize = 1 << 20;
static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(bodies::all);
static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::new(&DIALECTS, MAX_BYTES).unwrap());

/// Invariant: whatever the bytes, a scan never panics, never records more than [`MAX_PIECES`] pieces, and every span
/// lies inside the body and holds a valid JSON value (or a run of numbers); it takes, refuses and finds what its slow
/// twin does; used fields give the same as new ones, and code for any processor the same as code for this one.
pub fn scan_body(data: &[u8]) {
    let mut fields = Fields::default();
    let result = SCANNER.scan(data, &mut fields);
    let first = found(&fields);
    assert_eq!(SCANNER.scan(br#"{"prompt":["a","b"],"n":1,"n":2,"tools":[1]}"#, &mut fields), Ok(()));
    assert_eq!(SCANNER.scan_here(data, &mut fields), result);
    assert_eq!(found(&fields), first);
    assert!(fields.pieces.len() <= MAX_PIECES);
    for piece in &fields.pieces {
        let value = &data[piece.span.range()];
        let is_run = matches!(value[0], b'-' | b'0'..=b'9');
        assert!(is_run || value[0] == b'"');
        assert!(naive::parse(&if is_run { [b"[", value, b"]"].concat() } else { value.to_vec() }).is_ok());
    }
    for span in fields.parameters.iter().flatten() {
        assert!(naive::parse(&data[span.range()]).is_ok());
    }
    match result {
        // Bounds that the twin does not have.
        Err(Problem::TooMany) => assert!(data.len() > MAX_PIECES),
        Err(Problem::TooLarge) => assert!(data.len() > MAX_BYTES),
        _ => naive::compare(data, &DIALECTS, result, &fields),
    }
}

fn found(fields: &Fields) -> (Vec<Piece>, Vec<Option<Span>>, u32) {
    (fields.pieces.clone(), fields.parameters.to_vec(), fields.tools)
}
