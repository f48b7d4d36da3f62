"""Reading a body before the app: what the app gets is what it would have got."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit_guard.body import MAX_MESSAGES, Body, read_body, read_environ
from ratelimit_guard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    Receive = Callable[[], Awaitable[Any]]

JSON = (b"content-type", b"application/json")
GONE = {"type": "http.disconnect"}
NEVER = 60.0


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "headers": list(headers or [JSON])}


def pieces(*chunks: bytes) -> list[dict[str, Any]]:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    return messages


class Server:
    """Gives messages, with a pause before each if asked to, then the disconnect; counts what was taken."""

    def __init__(self, messages: list[dict[str, Any]], pause: float | None = None) -> None:
        self.messages = messages
        self.pause = pause
        self.taken = 0

    async def receive(self) -> Any:
        if self.pause is not None:
            await asyncio.sleep(self.pause)
        self.taken += 1
        return self.messages[self.taken - 1] if self.taken <= len(self.messages) else GONE


async def drained(receive: Receive) -> list[Any]:
    """All that the app would get."""
    got = [await receive()]
    while got[-1]["type"] != "http.disconnect":
        got.append(await receive())
    return got


async def read(server: Server, most: int = 100, deadline: float | None = NEVER, **more: Any) -> Body:
    return await read_body(more.get("scope", scope()), server.receive, most=most, deadline=deadline)


@pytest.mark.parametrize("pause", [None, 0.0])
@pytest.mark.parametrize("deadline", [None, NEVER])
@pytest.mark.parametrize("chunks", [[b""], [b"{}"], [b"{", b"", b"}"], [b""] * 3], ids=str)
async def test_messages_are_replayed_as_they_came(
    chunks: list[bytes], deadline: float | None, pause: float | None
) -> None:
    messages = pieces(*chunks)
    body = await read(Server(messages, pause), deadline=deadline)
    assert (body.bytes, body.problem) == (b"".join(chunks), None)
    got = await drained(body.receive)
    assert got == [*messages, GONE]
    assert all(first is second for first, second in zip(got, messages, strict=False))


async def test_messages_without_keys() -> None:
    body = await read(Server([{"type": "http.request", "more_body": True}, {"type": "http.request"}]))
    assert (body.bytes, body.problem) == (b"", None)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x", b"y")],
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"multipart/form-data; boundary=application/json")],
        [JSON, (b"content-type", b"text/plain")],
        [(b"Content-Type", b"text/plain"), JSON],
        [(b"content-type", b"application/jsonp")],
        [(b"content-type", b"")],
    ],
    ids=str,
)
async def test_the_type_does_not_matter(headers: list[tuple[bytes, bytes]]) -> None:
    body = await read(Server(pieces(b"{}")), scope=scope(*headers))
    assert (body.bytes, body.problem) == (b"{}", None)


async def test_exotic_servers_write_names_in_upper_case() -> None:
    headers = [(b"Content-Type", b"application/json"), (b"CONTENT-LENGTH", b"101")]
    body = await read(Server(pieces(b"{}")), scope=scope(*headers))
    assert body.problem == "too-large"


@pytest.mark.parametrize("length", [b"101", b"9" * 5000])
async def test_a_declared_length_over_the_cap_reads_nothing(length: bytes) -> None:
    server = Server(pieces(b"{}"))
    body = await read(server, scope=scope(JSON, (b"content-length", b"1"), (b"content-length", length)))
    assert (body.bytes, body.problem, server.taken) == (None, "too-large", 0)


@pytest.mark.parametrize("length", [b"1", b"99", b"-5", b"", b"x", b"\xb2"])
async def test_lying_lengths_are_the_servers_matter(length: bytes) -> None:
    body = await read(Server(pieces(b"{", b"}")), scope=scope(JSON, (b"content-length", length)))
    assert body.bytes == b"{}"


@pytest.mark.parametrize("chunks", [[b"x" * 101], [b"x" * 60, b"x" * 60, b"rest", b"more"]], ids=["one", "many"])
async def test_over_the_cap_the_server_takes_over(chunks: list[bytes]) -> None:
    server = Server(pieces(*chunks))
    body = await read(server)
    assert (body.bytes, body.problem, server.taken) == (None, "too-large", min(len(chunks), 2))
    assert await drained(body.receive) == [*server.messages, GONE]


async def test_a_client_that_leaves() -> None:
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    body = await read(Server(messages))
    assert (body.bytes, body.problem) == (None, "disconnected")
    assert await drained(body.receive) == [*messages, GONE]


async def test_a_slow_body_has_one_deadline_for_all_of_it() -> None:
    server = Server(pieces(*[b"x"] * 50), pause=0.02)
    body = await read(server, deadline=0.1)
    assert (body.bytes, body.problem) == (None, "timeout")
    assert 1 < server.taken < 6
    assert await body.receive() is server.messages[0]


async def test_a_body_that_never_comes() -> None:
    body = await read(Server([], pause=NEVER), deadline=0.01)
    assert (body.bytes, body.problem) == (None, "timeout")


async def test_timeouts_of_the_server_and_cancellations_are_not_ours() -> None:
    async def fails() -> Any:
        await asyncio.sleep(0)
        raise TimeoutError("own")

    with pytest.raises(TimeoutError, match="own"):
        await read_body(scope(), fails, most=100, deadline=NEVER)
    for deadline in (None, NEVER):
        task = asyncio.create_task(read(Server([], pause=NEVER), deadline=deadline))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_server_that_handles_its_cancellation() -> None:
    """Its own clean-up may wait, and its answer counts unless the deadline was the cause."""

    async def receive() -> Any:
        try:
            await asyncio.sleep(NEVER)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return pieces(b"{}")[0]

    task = asyncio.create_task(read_body(scope(), receive, most=100, deadline=None))
    await asyncio.sleep(0)
    task.cancel()
    assert (await task).bytes == b"{}"


def test_other_event_loops_have_no_deadline() -> None:
    """A loop that sends values into its traps, as trio does."""

    class Trap:
        def __await__(self) -> Generator[str, Any, Any]:
            return (yield "trap")

    async def receive() -> Any:
        return await Trap()

    running = read_body(scope(), receive, most=100, deadline=0.001)
    assert running.send(None) == "trap"
    assert running.send({"type": "http.request", "body": b"{", "more_body": True}) == "trap"
    with pytest.raises(StopIteration) as end:
        running.send({"type": "http.request", "body": b"}"})
    assert end.value.value.bytes == b"{}"


async def test_awaitables_that_cannot_be_thrown_into() -> None:
    """What servers in other languages give: an iterator and no more."""

    class Waits:
        left = 2

        def __await__(self) -> Any:
            return self

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise StopIteration(pieces(b"{}")[0])

    assert (await read_body(scope(), Waits, most=100, deadline=NEVER)).bytes == b"{}"
    task = asyncio.create_task(read_body(scope(), Waits, most=100, deadline=NEVER))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("end", ["whole", "over", "gone"])
async def test_many_tiny_chunks_become_one_message(end: str) -> None:
    many = MAX_MESSAGES * 5
    messages = pieces(*[b"x"] * many)
    if end == "gone":
        messages[-1]["more_body"] = True
    server = Server(messages)
    body = await read(server, most=many - 100 if end == "over" else many)
    got = await drained(body.receive)
    assert body.problem == {"whole": None, "over": "too-large", "gone": "disconnected"}[end]
    assert len(got) < MAX_MESSAGES
    assert b"".join(message["body"] for message in got[:-1]) == b"x" * many
    assert [message["more_body"] for message in got[:-1]] == [True] * (len(got) - 2) + [end == "gone"]


async def test_a_replaced_body() -> None:
    headers = [JSON, (b"Content-Length", b"2"), (b"content-length", b"7"), (b"content-encoding", b"gzip")]
    before = scope(*headers, (b"transfer-encoding", b"chunked"), (b"x", b"y"))
    body = await read(Server(pieces(b"{", b"}")), scope=before)
    after, receive = body.replaced(b"new")
    assert after["headers"] == [JSON, (b"x", b"y"), (b"content-length", b"3")]
    assert await drained(receive) == [*pieces(b"new"), GONE]
    assert len(before["headers"]) == 6
    assert (await body.receive())["body"] == b"{"
    with pytest.raises(UsageError):
        (await read(Server(pieces(b"x" * 101)))).replaced(b"new")


# WSGI


def environ(content: bytes, **more: Any) -> dict[str, Any]:
    base = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content)), "wsgi.input": io.BytesIO(content)}
    return {name: value for name, value in {**base, **more}.items() if value is not None}


class Trickle(io.BytesIO):
    """Gives two bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, 2))


