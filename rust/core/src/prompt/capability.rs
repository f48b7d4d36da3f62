//! What a prompt asks the model to do, by the words of a small lexicon.
//!
//! Each line of [`LEXICON`] is one notion, in whatever language and form, and counts once however often it is met: a
//! text about the function of the heart says "function" twenty times and no second word of programs. What is asked
//! stands at the ends of a text, and in between stands what the work is done on, so only the [`ENDS`] are looked at.
//! A hint and no evidence: a sum told as a story is missed, "follow the instructions and generate a report" misread.

use super::normalize::normalize;
use super::words::{Keys, Words};
use crate::hash::mix;
use Capability::{Code, Instructions, Maths, Tools, Writing};

/// What an answer would show of the model. At equal points the earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capability {
    /// Programs.
    Code,
    /// Calculation and proof.
    Maths,
    /// Calls of tools or functions.
    Tools,
    /// Tasks, questions and instructions made up for others to answer.
    Instructions,
    /// Texts of some form.
    Writing,
    /// None of these, or too little to say.
    #[default]
    Other,
}

impl Capability {
    /// All of them, in the order of ties.
    pub const ALL: [Self; 6] = [Self::Code, Self::Maths, Self::Tools, Self::Instructions, Self::Writing, Self::Other];

    /// The name in events and in Python.
    pub fn name(self) -> &'static str {
        ["code", "maths", "tools", "instructions", "writing", "other"][self as usize]
    }
}

/// Words that are read at the start and at the end of system text and last turn.
pub const ENDS: usize = 48;
/// Points that name a capability; a body that declares tools has as many for these.
pub const ENOUGH: u32 = 2;

/// Notions: what each counts for, its points, and its words, none in two lines. One that has a second common sense has
/// one point: "code" is also of conduct, a "letter" often given. To write is to program when a function is written.
pub const LEXICON: [(&[Capability], u32, &str); 26] = [
    (&[Code], 2, "python javascript typescript java sql regex def const printf refactor"),
    (&[Code, Tools], 1, "function functions funktion funcion fonction 函"),
    (&[Code, Writing], 1, "write writing draft schreibe schreib escribe ecris redige 写"),
    (&[Code], 1, "code codigo quellcode 码"),
    (&[Code], 1, "代"),
    (&[Code], 1, "program programm programa programme implement"),
    (&[Code], 1, "algorithm algorithmus algoritmo"),
    (&[Code], 1, "array arrays string"),
    (&[Code], 1, "debug bug compile traceback html css php"),
    (&[Maths], 2, "theorem polynomial eigenvalue algebra calculus frac"),
    (&[Maths], 2, "equation equations gleichung ecuacion math maths mathematics"),
    (&[Maths], 1, "solve prove proof resuelve demuestra beweise"),
    (&[Maths], 1, "calculate compute berechne calcula 算"),
    (&[Maths], 1, "sum summe multiplied divided x 乘"),
    (&[Maths], 1, "integer integers divisible triangle radius"),
    (&[Maths], 1, "derivative integral matrix probability 积"),
    (&[Tools], 2, "tool_call tool_calls tool_use function_call"),
    (&[Tools], 1, "tool tools werkzeuge herramientas outils"),
    (&[Tools], 1, "call calling invoke"),
    (&[Tools], 1, "api arguments parameters"),
    (&[Instructions], 1, "tasks questions instructions prompt prompts fragen aufgaben preguntas tareas taches"),
    (&[Instructions], 1, "generate create come diverse series varied genera generiere erstelle generez"),
    (&[Instructions], 1, "quiz trivia exam"),
    (&[Writing], 2, "poem poems essay sonnet haiku lyrics gedicht poema poeme 诗"),
    (&[Writing], 1, "story geschichte cuento fiction rhyme 故"),
    (&[Writing], 1, "letter email article blog speech tell carta 篇"),
];

/// Bits of a hash that say where a word is looked up.
const PLACE_BITS: u32 = 12;
/// The lowest bits of a slot say which notion; those above are the hash's own.
const NOTION: u64 = 63;

/// The lexicon under one secret. 6 KiB.
#[derive(Clone, Debug)]
pub struct Lexicon {
    /// One under which no two words share a place: no search, and no branch that a processor cannot guess.
    factor: u64,
    /// Number of the slot of each place's word; slot 0 is nobody's.
    places: [u8; 1 << PLACE_BITS],
    slots: [u64; 256],
    /// For each capability the notions of one point and those of two.
    worth: [[u64; 2]; Capability::ALL.len()],
}

impl Lexicon {
    /// Hash all words as those of a text, and try about 15 factors: 5 µs.
    pub fn new(keys: &Keys) -> Self {
        let (mut slots, mut worth) = ([0; 256], [[0; 2]; Capability::ALL.len()]);
        let (mut text, mut words) = (Vec::new(), Words::default());
        for (notion, (counts_for, points, line)) in LEXICON.iter().enumerate() {
            let first = words.hashes().len();
            text.clear();
            normalize(line.as_bytes(), false, usize::MAX, &mut text);
            words.cut::<false>(&mut text, keys);
            for (slot, word) in slots[1 + first..].iter_mut().zip(&words.hashes()[first..]) {
                *slot = word & !NOTION | notion as u64;
            }
            counts_for.iter().for_each(|&capability| worth[capability as usize][*points as usize - 1] |= 1 << notion);
        }
        let mut places = [0; 1 << PLACE_BITS];
        let is_good = |factor: &u64| {
            places.fill(0);
            let mut numbered = (1..).zip(words.hashes());
            numbered.all(|(number, &word)| std::mem::replace(&mut places[place(word, *factor)], number) == 0)
        };
        let factor = (1..).map(|number| mix(number) | 1).find(is_good).unwrap_or(1);
        Self { factor, places, slots, worth }
    }

    /// A bit for each notion that is met. Cost: a nanosecond a word.
    #[inline(always)]
    fn notions(&self, words: &[u64]) -> u64 {
        words.iter().fold(0, |met, &word| {
            let slot = self.slots[usize::from(self.places[place(word, self.factor)])];
            met | u64::from((slot ^ word) & !NOTION == 0) << (slot & NOTION)
        })
    }
}

#[inline(always)]
fn place(word: u64, factor: u64) -> usize {
    (word.wrapping_mul(factor) >> (u64::BITS - PLACE_BITS)) as usize
}

/// What is asked with these words, and with tools declared or not: the most points, if they are enough.
#[inline(always)]
pub fn capability(system: &[u64], user: &[u64], has_tools: bool, lexicon: &Lexicon) -> Capability {
    let mut met = 0;
    for words in [system, user] {
        let (head, rest) = words.split_at(words.len().min(ENDS));
        met |= lexicon.notions(head) | lexicon.notions(&rest[rest.len().saturating_sub(ENDS)..]);
    }
    // Points and then the place, backwards, in one number: no branch here either.
    let mut most = ENOUGH * 8 - 1;
    for (capability, [one, two]) in Capability::ALL.into_iter().zip(&lexicon.worth) {
        let declared = if has_tools && capability == Tools { ENOUGH } else { 0 };
        let points = (met & one).count_ones() + 2 * (met & two).count_ones() + declared;
        most = most.max(points * 8 + 7 - capability as u32);
    }
    if most >= ENOUGH * 8 { Capability::ALL[7 - most as usize % 8] } else { Capability::Other }
}
