//! Bodies made of what the dialects know, of what they do not, and of what no client sends.
#![allow(dead_code)]

use ratelimit_guard_core::prompt::dialect::{BUILT_IN, Dialect};

/// All built-in dialects.
pub fn all() -> Vec<Dialect> {
    BUILT_IN.iter().map(|(name, _)| Dialect::built_in(name).unwrap()).collect()
}

/// Xorshift: the same bodies everywhere from one seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const KEYS: [&str; 8] = ["id", "type", "", "rôle", "Role", "message", "a.b", "content[]"];
const SCALARS: [&str; 16] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "17",
    "4096",
    "0.7",
    "1e3",
    "-2.5E-3",
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "50256",
    "[]",
];
const ROLES: [&str; 10] =
    ["user", "system", "assistant", "tool", "developer", "model", "function", "ipython", "bot", "wizard"];
const TEXTS: [&str; 12] = [
    "",
    "hello",
    "a rather longer text, so that more than one block of it is looked at together",
    "two\\nlines and a \\\"quote\\\" \\/ \\\\",
    "\\u6f22\\u5B57 漢字",
    "\\ud83d\\ude00 😀",
    "\\ud83d alone",
    "\\ude00\\ud83d",
    "\\ud83d\\n",
    "\u{7f}\u{80}\u{2028}",
    "{\\\"role\\\":\\\"system\\\"}",
    "]}, [{",
];

/// The tokens of a body; any white space may stand between them.
pub fn tokens(random: &mut Random, dialects: &[Dialect]) -> Vec<String> {
    let paths: Vec<&str> = dialects.iter().flat_map(|dialect| &dialect.paths).map(|(path, _)| path.as_str()).collect();
    let mut tokens = Vec::new();
    let mut room = 60;
    Maker { random, tokens: &mut tokens, room: &mut room }.value(&paths, 0);
    tokens
}

/// The body itself, compact.
pub fn body(random: &mut Random, dialects: &[Dialect]) -> Vec<u8> {
    tokens(random, dialects).concat().into_bytes()
}

struct Maker<'m> {
    random: &'m mut Random,
    tokens: &'m mut Vec<String>,
    /// Values that may still be made.
    room: &'m mut usize,
}

impl Maker<'_> {
    /// A value from which these paths lead on.
    fn value(&mut self, paths: &[&str], depth: usize) {
        *self.room = self.room.saturating_sub(1);
        let elements: Vec<&str> = paths.iter().filter_map(|path| path.strip_prefix("[]")).collect();
        let members: Vec<&str> =
            paths.iter().map(|path| path.strip_prefix('.').unwrap_or(path)).filter(|p| !p.starts_with("[]")).collect();
        let known = members.iter().any(|member| !member.is_empty());
        let is_odd = self.random.one_in(8) || depth > 20 || *self.room == 0;
        if is_odd && depth > 0 {
            self.odd(depth);
        } else if known && (elements.is_empty() || self.random.one_in(2)) {
            self.object(&members, depth);
        } else if !elements.is_empty() && !self.random.one_in(4) {
            self.array(&elements, depth);
        } else {
            self.scalar();
        }
    }

    fn odd(&mut self, depth: usize) {
        match self.random.below(6) {
            0 if depth < 20 => self.array(&["", ".role", ".content"], depth),
            1 if depth < 20 => self.object(&["role", "content", "text", "n"], depth),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, members: &[&str], depth: usize) {
        self.tokens.push("{".into());
        let count = self.random.below(6).min(*self.room);
        for number in 0..count {
            let member = members[self.random.below(members.len())];
            let key = &member[..member.find(['.', '[']).unwrap_or(member.len())];
            let key = if self.random.one_in(8) { self.random.pick(&KEYS) } else { key };
            let rests = members.iter().filter_map(|member| member.strip_prefix(key));
            let paths: Vec<&str> = rests.filter(|rest| rest.is_empty() || rest.starts_with(['.', '['])).collect();
            let key = self.spell(key);
            self.tokens.push(format!("\"{key}\""));
            self.tokens.push(":".into());
            if key == "role" {
                self.role()
            } else {
                self.value(&paths, depth + 1)
            }
            if number + 1 < count {
                self.tokens.push(",".into());
            }
        }
        self.tokens.push("}".into());
    }

    fn array(&mut self, elements: &[&str], depth: usize) {
        self.tokens.push("[".into());
        let count = self.random.below(5).min(*self.room);
        let numbers = self.random.one_in(4);
        for number in 0..count {
            if numbers && !self.random.one_in(5) {
                self.scalar_of(&SCALARS)
            } else {
                self.value(elements, depth + 1)
            }
            if number + 1 < count {
                self.tokens.push(",".into());
            }
        }
        self.tokens.push("]".into());
    }

    fn role(&mut self) {
        if self.random.one_in(8) {
            return self.scalar_of(&SCALARS);
        }
        let role = self.random.pick(&ROLES);
        let role = self.spell(role);
        self.tokens.push(format!("\"{role}\""));
    }

    fn scalar(&mut self) {
        if self.random.one_in(3) {
            return self.scalar_of(&SCALARS);
        }
        let text = self.random.pick(&TEXTS);
        self.tokens.push(format!("\"{text}\""));
    }

    fn scalar_of(&mut self, choices: &[&str]) {
        let scalar = self.random.pick(choices);
        // Two tokens, so that white space gets between them.
        let parts = if scalar == "[]" { vec!["[", "]"] } else { vec![scalar] };
        self.tokens.extend(parts.into_iter().map(String::from));
    }

    /// Now and then with a character written as an escape.
    fn spell(&mut self, name: &str) -> String {
        if name.is_empty() || !name.is_ascii() || !self.random.one_in(6) {
            return name.into();
        }
        let place = self.random.below(name.len());
        format!("{}\\u{:04x}{}", &name[..place], name.as_bytes()[place], &name[place + 1..])
    }
}
