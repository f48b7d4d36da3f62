"""The tier file as typed, checked values.

Only what this release acts on is accepted: an unknown key is a mistake, not a comment. What each key means, with an
example: docs/configuration.md. Reading and error texts: `config_file.py`.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from ratelimit_guard._core import DEFAULT_CAPACITY, MAX_LIMIT, Quota
from ratelimit_guard.address import Network  # noqa: TC001  pydantic reads the annotations
from ratelimit_guard.decision import RESERVED
from ratelimit_guard.degrade import MAX_TOKENS
from ratelimit_guard.detector import DEFAULT_ALPHA
from ratelimit_guard.policy import OnStoreFailure  # noqa: TC001  pydantic reads the annotations
from ratelimit_guard.prompt import MAX_BYTES
from ratelimit_guard.reservation import SLICE
from ratelimit_guard.routes import compile_pattern
from ratelimit_guard.spending import TOKENS

Per: TypeAlias = Literal["account", "tenant", "address", "route", "model", "account+model", "global"]
Mode: TypeAlias = Literal["enforce", "shadow"]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[ -~]+$")]
Identifier: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
HeaderName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
MAX_BODY_BYTES = 1 << 20
"""Bytes of a body that are read unless told otherwise: long conversations without images."""
BODY_TIMEOUT_S = 30.0
"""Seconds in which a body must come unless told otherwise: 1 MiB over the slowest of mobile lines."""
MAX_NAMED = 8
"""Policies of a tier, and of a route: a limiter takes sixteen at once."""
MAX_URL = 4_096
"""Characters of a server's address: a cluster's names some nodes."""
MAX_BUDGET_MS = 10_000.0
"""Longest wait for a server: beyond it the caller has given up."""
REDIS_ONLY = ("url", "url_env", "budget_ms", "refusal_cache_s", "allotment")
"""Keys that mean nothing without a server."""
Cost: TypeAlias = Annotated[StrictInt, Field(ge=0, le=MAX_LIMIT)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=30 * 86_400)]
Attribute: TypeAlias = StrictBool | StrictInt | StrictStr


def _quota(value: object) -> Quota:
    if isinstance(value, Quota):
        return value
    if not isinstance(value, str):
        msg = 'write a quota string such as "100/minute"'
        raise ValueError(msg)  # noqa: TRY004  pydantic collects ValueErrors
    return Quota.parse(value)


def _proxy(value: object) -> object:
    try:
        return ip_network(value) if isinstance(value, str) and value != "unix" else value
    except ValueError as error:
        msg = f'{error}: write a network such as "10.0.0.0/8", or "unix" for a proxy on the server\'s unix socket'
        raise ValueError(msg) from error


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _pattern(match: str) -> str:
    compile_pattern(match)
    return match


def _budget(value: object) -> Quota:
    quota = _quota(value)
    if quota.unit not in {"requests", "cost"}:
        msg = f'a budget counts requests or cost, not {quota.unit}: write for example "500/hour"'
        raise ValueError(msg)
    return quota


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class StoreSection(_Section):
    """Where the counters live.

    `redis`: at a server named by `url`, or by the environment variable `url_env`, so that its password stays out of
    files. A decision waits for it at most `budget_ms`, a refusal is remembered for at most `refusal_cache_s`, and
    `allotment` units are fetched of a hot quota at a time. `capacity` is then that of the table on this host which
    counts while the server does not answer.
    """

    kind: Literal["shared", "memory", "redis"] = "shared"
    path: str | None = None
    capacity: Annotated[StrictInt, Field(ge=1, le=2**31)] = DEFAULT_CAPACITY
    on_full: Literal["refuse", "allow"] = "refuse"
    url: Annotated[str, Field(min_length=1, max_length=MAX_URL)] | None = None
    url_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    budget_ms: Annotated[float, Field(ge=1, le=MAX_BUDGET_MS)] = 25.0
    refusal_cache_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    allotment: Annotated[StrictInt, Field(ge=0, le=MAX_LIMIT)] = 0

    @model_validator(mode="after")
    def _of_its_kind(self) -> StoreSection:
        given = self.model_fields_set
        if self.kind != "redis" and (strange := [name for name in REDIS_ONLY if name in given]):
            msg = f'{strange[0]} is for kind = "redis" only'
            raise ValueError(msg)
        if self.kind == "redis" and "path" in given:
            msg = 'path is for kind = "shared" only: a server is named by url or url_env'
            raise ValueError(msg)
        if self.kind == "redis" and (self.url is None) is (self.url_env is None):
            msg = "give either url or url_env, the name of an environment variable that holds it"
            raise ValueError(msg)
        return self


class KeySection(_Section):
    """A credential, known by its SHA-256 only, and whose it is."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tenant: Identifier
    account: Identifier | None = None


