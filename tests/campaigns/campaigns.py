"""Attackers with many accounts, each account with few requests: what they share, and how they hide it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

from campaigns.population import filled_in, population
from campaigns.traffic import DAY, HOUR, START, Source, World, human, ordered, steady, uneven
from campaigns.wording import closing, fixed, opening, settled
from detection.honest import HONEST
from detection.kinds import ask, blocks, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from campaigns.population import Population
    from campaigns.traffic import Account, Call
    from detection.kinds import Request, Turn
    from detection.texts import Writer

    Make = Callable[[Writer], Request]
    """A member's next request."""

    Stock = Callable[[Writer], Make]
    """What the members share, made once for the campaign; what a member makes of it."""

COVERS = ("consumer-chat", "power-user", "mails", "support-in-one-turn", "freelancer")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign: its stock, how many accounts send how much, and how it hides."""

    stock: Stock
    accounts: int = 100
    requests: int = 40
    cover: float = 0.0
    """Share of an account's requests that are an honest kind's."""

    known: float = 0.0
    """Share of the accounts that are in the history, as honest accounts."""

    awake: bool = False
    """Do they keep human hours?"""

    spread: float = 0.0
    """How unequal the shares of the accounts are: the deviation of their logarithm."""

    changes: float = 0.0
    """Hours after which the campaign throws its stock away and makes a new one."""

    history: bool = True
    """Does the operator have a history?"""

    def world(self, seed: int, honest: int = 600) -> World:
        """The campaign among honest accounts."""
        background = population(honest, seed=seed)
        source = Source("campaign", seed)
        stocks = self.stocks(source)
        streams: list[list[Call]] = []
        history: list[list[Call]] = []
        for number in range(self.accounts):
            account = source.account("attack", number)
            honestly = HONEST[source.random.choice(COVERS)].stream(source.writer(account.name, "cover"))
            if number < self.known * self.accounts:
                times = human(source.random, uneven(source.random, 12), START - DAY, 24)
                history.append(list(source.calls(account, list(islice(honestly, len(times))), times)))
            streams.append(list(self.member(source, account, stocks, honestly)))
        before = background.history.with_more(*history) if self.history else None
        return World(before, ordered(background.log, *streams))

    def stocks(self, source: Source) -> list[Make]:
        """One after the other, or only one."""
        count = round(24 / self.changes) if self.changes else 1
        return [self.stock(source.writer("stock", number)) for number in range(count)]

    def member(self, source: Source, account: Account, stocks: list[Make], honest: Iterator[Request]) -> Iterator[Call]:
        """What an account sends in a day."""
        w = source.writer(account.name)
        number = uneven(w.random, self.requests, self.spread) if self.spread else self.requests
        times = (human if self.awake else steady)(w.random, number, START, 24)
        attacks = [not w.chance(self.cover) for _ in times]
        requests = [
            stocks[int((time - START) / (24 * HOUR) * len(stocks))](w) if attack else next(honest)
            for time, attack in zip(times, attacks, strict=True)
        ]
        for made, attack in zip(source.calls(account, requests, times), attacks, strict=True):
            yield made._replace(attack=attack)


def composed(stock: Writer, templates: int) -> Make:
    """Opening phrase, new task, closing phrase: out of so many pairs."""
    size = max(4, int(templates**0.5) + 1)
    openings, closings = fixed(stock, size, "opening"), fixed(stock, size, "closing")
    pairs = [(stock.pick(openings), stock.pick(closings)) for _ in range(templates)]

    def make(w: Writer) -> Request:
        before, after = w.pick(pairs)
        return ask(lines(before, w.make("task"), after), w.tokens())

    return make


def whole(stock: Writer, templates: int) -> Make:
    """Templates that have no phrase in common."""
    frames = [(lines(*stock.many("sentence", stock.between(1, 2))), stock.sentence()) for _ in range(templates)]

    def make(w: Writer) -> Request:
        head, tail = w.pick(frames)
        return ask(lines(head, w.make("task"), tail), w.tokens())

    return make


def seeds(stock: Writer, pool: int, shown: int, mark: str = "-") -> Make:
    """Self-instruct: tasks of a pool as examples in one frame, and please more of them."""
    tasks = stock.many("task", pool)
    head, tail = settled(stock, opening(stock)), settled(stock, closing(stock))

    def make(w: Writer) -> Request:
        return ask(lines(head, *(f"{mark} {one}" for one in w.some(tasks, shown, shown)), tail), w.tokens(150, 600))

    return make


def seeds_alone(stock: Writer, pool: int, shown: int) -> Make:
    """The same without a frame: the tasks say enough."""
    tasks = stock.many("task", pool)
    return lambda w: ask(lines(*w.some(tasks, shown, shown)), w.tokens(150, 600))


def synonymous(stock: Writer, templates: int) -> Make:
    """Templates whose synonyms are chosen anew each time."""
    pairs = [(opening(stock), closing(stock)) for _ in range(templates)]

    def make(w: Writer) -> Request:
        before, after = w.pick(pairs)
        return ask(lines(settled(w, before), w.make("task"), settled(w, after)), w.tokens())

    return make


def reworded(_stock: Writer) -> Make:
    """Templates that a model words anew each time: nothing is shared but the idea."""
    return lambda w: ask(lines(settled(w, opening(w)), w.make("task"), settled(w, closing(w))), w.tokens())


def walk(_stock: Writer, rule: str = "task") -> Make:
    """A corpus: each prompt once, by one account."""
    return lambda w: ask(w.task() if rule == "task" else w.make(rule), w.tokens())


def walk_in_template(stock: Writer) -> Make:
    """A corpus inside one template of the attacker's own."""
    head, tail = settled(stock, opening(stock)), settled(stock, closing(stock))
    return lambda w: ask(lines(head, w.make("task"), tail), w.tokens())


