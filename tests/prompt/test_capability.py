"""What a prompt asks the model to do."""

from __future__ import annotations

import json

import pytest

from prompt.helpers import READER, STORY, chat, message, read
from ratelimit_guard.prompt import Reader

PROMPTS = [
    ("code", "Write a Python script that renames all photos in a folder by date."),
    ("code", "Implement a binary search. Give me the code only."),
    ("code", "Fix this:\n\ndef mean(xs):\n    return sum(xs) / len(xs)"),
    ("code", "Write a function that reverses the words of a sentence."),
    ("code", "Please debug my program, it stops after the first line"),
    ("code", "Escribe una función que sume los elementos de una lista."),
    ("code", "Schreibe eine Funktion, die prüft, ob ein Wort ein Palindrom ist."),
    ("code", "请写一个函数判断一个年份是否为闰年。"),
    ("code", "解释下面这段代码的作用"),
    ("code", "Which algorithm sorts an array that is nearly sorted fastest?"),
    ("maths", "Solve for x: 3x + 7 = 2x - 9"),
    ("maths", "Prove that the sum of two odd integers is even."),
    ("maths", "What is the derivative of x^3 - 4x?"),
    ("maths", "Find the roots of the polynomial t^2 - 5t + 6."),
    ("maths", "Calculate the probability of two sixes in five throws."),
    ("maths", "Resuelve la ecuación 4y - 8 = 12 paso a paso."),
    ("maths", "计算 x 的积分"),
    ("maths", "Simplify \\frac{12}{18} as far as you can."),
    ("tools", "Call the weather tool for Paris and Rome."),
    ("tools", "You have these functions: get_time, set_alarm. Which would you call, and with which arguments?"),
    ("tools", "Answer with a tool_call or with plain text."),
    ("tools", "Invoke the calendar API to move my meeting to noon."),
    ("instructions", "Come up with a series of tasks for a household robot."),
    ("instructions", "Generate 20 diverse instructions that a language model could be given."),
    ("instructions", "Generate ten questions that test what a reader of the text below has understood."),
    ("instructions", "Create a set of varied prompts on marine biology."),
    ("instructions", "Come up with ten tasks that no computer can do yet."),
    ("instructions", "Make a quiz of eight questions about Norse gods."),
    ("instructions", "Erstelle 15 Fragen über die Hanse."),
    ("instructions", "Genera preguntas de examen sobre la Revolución Francesa."),
    ("writing", "Write a poem about rain on a tin roof."),
    ("writing", "Draft a letter to my landlord about the broken heating."),
    ("writing", "Tell me a bedtime story with a fox in it."),
    ("writing", "Write an essay on whether zoos should exist."),
    ("writing", "Schreib eine kurze Geschichte über einen Leuchtturm."),
    ("writing", "写一首关于秋天的诗"),
    ("writing", "A haiku, please. The topic: Mondays."),
    ("writing", "Write a cheerful email to all customers about our new opening hours."),
    ("other", ""),
    ("other", "What is the capital of Mongolia?"),
    ("other", "Translate into Dutch: the train leaves at nine."),
    ("other", "What is the function of the heart? And the function of the lungs?"),
    ("other", "Which code of conduct do journalists follow?"),
    ("other", "Summarise this article in two sentences: the council voted to close the pool."),
    ("other", "Answer the following questions with yes or no."),
    ("other", "Is this product worth the price? Its reviews are mixed."),
    ("other", "Where can I rent gardening tools near Leeds?"),
    ("other", STORY),
]  # fmt: skip


@pytest.mark.parametrize(("capability", "text"), PROMPTS)
def test_capability_is_what_is_asked(capability: str, text: str) -> None:
    """In a handful of languages; a word with two senses names nothing by itself."""
    assert read(text).capability == capability


def test_secret_changes_nothing() -> None:
    """The lexicon is hashed like the prompts, under any secret."""
    for number in range(50):
        reader = Reader(secret=b"a secret of many bytes" + bytes([number]))
        assert all(reader.read(chat(message("user", text))).capability == wanted for wanted, text in PROMPTS)


def test_ends_are_read_and_the_middle_is_not() -> None:
    """A document between question and answer may be about anything; a question behind it counts."""
    filler = "and so the winter went on " * 20
    program = "Here is python code with a function and an algorithm. "
    assert read(filler + program + filler).capability == "other"
    assert read(program + filler).capability == read(filler + program).capability == "code"
    system = chat(message("system", "You are a maths tutor."), message("user", "What comes next?"))
    assert READER.read(system).capability == "maths"


TOOL = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("declared", "capability"),
    [({"tools": [TOOL]}, "tools"), ({"functions": [{"name": "weather"}]}, "tools"), ({"tools": []}, "other")],
)
def test_declared_tools_ask_for_tools(declared: dict[str, object], capability: str) -> None:
    """Unless the words say as much of something else."""

    def asked(text: str) -> str:
        return READER.read(json.dumps({"messages": [message("user", text)], **declared}).encode()).capability

    assert asked("Will it rain?") == capability
    assert asked("Write a Python function") == "code"