class IdentitySection(_Section):
    """How a request shows who it is, and which proxies are believed."""

    source: Literal["keys", "user"] = "keys"
    header: Annotated[tuple[HeaderName, ...], BeforeValidator(_listed), Field(min_length=1, max_length=MAX_NAMED)] = (
        "authorization",
    )
    keys: tuple[KeySection, ...] = ()
    trusted_proxies: tuple[Annotated[Network | Literal["unix"], BeforeValidator(_proxy)], ...] = ()
    anonymous_tier: Name = "anonymous"
    default_tier: Name = "anonymous"


class PolicySection(_Section):
    """A named limit: what is counted for whom, and what happens beyond it, or while the server does not answer."""

    quota: Annotated[Quota, BeforeValidator(_quota)]
    per: Per = "account"
    mode: Mode = "enforce"
    on_store_failure: OnStoreFailure = "local"


class TierSection(_Section):
    """A price level."""

    policies: Annotated[tuple[Name, ...], Field(max_length=MAX_NAMED)]


class TenantSection(_Section):
    """Who pays, at which tier, and what is known about him."""

    id: Identifier
    tier: Name
    use: Literal["class", "research", "evaluation"] | None = None
    attributes: dict[Name, Attribute] = {}


class AccessSection(_Section):
    """A rule over attributes: the first whose every condition holds moves the tenant to a tier, or blocks him."""

    when: Annotated[dict[Name, Attribute | tuple[Attribute, ...]], Field(min_length=1)]
    tier: Name | None = None
    block: StrictBool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> AccessSection:
        if (self.tier is None) is not self.block:
            msg = "give a tier or block = true"
            raise ValueError(msg)
        return self


class RouteSection(_Section):
    """Paths that cost more, are limited more, or not at all. The first that matches counts.

    `body`: requests hold a prompt, which the detector reads and whose tokens are counted. `dialect`: in which API's way
    a refusal is told; by the end of the path where it is not given.
    """

    match: Annotated[str, Field(pattern=r"^/"), AfterValidator(_pattern)]
    methods: tuple[Annotated[str, Field(pattern=r"^[A-Z]+$")], ...] = ()
    cost: Cost = 1
    message_cost: Cost = 0
    policies: Annotated[tuple[Name, ...], Field(max_length=MAX_NAMED)] = ()
    exempt: StrictBool = False
    body: StrictBool = False
    dialect: Literal["problem", "openai", "anthropic", "gemini"] | None = None


class TokensSection(_Section):
    """How tokens are reserved before they are known, and what happens when they run out in the midst of an answer.

    `reserve`: output in slices that are topped up while the answer passes, or all of `max_tokens` at once, which is
    then enforced: a request that names none, or more, gets `max_tokens` of this section. `on_exhausted`: `cut` ends an
    answer with an error, `finish` as if it had reached its length. `include_usage`: ask an OpenAI upstream to say what
    a stream used, and keep that from callers who did not.
    """

    reserve: Literal["slice", "max-tokens"] = "slice"
    slice: Annotated[StrictInt, Field(ge=1, le=MAX_TOKENS)] = SLICE
    max_tokens: Annotated[StrictInt, Field(ge=1, le=MAX_TOKENS)] = 4096
    on_exhausted: Literal["cut", "finish"] = "cut"
    include_usage: StrictBool = True
    max_body_bytes: Annotated[StrictInt, Field(ge=1_024, le=MAX_BYTES)] = MAX_BODY_BYTES
    body_timeout_s: Seconds = BODY_TIMEOUT_S


