"""Servers for tests of the wire itself: one that does as it is told, a forward proxy, certificates."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RESET = b"RST"
"""An answer that is none: the connection is reset."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it came.

    Attributes:
        method, address: Of the request line; a proxy is given whole addresses.
        headers: By name in lower case.
        body: The body.
        connection: Number of the connection it came on.
        turn: How many came on that connection before.
    """

    method: str
    address: str
    headers: dict[str, str]
    body: bytes
    connection: int
    turn: int


Answering = Callable[[Heard], bytes]


def reply(status: int = 200, body: Any = None, **headers: str) -> bytes:
    """An answer; a body that isn't bytes is JSON (`_` in names of headers stands for `-`)."""
    raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    named = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
    named |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + raw


class Wire:
    """A server on a free port of the loopback; a thread per connection, all gone at its end.

    Args:
        answer: What it answers to a request: bytes that go out as they are, or `RESET`.
        tls: Speaks TLS by this context.
    """

    def __init__(self, answer: Answering, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.heard: list[Heard] = []
        self.connections = 0
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and whatever is under way."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def bodies(self) -> list[Any]:
        """The JSON of each request that had a body."""
        return [json.loads(each.body) for each in self.heard if each.body]

    def _start(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                self._start(self._serve, connection, self.connections)

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        self._open.add(plain)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
                self._open.add(connection)
            self._talk(connection, number)
        except (OSError, ValueError):
            pass  # the client went away, or doesn't trust us
        finally:
            self._open -= {plain, connection}
            connection.close()
            plain.close()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as lines:
            turn = 0
            while (heard := _request(lines, number, turn)) is not None:
                self.heard.append(heard)
                turn += 1
                if not self._respond(connection, heard):
                    return

    def _respond(self, connection: socket.socket, heard: Heard) -> bool:
        """Answer a request; False when the connection ends with that."""
        answer = self.answer(heard)
        if answer == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        connection.sendall(answer)
        return b"\r\nConnection: close" not in answer and heard.headers.get("connection") != "close"


class Proxy(Wire):
    """A forward proxy: whole addresses for http, tunnels (CONNECT) for https.

    Args:
        login: What `Proxy-Authorization` must be; None lets everybody through.
        hosts: Where names that don't exist lead: name → port of the loopback.
    """

    def __init__(self, login: str | None = None, hosts: dict[str, int] | None = None) -> None:
        super().__init__(lambda _: b"")
        self._login = login
        self._hosts = hosts or {}

    def _respond(self, connection: socket.socket, heard: Heard) -> bool:
        if self._login is not None and heard.headers.get("proxy-authorization") != self._login:
            connection.sendall(reply(407, b"", proxy_authenticate="Basic"))
            return False
        place = heard.address.partition("://")[2].partition("/")[0] or heard.address
        host, _, port = place.partition(":")
        number = self._hosts.get(host) or int(port or 80)
        with socket.create_connection(("127.0.0.1", number), timeout=10) as far:
            if heard.method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + heard.address.partition("://")[2].partition("/")[2]
                kept = {name: text for name, text in heard.headers.items() if not name.startswith("proxy-")}
                head = "".join(
                    f"{name}: {text}\r\n" for name, text in {**kept, "connection": "close"}.items()
                )
                far.sendall(f"{heard.method} {path} HTTP/1.1\r\n{head}\r\n".encode() + heard.body)
            _join(connection, far)
        return False


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either end is done."""
    while True:
        waiting = select.select([one, other], [], [], 10)[0]
        if not waiting:
            return
        for ready in waiting:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


def _request(lines: Any, connection: int, turn: int) -> Heard | None:
    first = lines.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers = {}
    while line := lines.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = lines.read(int(headers.get("content-length", "0")))
    return Heard(first[0], first[1], headers, body, connection, turn)


# Certificates


class Authority:
    """An authority of one's own that signs certificates.

    Args:
        folder: Where its files go.
        name: What it is called.

    Attributes:
        file: Its own certificate, for whoever is to trust it.
    """

    def __init__(self, folder: Path, name: str = "practice") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        public = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        made = (
            self._made(self._name, self._key, days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(public, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self._signing = made

    def server(self, host: str, *, days: int = 30) -> ssl.SSLContext:
        """What a server needs to speak TLS under a name (or number) of a host.

        Args:
            host: Name or number.
            days: How long the certificate holds from now; negative when it has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        mine = self._signing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        made = (
            self._made(subject, key, days)
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(mine), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"server-{host}-{days}.pem"
        plain = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _made(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 90 * day)
            .not_valid_after(now + days * day)
        )


def _general_name(host: str) -> x509.GeneralName:
    import ipaddress

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
