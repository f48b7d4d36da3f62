"""The proxy by itself: what passes and what does not, in both directions, and what becomes of callers who leave."""

from __future__ import annotations

import hashlib
import json
import socket
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest

from guard.servers import ROOT
from proxy.helpers import PATIENCE_S, UPSTREAM_KEY
from proxy.script import READING
from proxy.speech import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.helpers import Control
    from proxy.metered import Metered

    Answer = tuple[int, dict[str, str], bytes]

MIB = 1 << 20
CHAT = "/v1/chat/completions"
POSTS = [CHAT, "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/messages"]
GEMINI = ["generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse"]
SECRETS = {
    "Authorization": "Bearer secret", "X-Api-Key": "secret", "X-Goog-Api-Key": "secret", "Api-Key": "secret",
    "Proxy-Authorization": "Basic secret", "Cookie": "session=secret", "X-Tenant-Credential": "secret",
    "OpenAI-Organization": "secret", "OpenAI-Project": "secret", "X-Forwarded-For": "secret", "Forwarded": "for=secret",
    "Guard-Challenge-Response": "secret",
}  # fmt: skip


def ask(model: str, *, stream: bool = True, **more: Any) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [], "stream_options": {"include_usage": True}, **more}


def raw(http: httpx2.Client, path: str, body: Any, **fields: str) -> Answer:
    """An answer as its bytes are; the fields of its head in lower case."""
    with http.stream("POST", path, json=body, headers=fields) as answer:
        return answer.status_code, dict(answer.headers), b"".join(answer.iter_raw())


@pytest.fixture(params=["requests", "tokens"])
def front(
    request: pytest.FixtureRequest, proxy: httpx2.Client, metered: Metered, fresh: Callable[[str], str]
) -> Callable[..., Answer]:
    """Asks a proxy that reads no body, or one that counts what passes."""
    if request.param == "requests":
        return partial(raw, proxy)
    return partial(raw, metered.http, authorization=f"Bearer {fresh('ample')}")


@pytest.mark.parametrize(
    "script",
    [
        "chunks=20",
        "chunks=0",
        "chunks=1,text=漢字🦀",
        "chunks=3,delay_ms=1",
        "usage=missing",
        "usage=negative",
        "usage=string",
        "usage=huge",
        "usage=x3",
        "gzip=1",
        "cut=1",
        "gzip=1,cut=7",
        "endless=100000",
        "status=400",
        "status=429,retry_after=7",
        "status=529,gzip=1",
    ],
)
@pytest.mark.parametrize("path", [*POSTS, *GEMINI])
def test_answers_pass_byte_by_byte(front: Callable[..., Answer], upstream: Control, path: str, script: str) -> None:
    """What the upstream sends, the caller gets, with and without a stream, counted or not."""
    model = f"script:{script}"
    path = f"/v1beta/models/{model}:{path}" if path in GEMINI else path
    for stream in (False, True):
        if stream and path == "/v1/embeddings":
            continue
        status, fields, body = front(path, ask(model, stream=stream))
        wanted_status, wanted_fields, wanted = raw(upstream.http, path, ask(model, stream=stream))
        assert (status, body) == (wanted_status, wanted)
        for name in ("content-type", "content-encoding", "content-length", "transfer-encoding", "retry-after"):
            assert fields.get(name) == wanted_fields.get(name), name


@pytest.mark.parametrize("path", [path for path in STREAMS if path.startswith("/")])
def test_a_chunk_passes_before_the_next_is_made(proxy: httpx2.Client, upstream: Control, path: str) -> None:
    """The upstream stands before its third event until the caller has the second."""
    name = f"early{path}"
    with proxy.stream("POST", path, json=ask(f"script:name={name},stall=2")) as answer:
        lines = answer.iter_lines()
        events = 0
        while events < 2:
            events += next(lines) == ""
        upstream.wait_open(name, 1)
        upstream.go(name)
        assert sum(line == "" for line in lines) > 2


def test_a_body_passes_before_its_end_is_there(proxy: httpx2.Client, upstream: Control) -> None:
    """Its first half has arrived when the second is sent; without a length it is chunked on both ways."""
    body = json.dumps(ask("script:name=halves", stream=False)).encode()
    before = upstream.arrived()

    def halves() -> Iterator[bytes]:
        yield body[:10]
        upstream.arrived(least=before + 10)
        yield body[10:]

    assert proxy.post(CHAT, content=halves()).status_code == 200
    [came] = upstream.requests("halves")
    assert came["body"].encode() == body
    assert dict(came["headers"])["transfer-encoding"] == "chunked"


