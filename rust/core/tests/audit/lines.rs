//! Logs made of lines whose fate is known.

use super::bodies::Random;
use ratelimit_guard_core::audit::MAX_NAME;
use ratelimit_guard_core::audit::totals::Skip;
use ratelimit_guard_core::prompt::json::MAX_DEPTH;
use std::collections::BTreeMap;

/// What a line must become.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    Blank,
    Skipped(Skip),
    Repeated,
    Record(Record),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub account: String,
    pub tenant: String,
    pub time: f64,
    pub tokens: u64,
    pub is_answered: bool,
    pub prompt: Prompt,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prompt {
    Judged,
    NotJudged,
    Unreadable,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub bytes: Vec<u8>,
    pub fate: Fate,
}

/// Lines without their ends.
pub fn lines(random: &mut Random, count: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut time = 1.7e9;
    let mut last = None;
    for number in 0..count {
        let line = match (random.below(20), &last) {
            (0, _) => Line { bytes: pick(random, &["", " ", "\t", "\r", " \r"]).into(), fate: Fate::Blank },
            (1..4, _) => skipped(random),
            (4, Some(bytes)) => Line { bytes: Vec::clone(bytes), fate: Fate::Repeated },
            _ => {
                time += [0.0, 1.0, 17.5, -30.0, 90_000.0, -200_000.0][random.below(60).saturating_sub(54)];
                let (text, record) = record(random, number, time);
                let bytes = text.into_bytes();
                last = Some(bytes.clone());
                Line { bytes, fate: Fate::Record(record) }
            }
        };
        lines.push(line);
    }
    lines
}

/// The log of some lines; with `is_ended` the last one has an end, too.
pub fn log(random: &mut Random, lines: &[Line], is_ended: bool) -> Vec<u8> {
    let mut log = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        log.extend_from_slice(&line.bytes);
        if is_ended || place + 1 < lines.len() {
            log.extend_from_slice(pick(random, &["\n", "\r\n"]).as_bytes());
        }
    }
    log
}

fn pick<'a>(random: &mut Random, choices: &[&'a str]) -> &'a str {
    choices[random.below(choices.len())]
}

fn skipped(random: &mut Random) -> Line {
    let account = "\"key\":{\"id\":\"a\"}";
    let deep = "[".repeat(MAX_DEPTH + 1);
    let (bytes, skip) = match random.below(5) {
        0 => {
            let wrong = ["{", "[1]", "17", "\"t\"", "null", "{\"t\":1,}", "{\"t\":1}}", "t=1 key=a", "\u{feff}"];
            (pick(random, &wrong).into(), Skip::NotJson)
        }
        1 => (format!("{{\"t\":1,{account}}}").replace('a', "\u{1}").into_bytes(), Skip::NotJson),
        2 => {
            let mut bytes = format!("{{\"t\":1,{account},\"x\":\"?\"}}").into_bytes();
            let place = random.below(bytes.len());
            bytes[place] = 0xff;
            (bytes, Skip::NotUtf8)
        }
        3 => {
            let nobody =
                ["", ",\"user\":null", ",\"user\":\"\"", ",\"user\":{\"id\":1}", ",\"user\":[]", ",\"key\":{}"];
            (format!("{{\"t\":1700000000{}}}", pick(random, &nobody)).into_bytes(), Skip::NoAccount)
        }
        _ if random.below(4) == 0 => (format!("{{\"t\":1,{account},\"x\":{deep}").into_bytes(), Skip::TooDeep),
        _ => {
            let never = ["", "\"t\":null,", "\"t\":\"soon\",", "\"t\":-1,", "\"t\":{},", "\"t\":1e10,"];
            (format!("{{{}{account}}}", pick(random, &never)).into_bytes(), Skip::NoTime)
        }
    };
    Line { bytes, fate: Fate::Skipped(skip) }
}

/// A name as JSON writes it, and as it reads.
fn name(random: &mut Random, number: usize) -> (String, String) {
    match number % 6 {
        0 => (format!("\"key {number}\""), format!("key {number}")),
        1 => (number.to_string(), number.to_string()),
        2 => (format!("\"\\u006bey\\n{number}\""), format!("key\n{number}")),
        3 => (format!("-{number}.50e1"), format!("-{number}.50e1")),
        4 => (format!("\"\\ud800{number}\""), format!("\u{fffd}{number}")),
        _ => {
            let before = MAX_NAME - random.below(4);
            let written = format!("{}漢{}", "x".repeat(before - 2), "y".repeat(300));
            // The character has three bytes: it stays when all of them fit.
            let read = if before - 2 + 3 <= MAX_NAME { &written[..MAX_NAME] } else { &written[..before - 2] };
            (format!("\"{written}\""), read.to_string())
        }
    }
}

