"""A simulated request, as both sinks need it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL = "simulated"
PATH = "/v1/chat/completions"
NO_ANSWERS: Mapping[str, str] = {}


class Message(NamedTuple):
    """A turn of a conversation. `answer_of` is the id of the call whose answer it is, else empty."""

    role: Literal["system", "user", "assistant"]
    content: str
    answer_of: str = ""


class Account(NamedTuple):
    """Who calls. `credential` is the bearer token; `kind` is what the account is, for those who count."""

    name: str
    tenant: str
    credential: str
    address: str
    kind: str


@dataclass(frozen=True, slots=True)
class Call:
    """A chat completion at `time` (Unix seconds).

    `answer` is the text that the model would give, of `answer_tokens`; `continued` says that a later call quotes it.
    `attack` calls are what a campaign wants answered, and not its cover.
    """

    time: float
    id: str
    sender: Account
    messages: tuple[Message, ...]
    answer: str
    answer_tokens: int
    continued: bool = False
    attack: bool = False

    @property
    def account(self) -> str:
        """The account's name."""
        return self.sender.name

    @property
    def tenant(self) -> str:
        """Whose account it is."""
        return self.sender.tenant

    @property
    def credential(self) -> str:
        """The bearer token."""
        return self.sender.credential

    @property
    def address(self) -> str:
        """Where it comes from."""
        return self.sender.address

    @property
    def kind(self) -> str:
        """What the account is: `heavy`, `small`, `class`, `viral`, `agency` or `campaign:…`."""
        return self.sender.kind

    @property
    def body(self) -> bytes:
        """The request's body, with the invented answers in its conversation."""
        return self.body_with(NO_ANSWERS)

    def quoted(self) -> tuple[str, ...]:
        """Ids of the calls whose answers it quotes, the oldest first."""
        return tuple(message.answer_of for message in self.messages if message.answer_of)

    def request(self, answers: Mapping[str, str] = NO_ANSWERS) -> dict[str, Any]:
        """The body as an object; `answers` replace the invented ones of the calls that they name."""
        turns = [
            {"role": one.role, "content": answers.get(one.answer_of, one.content) if one.answer_of else one.content}
            for one in self.messages
        ]
        return {"model": MODEL, "messages": turns}

    def body_with(self, answers: Mapping[str, str]) -> bytes:
        """The body as JSON."""
        return json.dumps(self.request(answers), ensure_ascii=False).encode()
