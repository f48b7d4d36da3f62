//! What is asked: as the twin says, and by the rules that the lexicon has.

use super::*;
use proptest::prelude::*;
use ratelimit_guard_core::prompt::capability::{Capability, ENDS, LEXICON};
use std::collections::HashSet;
use texts::cases;

fn lexicon() -> Vec<&'static str> {
    LEXICON.iter().flat_map(|(_, _, line)| line.split(' ')).collect()
}

/// Texts in which some words are of the lexicon.
fn telling_text() -> impl Strategy<Value = String> {
    let word = (any::<bool>(), any::<prop::sample::Index>());
    let write = |(tells, which): &(bool, prop::sample::Index)| {
        if *tells { which.get(&lexicon()).to_string() } else { format!("w{}", which.index(1_000)) }
    };
    let text = move |words: Vec<_>| words.iter().map(write).collect::<Vec<_>>().join(" ");
    prop_oneof![prop::collection::vec(word.clone(), 0..8), prop::collection::vec(word, 0..300)].prop_map(text)
}

fn asked(system: &str, user: &str, tools: u32) -> Capability {
    let mut body = Body::default();
    body.push(Role::System, 0, system, Style::Raw);
    body.push(Role::User, 1, user, Style::Raw);
    let mut fields = body.fields();
    fields.tools = tools;
    facts(&body.bytes, &fields, &secret(), &mut Scratch::default()).capability
}

proptest! {
    #![proptest_config(cases(400))]

    /// Under any secret, which decides where the words of the lexicon are looked up.
    #[test]
    fn capability_equals_its_twin(
        system in telling_text(), user in telling_text(), tools in 0u32..3, seed in any::<[u64; 2]>(),
    ) {
        let mut body = Body::default();
        body.push(Role::System, 0, &system, Style::Raw);
        body.push(Role::User, 1, &user, Style::Raw);
        let mut fields = body.fields();
        fields.tools = tools;
        let fast = facts(&body.bytes, &fields, &Keys::new(Seed(seed)), &mut Scratch::default());
        let slow = naive::facts_with_tools(&body.bytes, &body.pieces, tools, seed);
        prop_assert_eq!(difference(&fast, &slow), NONE);
    }

    /// However often a word of one point is said, and whatever stands far from both ends of a text.
    #[test]
    fn one_notion_is_not_enough(which in any::<prop::sample::Index>(), times in 1usize..60, far in telling_text()) {
        let plain: Vec<_> = LEXICON.iter().filter(|(_, points, _)| *points == 1).collect();
        let line = which.get(&plain).2;
        prop_assert_eq!(asked(line, &format!("{line} ").repeat(times), 0), Capability::Other);
        let nothing = "nothing ".repeat(ENDS);
        prop_assert_eq!(asked("", &format!("{nothing} {far} {nothing}"), 0), Capability::Other);
    }
}

/// Small, no word twice, and each a word as texts have them.
#[test]
fn lexicon_is_small_and_in_normal_form() {
    let words = lexicon();
    assert!(words.len() <= 150 && LEXICON.len() <= 64);
    assert_eq!(words.iter().collect::<HashSet<_>>().len(), words.len());
    for word in words {
        let found = naive::words::words(&naive::words::normal(word.as_bytes()), &naive::words::secrets(SEED));
        assert_eq!(found.len(), 1, "{word}");
        assert!(found[0].hash == found[0].masked, "{word}");
        assert!(naive::words::normal(word.as_bytes()).escape_ascii().to_string().contains(word) || !word.is_ascii());
    }
    assert!(LEXICON.iter().all(|(counts_for, points, _)| !counts_for.is_empty() && [1, 2].contains(points)));
}

/// A strong word is enough and so are two others; equal points go to the earlier; a tool that is declared weighs as a
/// strong word.
#[test]
fn the_most_points_win() {
    let wanted = [
        ("", "", 0, Capability::Other),
        ("", "python", 0, Capability::Code),
        ("python", "", 0, Capability::Code),
        ("code", "", 0, Capability::Other),
        ("code", "algorithm", 0, Capability::Code),
        ("", "write function", 0, Capability::Code),
        ("", "write letter", 0, Capability::Writing),
        ("theorem", "python", 0, Capability::Code),
        ("theorem", "python solve", 0, Capability::Maths),
        ("", "hello", 1, Capability::Tools),
        ("", "", 1, Capability::Tools),
        ("", "python", 2, Capability::Code),
        ("", "poem", 1, Capability::Tools),
        ("", "poem story", 1, Capability::Writing),
    ];
    for (system, user, tools, capability) in wanted {
        assert_eq!(asked(system, user, tools), capability, "{system:?} {user:?} {tools}");
    }
}

/// The names are those of Python, and numbers are places in the list.
#[test]
fn names_are_in_order() {
    let names = Capability::ALL.map(Capability::name);
    assert_eq!(names, ["code", "maths", "tools", "instructions", "writing", "other"]);
    assert!(Capability::ALL.iter().enumerate().all(|(place, capability)| *capability as usize == place));
}