def test_a_big_body_passes(proxy: httpx2.Client, upstream: Control) -> None:
    """8 MiB up with their Content-Length, 8 MiB down without a line end."""
    asked = ask(f"script:name=big,endless={8 * MIB}", padding="x" * 8 * MIB)
    _, _, body = raw(proxy, CHAT, asked)
    assert body == b"data: " + b"x" * 8 * MIB
    [came] = upstream.requests("big")
    sent = proxy.build_request("POST", CHAT, json=asked).content
    assert (came["length"], came["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest())
    assert dict(came["headers"])["content-length"] == str(len(sent))


@pytest.mark.parametrize(("stall", "stream"), [(-1, True), (0, False), (0, True), (2, True)])
def test_who_leaves_ends_the_upstream_answer(proxy: httpx2.Client, upstream: Control, stall: int, stream: bool) -> None:
    """Before the head as in the midst of a stream: the upstream waits for nothing but the end of its connection."""
    name = f"leaver{stall}{stream}"
    body = json.dumps(ask(f"script:name={name},stall={stall}", stream=stream)).encode()
    with dialled(proxy) as connection:
        connection.sendall(head(len(body)) + body)
        upstream.wait_open(name, 1)
        if stream and stall >= 0:
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
    upstream.wait_open(name, 0)


def test_who_leaves_while_sending_ends_it_too(proxy: httpx2.Client, upstream: Control) -> None:
    """The upstream does not wait for the rest."""
    before = upstream.arrived()
    with dialled(proxy) as connection:
        connection.sendall(head(1_000) + b"{")
        upstream.arrived(least=before + 1)
        upstream.wait_open(READING, 1)
    upstream.wait_open(READING, 0)


def dialled(http: httpx2.Client) -> socket.socket:
    return socket.create_connection((http.base_url.host, http.base_url.port or 80), timeout=PATIENCE_S)


def head(length: int) -> bytes:
    return f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize("script", ["close=2", "tear=2", "gzip=1,close=2", "cut=3,tear=2"])
def test_a_stream_that_breaks_off_is_seen_as_broken(proxy: httpx2.Client, upstream: Control, script: str) -> None:
    """All that came before passes; then the connection is cut as the upstream's was."""
    (proxied, why), (direct, _) = (until_it_breaks(http, script) for http in (proxy, upstream.http))
    assert proxied == direct != b""
    assert "incomplete" in str(why)


def until_it_breaks(http: httpx2.Client, script: str) -> tuple[bytes, Exception | None]:
    came = b""
    try:
        with http.stream("POST", CHAT, json=ask(f"script:{script}")) as answer:
            for chunk in answer.iter_raw():
                came += chunk
    except httpx2.RemoteProtocolError as error:
        return came, error
    return came, None


def test_a_document_shorter_than_it_said_is_seen_as_broken(proxy: httpx2.Client) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        raw(proxy, CHAT, ask("script:lie=9", stream=False))


def test_no_answer_is_a_502(proxy: httpx2.Client) -> None:
    """In JSON that the clients of OpenAI and Anthropic can read, and again and again."""
    for _ in range(3):
        status, fields, body = raw(proxy, CHAT, ask("script:close=-1"))
        assert (status, fields["content-type"]) == (502, "application/json")
        found = json.loads(body)
        assert (found["type"], found["error"]["type"]) == ("error", "api_error")
        assert "cannot be reached" in found["error"]["message"]


@pytest.mark.parametrize(
    ("path", "more", "field", "value"),
    [
        (CHAT, {}, "authorization", f"Bearer {UPSTREAM_KEY}"),
        ("/v1/embeddings", {}, "authorization", f"Bearer {UPSTREAM_KEY}"),
        ("/v1/messages", {"Anthropic-Version": "2023-06-01"}, "x-api-key", UPSTREAM_KEY),
        ("/v1beta/models/{model}:generateContent", {}, "x-goog-api-key", UPSTREAM_KEY),
    ],
)
def test_credentials_stay_here(
    proxy: httpx2.Client, upstream: Control, path: str, more: dict[str, str], field: str, value: str
) -> None:
    """The upstream gets its own key in the place where its API wants it, and nothing that names the caller."""
    model = f"script:name=key-{field}-{len(path)}"
    query = "?key=secret&access_token=secret&%6Bey=secret&$key=secret&alt=json"
    asked = ask(model, stream=False)
    assert raw(proxy, path.format(model=model) + query, asked, **SECRETS, **more)[0] == 200
    [came] = upstream.requests(model.partition("name=")[2])
    assert "secret" not in str(came)
    assert came["target"].partition("?")[2] == "alt=json"
    fields = dict(came["headers"])
    assert {name: fields[name] for name in SECRETS_LOWER & fields.keys()} == {field: value}


SECRETS_LOWER = {name.lower() for name in SECRETS}


def test_fields_of_one_connection_stay_there(proxy: httpx2.Client, upstream: Control) -> None:
    """Those of RFC 9110, those that Connection names, and in the answer cookies, which are the proxy's own."""
    fields = {
        "Connection": "keep-alive, User-Agent",
        "Keep-Alive": "9",
        "TE": "trailers",
        "Upgrade": "h2c",
        "User-Agent": "x",
    }
    with proxy.stream("POST", CHAT, json=ask("script:name=hops"), headers=fields) as answer:
        answer.read()
        back = [(name.lower().decode(), value.decode()) for name, value in answer.headers.raw]
    [came] = upstream.requests("hops")
    there = {name for name, _ in came["headers"]}
    assert not there & {"keep-alive", "te", "upgrade", "user-agent", "cookie", "connection"}
    names = [name for name, _ in back]
    assert not {"keep-alive", "x-hop", "set-cookie", "connection"} & set(names)
    assert [value for name, value in back if name == "x-twice"] == ["1", "2"]
    assert (names.count("date"), names.count("server"), names.count("x-request-id")) == (1, 1, 1)
    assert ("date", "Thu, 01 Jan 1970 00:00:00 GMT") not in back


def test_no_coding_that_the_caller_did_not_ask_for(proxy: httpx2.Client, upstream: Control) -> None:
    """No field would allow the upstream any; a caller's own goes through."""
    body = json.dumps(ask("script:name=codings", stream=False)).encode()
    for line in (b"", b"Accept-Encoding: br;q=0.5\r\n"):
        with dialled(proxy) as connection:
            connection.sendall(head(len(body)).replace(b"Host: x\r\n", b"Host: x\r\n" + line) + body)
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
    codings = [dict(came["headers"])["accept-encoding"] for came in upstream.requests("codings")]
    assert codings == ["identity", "br;q=0.5"]


def test_a_get_has_no_body(proxy: httpx2.Client, upstream: Control) -> None:
    """And pages as the caller wants it to; a method or path that is not on the list goes nowhere."""
    assert proxy.get("/v1/models?limit=2&after_id=x").json()["data"][0]["object"] == "model"
    came = upstream.requests("")[-1]
    assert (came["method"], came["target"]) == ("GET", "/v1/models?limit=2&after_id=x")
    assert "transfer-encoding" not in dict(came["headers"])
    assert proxy.get(CHAT).status_code == 405
    for path in ("/v1/files", "/v1/models/x", "/v1/chat/completions/x", "/v1beta/models/../files:x", "/control/open"):
        assert proxy.post(path, json={}).status_code in {404, 405}, path


@pytest.mark.parametrize(
    "model",
    ["a%3Fkey%3Dx", "a%23b", "a%252Fb", "..", "%2e%2e", "%C3%A9", "a%20b", "a%0Ab", "a;b=c", "%ff", "x" * 9_000],
)
def test_the_upstream_sees_the_path_that_the_guard_saw(proxy: httpx2.Client, upstream: Control, model: str) -> None:
    """A name of a model cannot become a query, another path, or another host."""
    before = len(upstream.requests(""))
    with dialled(proxy) as connection:
        start = f"POST /v1beta/models/{model}:generateContent HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        connection.sendall(start.encode() + b"{}")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
    [came] = upstream.requests("")[before:]
    url = urlsplit(came["target"])
    assert url.path.startswith("/v1beta/models/")
    assert (url.path.count("/"), url.path.endswith(":generateContent"), url.query, url.fragment) == (3, True, "", "")


def test_a_path_too_long_to_pass_is_a_502(proxy: httpx2.Client) -> None:
    """Quoting makes three bytes of one."""
    with dialled(proxy) as connection:
        connection.sendall(
            f"POST /v1beta/models/{',' * 30_000}:x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
        )
        assert connection.recv(1_000).startswith(b"HTTP/1.1 502")


def test_the_tier_file_covers_the_endpoints() -> None:
    """Every path of the proxy that takes a prompt has a route that reads it."""
    file = tomllib.loads((ROOT / "examples" / "llm_proxy.toml").read_text())
    read = {route["match"] for route in file["routes"] if route.get("body")}
    assert read == {*POSTS, "/v1beta/models/{call}"}
    assert all(file["tiers"].values()), "a tier without policies has no limit"
