"""The generator: all accounts of a scenario, merged in the order of simulated time."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from heapq import merge
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING

from ratelimit_guard.simulate import campaigns, honest
from ratelimit_guard.simulate.call import Account, Call, Message
from ratelimit_guard.simulate.clock import Span, human, lesson, number, steady
from ratelimit_guard.simulate.scenario import DAY
from ratelimit_guard.simulate.writer import Writer, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ratelimit_guard.simulate.clock import Clock
    from ratelimit_guard.simulate.honest import Speak, Turn
    from ratelimit_guard.simulate.scenario import Campaign, Scenario

HISTORY = 12
"""Messages of a conversation that a client sends along."""

PACK = 10
"""Templates that an agency gives its clients."""

CUSTOMER_REQUESTS = 20.0
"""Of a relay's customer in a day."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who calls: through his own account, or through any of a relay's `accounts`.

    `make` builds his habits from a writer that is the same for each day of a seed.
    """

    name: str
    accounts: tuple[Account, ...]
    make: Callable[[Writer], Speak]
    clock: Clock
    requests: float
    spread: float = 0.0


def generate(scenario: Scenario, seed: int) -> Iterator[Call]:
    """All calls of a scenario in the order of time; the same for a seed, on every machine.

    Lazy: memory is that of the accounts (about 10 KB each) and does not grow with `days`. Cost: 100 µs a call.
    """
    streams = [_calls(actor, scenario, seed) for actor in population(scenario, seed)]
    return merge(*streams, key=attrgetter("time"))


def population(scenario: Scenario, seed: int) -> list[Actor]:
    """Everybody who calls."""
    made: list[Actor] = []

    def add(
        kind: str, count: int, make: Callable[[Writer], Speak], clock: Clock, requests: float, spread: float
    ) -> None:
        names = [f"{kind} {place}" for place in range(count)]
        made.extend(Actor(name, (_account(seed, name, kind),), make, clock, requests, spread) for name in names)

    add("heavy", scenario.heavy, honest.program, steady, scenario.heavy_requests, 0.2)
    add("small", scenario.small, honest.person, human, scenario.small_requests, 0.8)
    for place in range(scenario.classes):
        pupil = honest.pupil(honest.exercises(seed, place))
        for seat in range(scenario.class_size):
            name = f"class {place} {seat}"
            account = _account(seed, name, "class", network=f"class {place}")
            made.append(Actor(name, (account,), pupil, lesson, scenario.class_requests, 0.4))
    add("viral", scenario.viral, honest.follower(news=scenario.news), human, scenario.viral_requests, 0.6)
    writer = Writer(seed, "pack")
    pack = [honest.template(writer) for _ in range(PACK)]
    add("agency", scenario.agency, honest.agent(pack), steady, scenario.agency_requests, 0.4)
    for place, campaign in enumerate(scenario.campaigns):
        made += _members(campaign, place, seed)
    return made


def accounts(scenario: Scenario, seed: int) -> list[Account]:
    """Every account of a scenario once, in a fixed order."""
    return list(dict.fromkeys(one for actor in population(scenario, seed) for one in actor.accounts))


def _members(campaign: Campaign, place: int, seed: int) -> list[Actor]:
    kind = f"campaign:{campaign.tier}"
    names = [f"{kind} {place} {member}" for member in range(campaign.accounts)]
    pool = tuple(_account(seed, name, kind) for name in names)
    make = campaigns.members(campaign.tier, Writer(seed, kind, place, "stock"))
    if campaign.tier != "relay":
        return [
            Actor(name, (account,), make, steady, campaign.requests) for name, account in zip(names, pool, strict=True)
        ]
    people = ceil(campaign.accounts * campaign.requests / CUSTOMER_REQUESTS)
    each = campaign.accounts * campaign.requests / max(people, 1)
    return [Actor(f"{kind} {place} customer {one}", pool, make, human, each, 0.5) for one in range(people)]


def _account(seed: int, name: str, kind: str, network: str = "") -> Account:
    """Names tell nothing of the kind. Addresses are private ones: nobody's."""
    mark = _digest(seed, name, "account")
    where = bytes.fromhex(_digest(seed, network or name, "network"))
    host = int(mark[:2], 16) % 254 + 1
    return Account(
        name=f"key_{mark[:10]}",
        tenant=f"org_{_digest(seed, name, 'tenant')[:10]}",
        credential=f"sk-sim-{_digest(seed, name, 'credential')}",
        address=f"10.{where[0]}.{where[1]}.{host}",
        kind=kind,
    )


def _digest(*what: object) -> str:
    return blake2b(" ".join(map(str, what)).encode(), digest_size=16).hexdigest()


def _calls(actor: Actor, scenario: Scenario, seed: int) -> Iterator[Call]:
    speak = actor.make(Writer(seed, actor.name, "habits"))
    w = Writer(seed, actor.name, scenario.start)
    sent = 0
    for day in range(ceil(scenario.days)):
        seconds = min(DAY, (scenario.days - day) * DAY)
        span = Span(scenario.start + day * DAY, seconds)
        for sitting in actor.clock(w, number(w, actor.requests * seconds / DAY, actor.spread), span):
            turns = _turns(speak, w, span)
            conversation: list[Message] = []
            turn, begins = next(turns)
            for place, time in enumerate(sitting):
                if begins:
                    conversation = []
                following = next(turns) if place + 1 < len(sitting) else None
                goes_on = following is not None and not following[1]
                name = f"req_{_digest(seed, actor.name, scenario.start, sent)[:16]}"
                sender = actor.accounts[0] if len(actor.accounts) == 1 else w.pick(actor.accounts)
                yield _call(round(time, 6), name, sender, conversation, turn, continued=goes_on)
                conversation += (Message("user", turn.said), Message("assistant", turn.answer, name))
                sent += 1
                if following:
                    turn, begins = following


def _turns(speak: Speak, w: Writer, span: Span) -> Iterator[tuple[Turn, bool]]:
    """One conversation after the other, each turn with whether it begins one."""
    while True:
        for place, turn in enumerate(speak(w, span)):
            yield turn, place == 0


def _call(time: float, name: str, sender: Account, conversation: list[Message], turn: Turn, *, continued: bool) -> Call:
    system = (Message("system", turn.system),) if turn.system else ()
    return Call(
        time=time,
        id=name,
        sender=sender,
        messages=(*system, *conversation[-HISTORY:], Message("user", turn.said)),
        answer=turn.answer,
        answer_tokens=tokens(turn.answer),
        continued=continued,
        attack=turn.attack,
    )
