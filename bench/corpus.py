"""Texts from a seed: invented words by Zipf's law, in sentences and paragraphs. Nobody's prompts."""

from __future__ import annotations

import base64
import json
import random
import re
from itertools import accumulate

ONSETS = [*"bcdfghjklmnprstvw" * 2, "br", "ch", "cl", "dr", "fl", "gr", "pl", "sh", "sp", "st", "th", "tr", *[""] * 6]
VOWELS = [*"aeiou" * 3, "ai", "ea", "ee", "oo", "ou"]
CODAS = [*"bdglmnprstx", "ck", "nd", "ng", "nt", "rd", "st", "th", *[""] * 10]
ENDINGS = [".", ".", ".", ".", "?", "!"]
WORDS = 20_000
WORD = re.compile(r"[a-z0-9_]+")


class Corpus:
    """The same seed gives the same texts in the same order."""

    def __init__(self, seed: int, words: int = WORDS) -> None:
        self.random = random.Random(seed)
        self.vocabulary = self._vocabulary(words)
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(1, words + 1)))

    def _vocabulary(self, size: int) -> list[str]:
        """Frequent words are short: one syllable for the first hundred, up to five for the rarest."""
        draw, found = self.random, {}
        while len(found) < size:
            rank = len(found)
            syllables = 1 if rank < 100 else draw.choice((1, 2, 2) if rank < 2_000 else (2, 3, 3, 4, 5))
            word = "".join(draw.choice(ONSETS) + draw.choice(VOWELS) for _ in range(syllables)) + draw.choice(CODAS)
            if len(word) <= (4 if rank < 50 else 14):
                found[word] = None
        return list(found)

    def words(self, count: int) -> list[str]:
        """`count` words; one in fifty is a number."""
        words = self.random.choices(self.vocabulary, cum_weights=self.weights, k=count)
        return [str(self.random.randrange(3_000)) if self.random.random() < 0.02 else word for word in words]

    def sentence(self) -> str:
        """4 to 22 words, 78 bytes on average."""
        words = self.words(self.random.randint(4, 22))
        if len(words) > 10:
            words[len(words) // 2] += ","
        return " ".join(words).capitalize() + self.random.choice(ENDINGS)

    def text(self, size: int) -> str:
        """Paragraphs of 3 to 7 sentences, cut off after exactly `size` bytes."""
        parts, length = [], 0
        while length < size:
            paragraph = " ".join(self.sentence() for _ in range(self.random.randint(3, 7))) + "\n\n"
            parts.append(paragraph)
            length += len(paragraph)
        return "".join(parts)[:size]

    def sentences(self, count: int) -> list[str]:
        return [self.sentence() for _ in range(count)]

    def family(self, members: int) -> list[str]:
        """One template, filled in `members` times: two sentences where one to four places take one to three words."""
        frame = f"{self.sentence()} {self.sentence()}".split(" ")
        places = set(self.random.sample(range(len(frame)), min(len(frame), self.random.randint(1, 4))))

        def fill(at: int, word: str) -> str:
            return " ".join(self.words(self.random.randint(1, 3))) if at in places else word

        return [" ".join(fill(at, word) for at, word in enumerate(frame)) for _ in range(members)]

    def edited(self, text: str, rate: float) -> str:
        """Of the words `rate` (at least one) replaced, left out, or followed by a new one."""
        words = text.split(" ")
        edits = max(1, round(rate * len(words)))
        for place in sorted(self.random.sample(range(len(words)), min(edits, len(words))), reverse=True):
            new, kind = self.words(1), self.random.random()
            words[place : place + 1] = new if kind < 0.6 else [] if kind < 0.8 else [words[place], *new]
        return " ".join(words)

    def code(self, size: int) -> str:
        """Short lines with quotes, tabs and a few letters beyond ASCII: what JSON escapes most."""
        lines, length = [], 0
        while length < size:
            one, two, three = self.words(3)
            line = f'\tif {one}["{two}"] != "\\{three}":\n\t\tprint("caf\u00e9 \u2192 {one}", "{three}\u2026")\n'
            lines.append(line)
            length += len(line)
        return "".join(lines)[:size]

    def chinese(self, size: int) -> str:
        """Han characters by Zipf's law with a stop now and then; `size` bytes of UTF-8 and up to two less."""
        weights = list(accumulate(1 / rank for rank in range(1, 3_001)))
        codes = self.random.choices(range(0x4E00, 0x4E00 + 3_000), cum_weights=weights, k=size // 3)
        return "".join("\u3002" if self.random.random() < 0.05 else chr(code) for code in codes)

    def base64(self, size: int) -> str:
        return base64.b64encode(self.random.randbytes(size * 3 // 4)).decode()

    def emoji(self, size: int) -> str:
        return "".join(map(chr, self.random.choices(range(0x1F600, 0x1F650), k=size // 4)))

    def accents(self, size: int) -> str:
        """Every letter with an accent, and every second one with another heaped on it."""
        letters = self.random.choices("\u00e9\u00e8\u00f1\u00fc\u00f4\u00e5\u010d\u0159 ", k=size // 3)
        return "".join(letter + ("\u0301" if at % 2 and letter != " " else "") for at, letter in enumerate(letters))

    def three_word_lines(self, size: int) -> str:
        lines, length = [], 0
        while length < size:
            line = " ".join(self.words(3)) + "\n"
            lines.append(line)
            length += len(line)
        return "".join(lines)[:size]


def shingles(text: str) -> set[tuple[str, ...]]:
    """The set that a word 3-shingle sketch stands for, by its definition."""
    words = WORD.findall(text.lower())
    return set(zip(words, words[1:], words[2:], strict=False))


def jaccard(one: set, two: set) -> float:
    return len(one & two) / len(one | two)


def chat(*messages: tuple[str, str | list], ascii_only: bool = False, **parameters: object) -> bytes:
    """The body of a chat request, as a client's JSON library writes it: (role, content) in order."""
    listed = [{"role": role, "content": content} for role, content in messages]
    body = {"model": "chat-large", "messages": listed, "max_tokens": 512, "temperature": 0.7, **parameters}
    return json.dumps(body, ensure_ascii=ascii_only).encode()
