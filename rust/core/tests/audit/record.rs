//! Where columns stand: the reader beside a general parser.

use super::bodies::Random;
use super::rounds;
use ratelimit_guard_core::audit::record::{COLUMNS, Column, Columns, MAX_PATHS, MAX_STEPS, RecordReader};
use ratelimit_guard_core::error::Fault;
use ratelimit_guard_core::prompt::dialect::MAX_KEY;
use ratelimit_guard_core::prompt::fields::Problem;
use ratelimit_guard_core::prompt::json::MAX_DEPTH;
use serde_json::Value;

type Map = Vec<(Column, String)>;

const KEYS: [&str; 7] = ["a", "b", "c", "ключ", "a b", "😀", "\"\\/"];

/// What `json.rs` takes and serde does not, as far as the lines here hold it.
const TAKEN: [&str; 3] = ["number out of range", "lone leading surrogate", "unexpected end of hex escape"];

/// Makes lines of objects in objects. Most scalars are there once, so that the span of another one is found out.
struct Maker<'r> {
    random: &'r mut Random,
    number: usize,
    line: String,
}

impl Maker<'_> {
    fn space(&mut self) {
        self.line += ["", "", "", " ", "\t", "\r "][self.random.below(6)];
    }

    fn value(&mut self, depth: usize) {
        self.number += 1;
        let number = self.number;
        match self.random.below(if depth > 4 { 6 } else { 12 }) {
            0 | 1 => self.line += "null",
            2 | 3 => self.line += &format!("{number}"),
            4 => self.line += &format!("\"text\\n {number} \\u00e9\\ud83d\\ude00é\""),
            5 => self.line += ["true", "false", "-0.5", "1e3", "\"\""][number % 5],
            6 => self.many('[', ']', |maker| maker.value(depth + 1)),
            _ => self.object(depth),
        }
    }

    fn object(&mut self, depth: usize) {
        self.many('{', '}', |maker| {
            maker.key();
            maker.space();
            maker.line.push(':');
            maker.space();
            maker.value(depth + 1);
        });
    }

    fn many(&mut self, open: char, close: char, mut one: impl FnMut(&mut Self)) {
        self.line.push(open);
        for place in 0..self.random.below(6) {
            if place > 0 {
                self.line.push(',');
            }
            self.space();
            one(self);
            self.space();
        }
        self.space();
        self.line.push(close);
    }

    /// A key, its characters as they are or by their numbers.
    fn key(&mut self) {
        self.line.push('"');
        for character in KEYS[self.random.below(KEYS.len())].chars() {
            let must = matches!(character, '"' | '\\');
            if must || self.random.below(4) == 0 {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                units.iter().for_each(|unit| self.line += &format!("\\u{unit:04x}"));
            } else {
                self.line.push(character);
            }
        }
        self.line.push('"');
    }
}

fn line(random: &mut Random) -> Vec<u8> {
    let mut maker = Maker { random, number: 0, line: String::new() };
    maker.space();
    maker.object(0);
    maker.space();
    maker.line.into_bytes()
}

/// Paths of one to three keys, and now and then the whole record; no path twice.
fn map(random: &mut Random) -> Map {
    let mut map = Map::new();
    for _ in 0..1 + random.below(14) {
        let steps = (random.below(12) > 0) as usize * (1 + random.below(3));
        let path: Vec<_> = (0..steps).map(|_| KEYS[random.below(KEYS.len())]).collect();
        let path = path.join(".");
        if map.iter().all(|(_, known)| *known != path) {
            map.push((Column::ALL[random.below(COLUMNS)], path));
        }
    }
    map
}

/// The value at a path; the parser keeps the last of equal keys.
fn find<'v>(record: &'v Value, path: &str) -> Option<&'v Value> {
    let mut keys = path.split('.').filter(|_| !path.is_empty());
    keys.try_fold(record, |value, key| value.as_object()?.get(key)).filter(|value| !value.is_null())
}

/// Compare a reading with the parser's. How many columns were found; `None` when both refuse the line.
fn compare(map: &Map, line: &[u8]) -> Option<usize> {
    let shown = || format!("{map:?} in {}", String::from_utf8_lossy(line));
    let found = RecordReader::new(map).unwrap().read(line);
    let (columns, record) = match (found, serde_json::from_slice::<Value>(line)) {
        (Ok(columns), Ok(record)) => (columns, record),
        (Err(_), Ok(record)) => {
            assert!(!record.is_object(), "refused: {}", shown());
            return None;
        }
        (Ok(_), Err(error)) => {
            assert!(TAKEN.iter().any(|known| error.to_string().contains(known)), "{error}: {}", shown());
            return None;
        }
        (Err(_), Err(_)) => return None,
    };
    assert!(record.is_object(), "taken: {}", shown());
    for column in Column::ALL {
        let mut paths = map.iter().filter(|(known, _)| *known == column);
        let wanted = paths.find_map(|(_, path)| find(&record, path));
        let json = columns[column as usize].map(|span| &line[span.range()]);
        assert!(json.is_none_or(|json| json == json.trim_ascii()));
        let found = json.map(|json| serde_json::from_slice::<Value>(json).unwrap());
        assert_eq!(found.as_ref(), wanted, "{column:?} of {}", shown());
    }
    Some(columns.iter().flatten().count())
}