class ChallengeSection(_Section):
    """What a restricted caller has to prove from the second rung on.

    A proof of work of so many bits; or, with `header`, that a verifier in front has signed who it is.
    """

    bits: Annotated[StrictInt, Field(ge=8, le=32)] = 20
    header: HeaderName | None = None
    secret_file: str | None = None
    valid_s: Seconds = 600.0


class DegradeSection(_Section):
    """What a restricted caller gets less of from the third rung on; each is declared to him."""

    logprobs: StrictBool = True
    max_tokens: Annotated[StrictInt, Field(ge=1, le=MAX_TOKENS)] | None = 256
    n: StrictBool = True
    models: dict[str, str] = {}


class DetectorSection(_Section):
    """Who copies the model, while requests come. Shadow: everything is decided and nothing done.

    `quota` is what an account gets that extracts by itself. Rungs above throttling are there once their section is,
    and `block` if it is set; `delay_s`, `patience_s` and `calm_s` say how fast one goes up and down.
    """

    mode: Literal["shadow", "enforce"] = "shadow"
    alpha: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_ALPHA
    baseline: str | None = None
    state: str | None = None
    accounts: Annotated[StrictInt, Field(ge=1_000, le=2**24)] = 2**17
    quota: Annotated[Quota, BeforeValidator(_budget)] = Quota.parse("30/hour")
    max_body_bytes: Annotated[StrictInt, Field(ge=1_024, le=MAX_BYTES)] = MAX_BODY_BYTES
    body_timeout_s: Seconds = BODY_TIMEOUT_S
    delay_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    patience_s: Seconds = 3_600.0
    calm_s: Seconds = 86_400.0
    challenge: ChallengeSection | None = None
    degrade: DegradeSection | None = None
    block: StrictBool = False


class CampaignSection(_Section):
    """The budget of a campaign; without a quota that of one account of each tier that its members are in."""

    quota: Annotated[Quota, BeforeValidator(_budget)] | None = None


class ResponseSection(_Section):
    """Which header fields tell callers about their limits."""

    headers: StrictBool = True
    legacy_headers: StrictBool = False


class Config(_Section):
    """A whole, checked configuration. Immutable; `config_file.load` and `from_dict` are the ways to one."""

    version: Literal[1]
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "default"
    store: StoreSection = StoreSection()
    identity: IdentitySection = IdentitySection()
    policies: Annotated[dict[Name, PolicySection], Field(min_length=1)]
    tiers: Annotated[dict[Name, TierSection], Field(min_length=1)]
    tenants: tuple[TenantSection, ...] = ()
    access: tuple[AccessSection, ...] = ()
    routes: tuple[RouteSection, ...] = ()
    tokens: TokensSection = TokensSection()
    detector: DetectorSection | None = None
    campaign: CampaignSection = CampaignSection()
    response: ResponseSection = ResponseSection()

    @model_validator(mode="after")
    def _reserved(self) -> Config:
        for name in self.policies:
            if name.startswith(RESERVED):
                msg = f"policies.{name}: names that begin with {' or '.join(RESERVED)} are the detector's own"
                raise ValueError(msg)
            if self.store.kind != "redis" and "on_store_failure" in self.policies[name].model_fields_set:
                msg = f'policies.{name}.on_store_failure: only a store of kind = "redis" can fail to answer'
                raise ValueError(msg)
        reads = any(route.body and not route.exempt for route in self.routes)
        counted = [
            name
            for name, policy in self.policies.items()
            if policy.quota.unit in TOKENS or policy.per in {"model", "account+model"}
        ]
        if self.detector is None and not counted and reads:
            msg = "a route has body = true, and nobody reads it: add [detector], or a policy of tokens or models"
            raise ValueError(msg)
        if counted and not reads:
            msg = f"policies.{counted[0]}: tokens and models are seen on routes with body = true, and there is none"
            raise ValueError(msg)
        if self.detector is None and self.campaign.quota is not None:
            msg = "campaign.quota: nobody looks for campaigns: add a section [detector]"
            raise ValueError(msg)
        return self