fn record(random: &mut Random, number: usize, time: f64) -> (String, Record) {
    let place = random.below(12);
    let (account_json, account) = name(random, place);
    let place = random.below(3);
    let (tenant_json, tenant) = match random.below(3) {
        0 => (None, account.clone()),
        _ => Some(name(random, 40 + place)).map(|(json, name)| (Some(json), name)).unwrap(),
    };
    let way = pick(random, &["\"key\":{\"id\":?}", "\"user\":?", "\"key\":{\"id\":null},\"user\":?"]);
    let mut columns = vec![
        format!("\"t\":{}", if random.below(2) == 0 { format!("{time}") } else { format!("\"{}\"", time * 1e3) }),
        way.replace('?', &account_json),
        format!("\"id\":\"{number}\""),
        format!("\"{}\":{{\"t\":[1,{{}}]}}", pick(random, &["x", "kay", "requests", "Request"])),
    ];
    columns.extend(tenant_json.map(|json| format!("\"tenant\":{json}")));
    let (status, is_answered) =
        [("", true), ("200", true), ("\"success\"", true), ("429", false), ("\"error\"", false)]
            [random.below(8).saturating_sub(3)];
    let (path, generates) = [("", true), ("\"/v1/chat/completions\"", true), ("\"/v1/embeddings\"", false)]
        [random.below(6).saturating_sub(3)];
    let tokens = [None, Some(0), Some(5), Some(200)][random.below(4)];
    columns.extend((!status.is_empty()).then(|| format!("\"status\":{status}")));
    columns.extend((!path.is_empty()).then(|| format!("\"path\":{path}")));
    columns.extend(tokens.map(|tokens| format!("\"usage\":{{\"in\":7,\"out\":{tokens}}}")));
    let (request, is_readable) = request(random, number);
    columns.extend(request.map(|json| format!("\"request\":{json}")));
    for place in (1..columns.len()).rev() {
        columns.swap(place, random.below(place + 1));
    }
    let prompt = match (is_answered && generates, is_readable) {
        (false, _) => Prompt::NotJudged,
        (true, true) => Prompt::Judged,
        (true, false) => Prompt::Unreadable,
    };
    let tokens = tokens.unwrap_or(0);
    let mark = ["", "", "", " ", "\u{feff}"][random.below(5)];
    (format!("{mark}{{{}}}", columns.join(",")), Record { account, tenant, time, tokens, is_answered, prompt })
}

/// A body, as an object or as JSON in a string; and whether a prompt can be read from it.
fn request(random: &mut Random, number: usize) -> (Option<String>, bool) {
    let text = pick(random, &["a task of some words", "the same old question", "ünï çode 漢字 \\ud83d\\ude00"]);
    let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text} {number}\\nand more of it\"}}]}}");
    match random.below(8) {
        0 => (None, false),
        1 => {
            let unreadable = [
                "17",
                "null",
                "[]",
                "{}",
                "\"\"",
                "\"no JSON\"",
                "\"{\\\"messages\\\":[\"",
                "{\"messages\":[]}",
                "true",
            ];
            (Some(pick(random, &unreadable).into()), false)
        }
        2..5 => (Some(serde_json::Value::String(body).to_string()), true),
        _ => (Some(body), true),
    }
}

/// What an account's records add up to.
#[derive(Debug, Default, PartialEq)]
pub struct Sums {
    pub tenant: String,
    pub requests: u32,
    pub answered: u32,
    pub counted: u32,
    pub tokens: u64,
    pub first: f64,
    pub last: f64,
}

/// Sums of each account.
pub fn sums(lines: &[Line]) -> BTreeMap<String, Sums> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for line in lines {
        let Fate::Record(record) = &line.fate else { continue };
        let start = || Sums { tenant: record.tenant.clone(), first: f64::INFINITY, ..Sums::default() };
        let sum = sums.entry(record.account.clone()).or_insert_with(start);
        sum.requests += 1;
        sum.answered += u32::from(record.is_answered);
        sum.counted += u32::from(record.prompt == Prompt::Judged);
        sum.tokens += record.tokens;
        sum.first = sum.first.min(record.time);
        sum.last = sum.last.max(record.time);
    }
    sums
}