/// What a column of a map of one path finds.
fn one<'l>(path: &str, line: &'l str) -> Option<&'l str> {
    let columns = RecordReader::new(&[(Column::Id, path.into())]).unwrap().read(line.as_bytes()).unwrap();
    columns[Column::Id as usize].map(|span| &line[span.range()])
}

/// On lines made at random, with wild keys, equal keys and maps of many paths, the reader finds what a parser finds.
#[test]
fn reader_equals_a_parser() {
    let mut found = 0;
    for seed in 1..rounds(20_000) {
        let mut random = Random(seed);
        let (map, line) = (map(&mut random), line(&mut random));
        found += compare(&map, &line).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&line)));
    }
    assert!(found > 10_000, "{found}");
}

/// It refuses what the parser refuses when some bytes are wrong.
#[test]
fn reader_refuses_what_a_parser_refuses() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 1..rounds(20_000) {
        let mut random = Random(seed);
        let (map, mut line) = (map(&mut random), line(&mut random));
        for _ in 0..1 + random.below(3) {
            let place = random.below(line.len());
            line[place] = b"\"\\{}[],:0-.eE nu\x01\xc3a"[random.below(19)];
        }
        *if compare(&map, &line).is_some() { &mut taken } else { &mut refused } += 1;
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken} {refused}");
}

