"""Honest tenants, as different teams and people would be."""

from __future__ import annotations

from detection.kinds import by_name
from detection.people import PEOPLE
from detection.programs import PROGRAMS
from detection.stocks import STOCKS

HONEST = by_name([*PROGRAMS, *STOCKS, *PEOPLE])
