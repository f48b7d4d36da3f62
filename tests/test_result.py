"""`LimitResult` and the error that carries it: values that can be copied, stored and sent to another process."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import pytest

from processes.worker import refused
from ratelimit_guard import Limiter, LimitResult, Policy, RateLimitExceeded, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratelimit_guard import Store

FIELDS = ("allowed", "limit", "remaining", "reset_after", "retry_after", "policy")


def pickled(protocol: int, value: Any) -> Any:
    """There and back."""
    return pickle.loads(pickle.dumps(value, protocol))  # noqa: S301  our own


PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
WAYS: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, *(partial(pickled, number) for number in PROTOCOLS)]


def fields(result: LimitResult) -> list[list[Any]]:
    """All that a result says, of itself and of every policy."""
    return [[getattr(one, name) for name in FIELDS] for one in (result, *result.results)]


@pytest.fixture
def results(store: Store) -> list[LimitResult]:
    """Answers of one policy and of several, allowed, refused and impossible."""
    one = Limiter("5/minute", store)
    several = Limiter([Policy("burst", "7/second; burst=9"), Policy("hour", "5/hour"), Policy("day", "50/day")], store)
    answers = [limiter.acquire("alice", cost) for limiter in (one, several) for cost in (0, 3, 3, 2**70)]
    assert {answer.retry_after for answer in answers} >= {0.0, inf}
    return [*answers, *answers[-2].results]


@pytest.mark.parametrize("way", WAYS)
def test_result_says_the_same_after_a_copy(results: list[LimitResult], way: Callable[[Any], Any]) -> None:
    """Every field of every policy is there again, to the last bit."""
    for result in results:
        copied = way(result)
        assert fields(copied) == fields(result)
        assert (bool(copied), repr(copied)) == (bool(result), repr(result))
        assert fields(way(copied)) == fields(result)


@pytest.mark.parametrize("way", WAYS)
def test_error_says_the_same_after_a_copy(results: list[LimitResult], way: Callable[[Any], Any]) -> None:
    """The refusal travels with its error."""
    error = RateLimitExceeded(results[2])
    copied = way(error)
    assert type(copied) is RateLimitExceeded
    assert str(copied) == str(error)
    assert fields(copied.result) == fields(error.result)


def test_result_of_a_broken_pickle_is_refused() -> None:
    """What names a policy that is not there is no result."""
    with pytest.raises(UsageError, match="LimitResult"):
        LimitResult._restore(1, [("p", "requests", 1, True, 1, 0, 0)])  # type: ignore[attr-defined]


def test_error_of_a_process_pool_arrives_as_what_it_is() -> None:
    """A refusal in a worker process is the same error in the process that asked."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(refused).result()
        with pytest.raises(RateLimitExceeded, match=r"'1/hour' exceeded: retry after") as caught:
            pool.submit(refused).result()
    assert 0 < caught.value.result.retry_after <= 3_600 * 9 / 8