/// What the parser of bodies takes beyond the standard is taken here, too.
#[test]
fn lines_are_read_as_bodies_are() {
    assert_eq!(one("a", "\u{feff} {\"a\":NaN}"), Some("NaN"));
    assert_eq!(one("a", r#"{"b":"\ud800","a":-Infinity}"#), Some("-Infinity"));
    assert_eq!(one("a", r#"{"\ud800":1,"a":1e999}"#), Some("1e999"));
    assert_eq!(one("", "\u{feff} {\"a\":1} \r"), Some("{\"a\":1}"));
}

/// The rules of the map, one by one.
#[test]
fn the_last_key_and_the_first_path_count() {
    assert_eq!(one("a.b", r#"{"a":{"b":1},"a":{"c":2}}"#), None);
    assert_eq!(one("a.b", r#"{"a":{"b":1},"a":3}"#), None);
    assert_eq!(one("a.b", r#"{"a":{"b":1},"\u0061":{"b":null,"\u0062":4}}"#), Some("4"));
    assert_eq!(one("a", r#"{"a":1,"a":null}"#), None);
    assert_eq!(one("a.b", r#"{"a":[{"b":1}],"a.b":2}"#), None);
    let map = ["x", "y", "z"].map(|path| (Column::Time, path.to_string()));
    let reader = RecordReader::new(&map).unwrap();
    let time = |line: &str| reader.read(line.as_bytes()).unwrap()[0].map(|span| line[span.range()].to_string());
    assert_eq!(time(r#"{"z":3,"y":2,"x":1}"#).as_deref(), Some("1"));
    assert_eq!(time(r#"{"z":3,"y":2,"x":null}"#).as_deref(), Some("2"));
    assert_eq!(time(r#"{"z":"","y":null}"#).as_deref(), Some("\"\""));
    assert_eq!(time("{}"), None);
}

/// Anything but one object is no record.
#[test]
fn only_objects_are_records() {
    let reader = RecordReader::new(&[(Column::Id, String::new())]).unwrap();
    for line in ["", " ", "1", "\"{}\"", "[{}]", "null", "{}{}", "{} 1", "{", "}", "\u{feff}"] {
        assert_eq!(reader.read(line.as_bytes()), Err(Problem::NotJson), "{line}");
    }
    let whole = br#"{"a":{"b":[1,{"c":"\ud83d\ude00 text"}]},"d":-1.5e+3,"e":null}"#;
    let map = ["", "a.b", "d"].map(|path| (Column::Id, path.to_string()));
    let reader = RecordReader::new(&map).unwrap();
    assert!(reader.read(whole).is_ok());
    for length in 0..whole.len() {
        assert_eq!(reader.read(&whole[..length]), Err(Problem::NotJson), "{length}");
    }
}

/// Bytes that are no UTF-8 are named so, wherever they stand, and nothing else is looked at.
#[test]
fn bytes_that_are_no_text_are_refused() {
    let reader = RecordReader::new(&[(Column::Id, "a".into())]).unwrap();
    for wrong in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"] {
        for (before, after) in [("{\"a\":\"", "\"}"), ("{\"", "\":1}"), ("{", "}"), ("{}", "")] {
            let line = [before.as_bytes(), wrong, after.as_bytes()].concat();
            assert_eq!(reader.read(&line), Err(Problem::NotUtf8));
        }
    }
}

/// As many containers may be open as in bodies, whether a path leads into them or not, and one more is too deep.
#[test]
fn depth_is_bounded_on_and_off_the_path() {
    let deep = |keys: &[&str], open: &str, close: &str, containers: usize| {
        let inner = containers - keys.len();
        let head: String = keys.iter().map(|key| format!("{{\"{key}\":")).collect();
        format!("{head}{}0{}{}", open.repeat(inner), close.repeat(inner), "}".repeat(keys.len()))
    };
    let map = ["a.b.c", "d"].map(|path| (Column::Id, path.to_string()));
    let reader = RecordReader::new(&map).unwrap();
    let ways: [&[&str]; 6] = [&["a"], &["a", "b"], &["a", "b", "c"], &["a", "x"], &["d"], &["x"]];
    for keys in ways {
        for (open, close) in [("[", "]"), ("{\"b\":", "}")] {
            assert!(reader.read(deep(keys, open, close, MAX_DEPTH).as_bytes()).is_ok(), "{keys:?}");
            let one_more = deep(keys, open, close, MAX_DEPTH + 1);
            assert_eq!(reader.read(one_more.as_bytes()), Err(Problem::TooDeep), "{keys:?}");
        }
    }
}

/// A key may be as long as it likes; one that a path asks for is found however it is written.
#[test]
fn long_keys_are_harmless() {
    let longest = "k".repeat(MAX_KEY);
    let escaped = "\\u006b".repeat(MAX_KEY);
    assert_eq!(one(&longest, &format!("{{\"{escaped}\":1}}")), Some("1"));
    assert_eq!(one(&longest, &format!("{{\"{longest}\":1,\"{longest}k\":2,\"{escaped}\\u006b\":3}}")), Some("1"));
    let wide = "😀".repeat(MAX_KEY / 4);
    let escaped = "\\ud83d\\ude00".repeat(MAX_KEY / 4);
    assert_eq!(one(&wide, &format!("{{\"{escaped}\":1,\"{escaped}\\ud83d\\ude00\":2}}")), Some("1"));
    for endless in ["k".repeat(4 << 20), "\\u006b".repeat(1 << 20)] {
        assert_eq!(one("k", &format!("{{\"{endless}\":1,\"k\":2}}")), Some("2"));
    }
}

/// Equal keys cost no more than others: were each compared with those before it, this would not end.
#[test]
fn equal_keys_are_read_in_linear_time() {
    let map: Map = (0..MAX_PATHS).map(|number| (Column::ALL[number % COLUMNS], format!("a.b.k{number}"))).collect();
    let reader = RecordReader::new(&map).unwrap();
    let times = 300_000;
    let line = format!("{{{}\"a\":{{\"b\":{{\"k8\":7}}}}}}", "\"a\":{\"b\":{\"k0\":1,\"k0\":2}},".repeat(times));
    let mut wanted = Columns::default();
    let end = line.len() as u32 - 3;
    wanted[8 % COLUMNS] = Some(ratelimit_guard_core::prompt::fields::Span { start: end - 1, end });
    assert_eq!(reader.read(line.as_bytes()), Ok(wanted));
}

/// Wrong maps are refused with the column, the path and what to write.
#[test]
fn wrong_maps_are_refused() {
    let path = |path: &str| vec![(Column::Tenant, path.to_string())];
    let long = ["a"; MAX_STEPS + 1].join(".");
    let cases = [
        (path("a..b"), "keys of 1 to 64 bytes"),
        (path("."), "keys of 1 to 64 bytes"),
        (path(&"k".repeat(MAX_KEY + 1)), "keys of 1 to 64 bytes"),
        (path(&long), "more than 8 keys"),
        ([path("a"), path("a")].concat(), "another column has it"),
        ([path(""), path("")].concat(), "another column has it"),
    ];
    for (map, wanted) in cases {
        let error = RecordReader::new(&map).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error.fault(), Fault::Config) && text.contains(wanted), "{text}");
        assert!(text.contains("\"tenant\"") && text.contains(&format!("{:?}", map[0].1)), "{text}");
    }
    let many = |count: usize| -> Map { (0..count).map(|number| (Column::Id, number.to_string())).collect() };
    assert!(RecordReader::new(&many(MAX_PATHS)).is_ok() && RecordReader::new(&path(&long[2..])).is_ok());
    assert!(RecordReader::new(&many(MAX_PATHS + 1)).unwrap_err().to_string().contains("at most 64 paths"));
    assert!(Column::ALL.iter().enumerate().all(|(number, column)| *column as usize == number));
}
