"""Maps: which key of a record holds which column. Every gateway has its own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from ratelimit_guard._core import audit as _audit
from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

Map: TypeAlias = dict[str, tuple[str, ...]]
"""Paths of each column, the first that a record has counts; "" is the whole record."""

REQUIRED = ("time", "account", "request")

PRESETS: dict[str, Map] = {
    # One JSON object for each call, body and answer as the API has them.
    "plain": {
        "time": ("time", "timestamp", "created_at", "ts"),
        "account": ("account", "account_id", "api_key_id", "key_id"),
        "tenant": ("tenant", "tenant_id", "organization", "org_id", "team_id"),
        "id": ("id", "request_id"),
        "status": ("status", "status_code"),
        "path": ("path", "url", "endpoint"),
        "answer_tokens": ("usage.completion_tokens", "usage.output_tokens", "response.usage.completion_tokens"),
        "request": ("request", "request_body", "body"),
        "reply": ("reply", "response_text", "completion"),
        "address": ("ip", "client_ip", "remote_addr"),
    },
    # LiteLLM's StandardLoggingPayload, as its file, S3 and GCS loggers write it, and rows of LiteLLM_SpendLogs.
    "litellm": {
        "time": ("startTime", "metadata.startTime"),
        "account": ("metadata.user_api_key_hash", "metadata.user_api_key", "api_key"),
        "tenant": ("metadata.user_api_key_team_id", "metadata.user_api_key_org_id", "team_id"),
        "id": ("id", "request_id"),
        "status": ("status",),
        "path": ("call_type",),
        "answer_tokens": ("completion_tokens",),
        "request": ("proxy_server_request.body", "proxy_server_request", ""),
        "address": ("requester_ip_address", "metadata.requester_ip_address"),
    },
    # nginx with log_format escape=json and "$request_body" in it; docs/audit.md has the directive.
    "nginx": {
        "time": ("msec", "time_iso8601", "time_local"),
        "account": ("account", "remote_user"),
        "tenant": ("tenant",),
        "id": ("request_id",),
        "status": ("status",),
        "path": ("uri", "request_uri"),
        "answer_tokens": ("completion_tokens",),
        "request": ("request_body",),
        "address": ("remote_addr",),
    },
}


def read_map(words: Sequence[str]) -> Map:
    """What `--map` says: a preset, a TOML file, or `column=path` that replaces a column's paths; later ones win.

    `ConfigError` for a name that is neither, a column that means nothing, or a map without time, account or request.
    """
    named: Map = {} if any("=" not in word for word in words) else dict(PRESETS["plain"])
    for word in words:
        column, equals, path = word.partition("=")
        if equals:
            named[_column(column)] = tuple(path.split(","))
        elif word in PRESETS:
            named.update(PRESETS[word])
        else:
            named.update(_file(Path(word)))
    if missing := [column for column in REQUIRED if column not in named]:
        msg = f"the map does not say where {' and '.join(missing)} stand: add --map {missing[0]}=KEY"
        raise ConfigError(msg)
    return named


def _column(name: str) -> str:
    if name not in _audit.COLUMNS:
        msg = f"no such column: {name!r:.80}: write one of {', '.join(_audit.COLUMNS)}"
        raise ConfigError(msg)
    return name


def _file(path: Path) -> Map:
    if not path.is_file():
        msg = f"no such map: {str(path)!r:.200}: write {', '.join(PRESETS)}, a TOML file, or column=path"
        raise ConfigError(msg)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"cannot read the map {path}: {error}"
        raise ConfigError(msg) from None
    found: Map = {}
    for name, paths in values.items():
        found[_column(name)] = _paths(paths, f"{path}: {name}")
    return found


def _paths(value: object, place: str) -> tuple[str, ...]:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    paths = tuple([path for path in listed if isinstance(path, str)])
    if len(paths) < len(listed):
        msg = f'{place}: write a path such as "user.id", or a list of them'
        raise ConfigError(msg)
    return paths