def elicit(stock: Writer, frames: int) -> Make:
    """New tasks, each with one of a few requests for the reasoning behind the answer."""
    closings = fixed(stock, frames, "closing")
    return lambda w: ask(lines(w.make("task"), w.pick(closings)), w.tokens(200, 600))


def evolve(stock: Writer, operators: int) -> Make:
    """One of a few long operators around a new task."""
    frames = [(blocks(*fixed(stock, 3, "opening")), lines(*fixed(stock, 2, "closing"))) for _ in range(operators)]

    def make(w: Writer) -> Request:
        head, tail = w.pick(frames)
        return ask(blocks(head, f"#Given task#\n{w.make('task')}", tail), w.tokens(80, 250))

    return make


def personas(stock: Writer, count: int) -> Make:
    """A persona of many as system prompt, and a new task."""
    people = fixed(stock, count, "opening")
    return lambda w: ask(w.make("task"), w.tokens(), system=w.pick(people))


def behind_system(stock: Writer, attack: Stock) -> Make:
    """Behind one fixed system prompt, as a product's traffic would be."""
    system, make = stock.passage(4, 6), attack(stock)

    def behind(w: Writer) -> Request:
        request = make(w)
        turns = request.body["messages"]
        if not isinstance(turns, list):
            raise TypeError
        return request._replace(body={**request.body, "messages": [{"role": "system", "content": system}, *turns]})

    return behind


def resampled(stock: Writer, tasks: int) -> Make:
    """The same tasks from many accounts: several answers to each."""
    pool = stock.many("task", tasks)
    return lambda w: ask(w.pick(pool), w.tokens(200, 600))


def agentic(stock: Writer, systems: int) -> Make:
    """Trajectories of tool use: one of some agents' prompts, a new task, made-up results."""
    prompts = [blocks(*fixed(stock, 3, "opening"), stock.passage(3, 4)) for _ in range(systems)]

    def make(w: Writer) -> Request:
        history: list[Turn] = []
        for _ in range(w.between(0, 3)):
            history += [("user", w.task()), ("assistant", f"{w.sentence()}\n{w.make('code')}")]
        said = f"Result:\n{w.log()}" if history else w.task()
        return ask(said, w.tokens(), system=w.pick(prompts), history=history)

    return make


@dataclass(frozen=True, slots=True)
class PublicCover(Campaign):
    """Between its own prompts a campaign fills a template that everybody knows, or fills nothing else."""

    share: float = 0.5
    where: Literal["between", "around"] = "between"

    def world(self, seed: int, honest: int = 600) -> World:
        """The campaign beside those who use the template honestly."""
        shown: Population = population(honest, seed=seed)
        frame = shown.templates[0]
        return Campaign(
            partial(mixed, share=self.share, frame=frame, attack=self.stock, where=self.where),
            accounts=self.accounts,
            requests=self.requests,
        ).world(seed, honest)


def mixed(
    stock: Writer, share: float, frame: tuple[str, str], attack: Stock, where: Literal["between", "around"]
) -> Make:
    """The campaign's own requests between or inside a public template."""
    make = attack(stock)

    def one(w: Writer) -> Request:
        if where == "around":
            return ask(blocks(frame[0], w.make("task"), frame[1]), w.tokens())
        return filled_in(w, frame) if w.chance(share) else make(w)

    return one


