"""From a TOML file to a `Config`: every mistake at once, each with its key path and what to write."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ratelimit_guard.config import Config
from ratelimit_guard.errors import ConfigError
from ratelimit_guard.references import references

if TYPE_CHECKING:
    from os import PathLike

MAX_FILE_BYTES = 16 * 1024 * 1024
"""A file of 100,000 tenants has about 10 MB; beyond this it is something else."""

_WORDS = {
    "extra_forbidden": "unknown key: remove it or mend its spelling",
    "missing": "is required",
}
_SILENT = {"extra_forbidden", "missing"}
_PRIVATE = ("identity", "store.url")
"""Below these key paths a credential may stand, by mistake or not, so no value is repeated."""
_KEYS = ("identity", "keys")
"""Below this one it may also stand as the name of a key."""


def load(path: str | PathLike[str]) -> Config:
    """Read and check a TOML file. `ConfigError` lists every mistake, one per line, with its key path."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ConfigError(msg) from error
    if len(text) > MAX_FILE_BYTES:
        msg = f"{path}: larger than {MAX_FILE_BYTES} bytes: is it a tier file?"
        raise ConfigError(msg)
    try:
        values = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 alike; tomllib descends as deep as the file
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error
    _resolve(values.get("detector"), Path(path).absolute().parent)
    return from_dict(values, str(path))


def _resolve(detector: Any, folder: Path) -> None:
    """Files that the detector's section names are named from the file's own place, whoever reads it."""
    if not isinstance(detector, dict):
        return
    section = cast("dict[str, Any]", detector)
    for name in ("baseline", "state", "secret_file"):
        if isinstance(section.get(name), str):
            section[name] = str(folder / section[name])
    _resolve(section.get("challenge"), folder)


def from_dict(values: dict[str, Any], source: str = "configuration") -> Config:
    """Check a configuration that is already a dict. `ConfigError` lists every mistake."""
    config, mistakes = None, references(values)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        mistakes = [*(_line(one) for one in error.errors()), *mistakes]
    if config is None or mistakes:
        msg = "\n".join(f"{source}: {mistake}" for mistake in mistakes)
        raise ConfigError(msg)
    return config


def _line(error: Any) -> str:
    parts, given, said = error["loc"], error["input"], str(error["msg"])
    if error["type"] == "extra_forbidden" and parts[:2] == _KEYS:
        parts = parts[:-1]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    path = path or "the whole"
    said = _WORDS.get(error["type"], said.removeprefix("Value error, "))
    is_private = path.startswith(_PRIVATE)
    if is_private and isinstance(given, str):
        said = said.replace(repr(given), "this")
    is_shown = isinstance(given, str | int | float) and error["type"] not in _SILENT and not is_private
    return f"{path}: {said}" + (f", got {given!r:.100}" if is_shown else "")
