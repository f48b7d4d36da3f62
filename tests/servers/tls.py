"""TLS in front of a server: none of the programs that packages carry was built with it."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from typing import TYPE_CHECKING

from servers.proxy import Proxy
from servers.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.server import Server

OPENSSL = (
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=a server for tests", "-addext", f"subjectAltName=IP:{HOST}",
    "-addext", "keyUsage=digitalSignature,keyCertSign",
)  # fmt: skip


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key. Clients trust it by `ssl_ca_certs`."""
    trusted, key = directory / "trusted.pem", directory / "key.pem"
    subprocess.run([*OPENSSL, "-out", trusted, "-keyout", key], check=True, capture_output=True)
    return trusted, key


@contextlib.contextmanager
def secured(server: Server, directory: Path) -> Iterator[tuple[Proxy, Path]]:
    """A server behind TLS, with all that a proxy can do to it; and what its clients have to trust."""
    trusted, key = certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, key)
    with Proxy(server.port, context) as proxy:
        yield proxy, trusted