@dataclass(frozen=True, slots=True)
class Relay(Campaign):
    """A reseller: other people's conversations, each turn through any of its accounts."""

    people: int = 400

    def world(self, seed: int, honest: int = 600) -> World:
        """The relay's accounts among honest ones; each conversation hops from account to account."""
        background = population(honest, seed=seed)
        source = Source("relay", seed)
        accounts = [source.account("attack", number) for number in range(self.accounts)]
        streams: list[list[Call]] = []
        each = self.accounts * self.requests // self.people
        for person in range(self.people):
            w = source.writer("person", person)
            kind = w.pick(("consumer-chat", "consumer-chat-german", "chat-product"))
            times = human(w.random, each, START, 24)
            requests = list(islice(HONEST[kind].stream(w), len(times)))
            said = source.calls(source.account("person", person), requests, times, attack=True)
            streams.append([moved(one, w.pick(accounts), person) for one in said])
        return World(background.history, ordered(background.log, *streams))


def moved(call: Call, account: Account, person: int) -> Call:
    """The same call by another account."""
    name = f'"account": "{call.account.name}", "tenant": "{call.account.tenant}", "ip": "{call.account.address}"'
    other = f'"account": "{account.name}", "tenant": "{account.tenant}", "ip": "{account.address}"'
    new = f"{account.name}@{call.time:.3f}/{person}"
    line = call.line.replace(name.encode(), other.encode(), 1).replace(
        f'"id": "{call.id}"'.encode(), f'"id": "{new}"'.encode(), 1
    )
    return call._replace(id=new, account=account, line=line)


C100 = partial(composed, templates=100)
SELF_INSTRUCT = partial(seeds, pool=175, shown=4)

CAMPAIGNS: dict[str, Campaign] = {
    "composed-10": Campaign(partial(composed, templates=10)),
    "composed-100": Campaign(C100),
    "composed-1000": Campaign(partial(composed, templates=1_000)),
    "composed-10000": Campaign(partial(composed, templates=10_000)),
    "composed-100-no-history": Campaign(C100, history=False),
    "composed-100-few": Campaign(C100, accounts=12, requests=100),
    "composed-100-many": Campaign(C100, accounts=500, requests=8),
    "composed-100-behind-system": Campaign(partial(behind_system, attack=C100)),
    "whole-60": Campaign(partial(whole, templates=60)),
    "whole-400": Campaign(partial(whole, templates=400)),
    "one-template": Campaign(walk_in_template),
    "seeds-175": Campaign(SELF_INSTRUCT),
    "seeds-175-alone": Campaign(partial(seeds_alone, pool=175, shown=4)),
    "seeds-2000": Campaign(partial(seeds, pool=2_000, shown=4)),
    "elicit-6": Campaign(partial(elicit, frames=6)),
    "evolve-5": Campaign(partial(evolve, operators=5)),
    "personas-200": Campaign(partial(personas, count=200)),
    "agentic-20": Campaign(partial(agentic, systems=20)),
    "resampled-500": Campaign(partial(resampled, tasks=500)),
    "synonyms-20": Campaign(partial(synonymous, templates=20)),
    "synonyms-100": Campaign(partial(synonymous, templates=100)),
    "reworded": Campaign(reworded),
    "cover-50": Campaign(C100, cover=0.5),
    "cover-90": Campaign(C100, cover=0.9, requests=60),
    "cover-90-whole-60": Campaign(partial(whole, templates=60), cover=0.9, requests=60),
    "known-members": Campaign(C100, known=1.0, cover=0.2),
    "human-hours": Campaign(C100, awake=True),
    "unequal": Campaign(C100, spread=1.2),
    "everything": Campaign(C100, cover=0.5, known=0.5, awake=True, spread=1.2),
    "changing-4h": Campaign(partial(composed, templates=30), changes=4),
    "changing-1h": Campaign(partial(composed, templates=30), changes=1),
    "changing-4h-whole": Campaign(partial(whole, templates=60), changes=4),
    "public-template-between": PublicCover(C100),
    "public-template-around": PublicCover(C100, where="around"),
    "relay": Relay(walk, accounts=40, requests=60),
    "walk": Campaign(walk),
    "walk-code": Campaign(partial(walk, rule="code_task")),
    "walk-chinese": Campaign(partial(walk, rule="zh_task")),
}