@pytest.mark.parametrize("kind", [io.BytesIO, Trickle])
@pytest.mark.parametrize("more", [{}, {"CONTENT_LENGTH": None, "wsgi.input_terminated": True}], ids=["length", "end"])
def test_environ_is_read_and_replayed(more: dict[str, Any], kind: Any) -> None:
    native = environ(b'{"a": 1}', **more, **{"wsgi.input": kind(b'{"a": 1}')})
    body = read_environ(native, most=100)
    assert (body.bytes, body.problem) == (b'{"a": 1}', None)
    assert native["wsgi.input"].read() == b'{"a": 1}'


def test_bytes_behind_the_body_stay_with_the_server() -> None:
    server = io.BytesIO(b"{}GET / HTTP/1.1")
    native = environ(b"{}", **{"wsgi.input": server})
    assert read_environ(native, most=100).bytes == b"{}"
    assert (native["wsgi.input"].read(), server.read()) == (b"{}", b"GET / HTTP/1.1")


def test_environ_without_length() -> None:
    assert read_environ(environ(b"{}", CONTENT_LENGTH=None), most=100).bytes == b""
    for length in ("", "-1", "x", "²"):
        assert read_environ(environ(b"{}", CONTENT_LENGTH=length), most=100).bytes == b""
    chunked = read_environ(environ(b"{}", CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked"), most=100)
    assert (chunked.bytes, chunked.problem) == (None, "length-required")


def test_environ_that_is_not_read() -> None:
    for native, problem in (
        (environ(b"x" * 101), "too-large"),
        (environ(b"{}", CONTENT_LENGTH="9" * 5000), "too-large"),
    ):
        server = native["wsgi.input"]
        body = read_environ(native, most=100)
        assert (body.bytes, body.problem, native["wsgi.input"]) == (None, problem, server)
        assert server.tell() == 0


def test_a_body_shorter_than_declared() -> None:
    native = environ(b"{}", CONTENT_LENGTH="50")
    body = read_environ(native, most=100)
    assert (body.bytes, body.problem) == (None, "disconnected")
    assert native["wsgi.input"].read() == b"{}"


def test_a_server_that_raises() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError("lost")
            return super().read(2)

    native = environ(b"{}", CONTENT_LENGTH="50", **{"wsgi.input": Broken(b"{}")})
    assert read_environ(native, most=100).problem == "disconnected"
    assert native["wsgi.input"].read(2) == b"{}"
    with pytest.raises(OSError, match="lost"):
        native["wsgi.input"].read()


CALLS = st.lists(
    st.tuples(st.sampled_from(["read", "readline"]), st.none() | st.integers(-1, 40)) | st.just(("readlines", None)),
    max_size=12,
)


@given(content=st.text("ab\n", min_size=11, max_size=80).map(str.encode), calls=CALLS)
def test_over_the_cap_the_input_reads_as_before(content: bytes, calls: list[tuple[str, int | None]]) -> None:
    native = environ(content, CONTENT_LENGTH=None, **{"wsgi.input_terminated": True})
    server = native["wsgi.input"]
    assert read_environ(native, most=10).problem == "too-large"
    assert server.tell() == 11
    twin = io.BytesIO(content)
    for name, size in calls:
        arguments = () if size is None else (size,)
        assert getattr(native["wsgi.input"], name)(*arguments) == getattr(twin, name)(*arguments)
    assert list(native["wsgi.input"]) == list(twin)


def test_a_replaced_environ() -> None:
    native = environ(b"{}", HTTP_CONTENT_ENCODING="gzip", HTTP_TRANSFER_ENCODING="chunked", HTTP_CONTENT_LENGTH="2")
    body = read_environ(native, most=100)
    after = body.replaced(b"new")
    assert (after["CONTENT_LENGTH"], after["wsgi.input"].read(), native["wsgi.input"].read()) == ("3", b"new", b"{}")
    assert set(after) == {"CONTENT_TYPE", "CONTENT_LENGTH", "wsgi.input"}
    with pytest.raises(UsageError):
        read_environ(environ(b"x" * 101), most=100).replaced(b"new")
