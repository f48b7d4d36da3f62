"""Watching one's own refusals is of little use while the campaign has the budget of an account."""

from __future__ import annotations

from live.oracle import TACTICS, Attacker, gain, run


def test_an_attacker_that_learns_from_its_refusals_gains_little_over_a_blind_one() -> None:
    blind, oracle = run(Attacker(1), budget=None), run(Attacker(1, TACTICS), budget=None)
    assert gain(oracle, blind) <= 1.5, (oracle, blind)
    assert sum(blind.served[1:]) < sum(blind.attempts[1:]) / 2  # it was restricted at all
    assert blind.hurt == oracle.hurt == 0
