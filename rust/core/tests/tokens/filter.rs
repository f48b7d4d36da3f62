//! The filter: what only came because usage was asked for goes, all else passes byte for byte.

use super::{cases, pieces, streams};
use ratelimit_guard_core::tokens::filter::UsageFilter;
use ratelimit_guard_core::tokens::lines::MAX_LINE;

fn filtered<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Vec<u8> {
    let mut filter = UsageFilter::default();
    let mut out: Vec<u8> = pieces.into_iter().flat_map(|piece| filter.feed(piece)).collect();
    out.extend(filter.finish());
    assert_eq!(filter.finish(), b"");
    out
}

/// Each case: what came, and what passes.
#[test]
fn what_came_for_usage_goes() {
    let cases = [
        ("data: {\"a\":1,\"choices\":[{}],\"usage\":null}\n\n", "data: {\"a\":1,\"choices\":[{}]}\n\n"),
        ("data:{\"usage\":null,\"choices\":[{}]}\n\n", "data:{\"choices\":[{}]}\n\n"),
        ("data: { \"choices\" : [] , \"usage\" : null , \"b\":2}\n\n", "data: { \"choices\" : [] , \"b\":2}\n\n"),
        ("data:  \t{\"usage\": null, \"choices\": []}\n\n", "data:  \t{\"choices\": []}\n\n"),
        ("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n", "data: [DONE]\n\n"),
        ("data: {\"choices\":[ ],\"usage\":{}}\r\n\r\ndata: [DONE]\r\n\r\n", "data: [DONE]\r\n\r\n"),
        ("data: {\"choices\":[],\"usage\":{}}\r\rx\r", "x\r"),
        ("data: {\"choices\":[],\"usage\":{}}\n\ndata: {\"choices\":[],\"usage\":{}}\n\n", ""),
        ("data: {\"choices\":[],\"usage\":{}}\nid: 5\n\nx", "id: 5\n\nx"),
        ("event: x\ndata: {\"choices\":[],\"usage\":{}}\n\ndata: x\n\n", "event: x\n\ndata: x\n\n"),
        ("data: {\"choices\":[],\"usage\":{}}", ""),
        ("\u{feff}data: {\"choices\":[{}],\"usage\":null}\n\n", "\u{feff}data: {\"choices\":[{}]}\n\n"),
    ];
    for (came, passes) in cases {
        assert_eq!(filtered([came.as_bytes()]), passes.as_bytes(), "{came}");
        assert_eq!(filtered(came.as_bytes().chunks(1)), passes.as_bytes(), "{came}");
    }
}

/// What only looks like it passes as it came.
#[test]
fn all_else_passes_byte_for_byte() {
    let long = format!("data: {{\"choices\":[],\"usage\":{{}},\"x\":\"{}\"}}\n\n", "x".repeat(MAX_LINE));
    let cases = [
        "",
        "\n\r\n\r\r\n\n",
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"usage\":{\"input_tokens\":1},\"type\":\"message_delta\"}\n\n",
        "data: {\"choices\":{},\"usage\":{}}\n\n",
        "data: {\"choices\":[{\"usage\":null}]}\n\n",
        "data: {\"choices\":[],\"usage\":null,\"usage\":null}\n\n",
        "data: {\"choices\":[],\"usage\":nul}\n\n",
        "data: [\"choices\",[],\"usage\",null]\n\n",
        "{\"choices\":[],\"usage\":{}}\n\n",
        ": \"usage\":null\n\n",
        &long,
    ];
    for came in cases {
        assert_eq!(filtered([came.as_bytes()]), came.as_bytes(), "{came:.200}");
        assert_eq!(filtered(came.as_bytes().chunks(1)), came.as_bytes(), "{came:.200}");
    }
}

/// The result does not depend on cuts, and passing it through again changes nothing.
#[test]
fn a_filter_does_not_depend_on_cuts() {
    for mut random in cases() {
        let stream = streams::stream(&mut random);
        let whole = filtered([&stream[..]]);
        assert_eq!(filtered(pieces(&stream, &mut random)), whole, "{:?}", String::from_utf8_lossy(&stream));
        assert_eq!(filtered([&whole[..]]), whole, "{:?}", String::from_utf8_lossy(&stream));
    }
}

/// No more is held than the line that has begun, and of a long one nothing.
#[test]
fn a_filter_holds_one_line() {
    let mut filter = UsageFilter::default();
    assert_eq!(filter.feed(b"a\nb\nc"), b"a\nb\n");
    assert_eq!(filter.feed(b"d\r"), b"cd\r");
    let long = vec![b'x'; MAX_LINE];
    assert_eq!(filter.feed(&long), b"");
    assert_eq!(filter.feed(b"yz").len(), MAX_LINE + 2);
    assert_eq!(filter.feed(&long).len(), MAX_LINE);
}
