"""How many tokens a model really counts where we counted one, learned from the usage that upstreams report."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

GAIN, DEVIATION_GAIN = 1 / 8, 1 / 4
"""Those of RFC 6298: a new answer moves the mean by an eighth, and what it is off by a quarter."""
SPREAD = 2.0
"""Deviations above the mean that are reserved: nearly all prompts need less, and get the rest back."""
LOWEST, HIGHEST = 0.25, 8.0
"""What is believed: a tokenizer that makes more of a text than this is none, and an upstream that says so is broken.
Thinking that is paid for and not shown makes an answer's tokens many more than its text.
"""
FEWEST = 16
"""Tokens of an estimate that something is learned from: of a few words the rounding is too large a part."""
MAX_MODELS = 256
"""Models remembered. Their names come with requests, but only those count that an upstream answered for."""
MAX_NAME = 128
"""Characters of a model's name that tell it from others."""


class Ratio:
    """A running mean and its deviation."""

    __slots__ = ("_deviation", "mean")

    def __init__(self) -> None:
        """Estimates are good to a fifth before anything is known."""
        self.mean, self._deviation = 1.0, 0.1

    @property
    def safe(self) -> float:
        """What nearly always suffices."""
        return min(HIGHEST, self.mean + SPREAD * self._deviation)

    def learn(self, used: int, estimated: int) -> None:
        """Take one answer into account."""
        if estimated < FEWEST:
            return
        ratio = min(HIGHEST, max(LOWEST, used / estimated))
        self._deviation += DEVIATION_GAIN * (abs(ratio - self.mean) - self._deviation)
        self.mean += GAIN * (ratio - self.mean)


class ModelRatios:
    """Those of one model."""

    __slots__ = ("input", "output")

    def __init__(self) -> None:
        """Nothing is known."""
        self.input, self.output = Ratio(), Ratio()


class Ratios:
    """Those of all models, the latest used ones. Thread-safe."""

    __slots__ = ("_lock", "_models", "_unknown")

    def __init__(self) -> None:
        """Nothing is known."""
        self._models: OrderedDict[str, ModelRatios] = OrderedDict()
        self._unknown = ModelRatios()
        self._lock = Lock()

    def of(self, model: str) -> ModelRatios:
        """What is known about a model."""
        return self._models.get(model[:MAX_NAME], self._unknown)

    def learn(self, model: str, *, input: tuple[int, int] | None, output: tuple[int, int] | None) -> None:  # noqa: A002
        """Learn from an answer: each (used, estimated), None where the upstream has not said."""
        with self._lock:
            known = self._known(model[:MAX_NAME])
            if input is not None:
                known.input.learn(*input)
            if output is not None:
                known.output.learn(*output)

    def _known(self, name: str) -> ModelRatios:
        known = self._models.setdefault(name, ModelRatios())
        self._models.move_to_end(name)
        if len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return known
