"""Which route a request takes: patterns with parameters, in the file's order."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ratelimit_guard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ratelimit_guard.config import RouteSection

MAX_RECENT = 1024
"""Requests whose route is remembered: most servers have fewer paths that are asked often."""
MAX_RECENT_CHARACTERS = 256
"""Of method and path; what is longer is matched anew, so that what clients write takes at most some 300 KB."""
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")
_SLASHES = re.compile(r"//+")
_REST = ".*"


class Route(NamedTuple):
    """A compiled route: `{name}` stands for one segment of the path, `{name:path}` for any number."""

    section: RouteSection
    methods: frozenset[str]
    pattern: re.Pattern[str]

    def takes(self, method: str, path: str) -> bool:
        """Does it match?"""
        return (not self.methods or method in self.methods) and self.pattern.fullmatch(path) is not None


class Routes:
    """The first route that matches counts.

    Frameworks forgive doubled and trailing slashes and small letters in a method, and run the handler of GET for HEAD:
    none of these may turn a dear route into a cheap one.
    """

    def __init__(self, sections: Sequence[RouteSection]) -> None:
        """Compile what `RouteSection` has checked."""
        self._routes = [
            Route(section, _methods(section.methods), compile_pattern(section.match)) for section in sections
        ]
        self._recent = lru_cache(MAX_RECENT)(self._find)

    def find(self, method: str, path: str) -> RouteSection | None:
        """The route of a request, or None."""
        if not self._routes:
            return None
        return (self._recent if len(method) + len(path) <= MAX_RECENT_CHARACTERS else self._find)(method, path)

    def _find(self, method: str, path: str) -> RouteSection | None:
        # A pattern that ends in "$", as Starlette's do, takes a newline after the path too.
        method, path = method.upper(), plain(path.removesuffix("\n"))
        for route in self._routes:
            if route.takes(method, path):
                return route.section
        return None


def _methods(listed: Sequence[str]) -> frozenset[str]:
    return frozenset(listed) | {"HEAD"} if "GET" in listed else frozenset(listed)


def plain(path: str) -> str:
    """A path without doubled and trailing slashes."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return path[:-1] if len(path) > 1 and path[-1] == "/" else path


def compile_pattern(match: str) -> re.Pattern[str]:
    """A path pattern as a regular expression, whose matching takes time in proportion to the path.

    `ConfigError` for braces that name no parameter, two parameters in one segment, and a `:path` before the end.
    """
    segments = plain(match).split("/")
    if any(found[2] for segment in segments[:-1] for found in _PARAMETER.finditer(segment)):
        msg = "{name:path} takes the rest of the path: write it at the end"
        raise ConfigError(msg)
    pieces = [_segment(segment) for segment in segments]
    if pieces[-1] == _REST:  # "/files/{rest:path}" takes "/files/" too, whose slash `plain` takes away
        return re.compile("/".join(pieces[:-1]) + "(?:/.*)?", re.DOTALL)
    return re.compile("/".join(pieces), re.DOTALL)


def _segment(segment: str) -> str:
    parameters = list(_PARAMETER.finditer(segment))
    if not parameters:
        return _literal(segment)
    if len(parameters) > 1:
        msg = "write one parameter in a segment"
        raise ConfigError(msg)
    (found,) = parameters
    inner = _REST if found[2] else "[^/]+"
    return _literal(segment[: found.start()]) + inner + _literal(segment[found.end() :])


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        msg = "write a parameter as {name} or {name:path}"
        raise ConfigError(msg)
    return re.escape(text)
