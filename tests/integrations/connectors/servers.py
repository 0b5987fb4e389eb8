"""Real servers on loopback addresses for tests of outgoing calls."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Talk = Callable[[socket.socket], None]


@dataclass
class Seen:
    """One request as the server got it; ``headers`` by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A web server that notes what it gets and answers what it is told to."""

    host: str = "127.0.0.1"
    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    seen: list[Seen] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@contextlib.contextmanager
def serving(server: Server, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run ``server`` in a thread; a port of 0 becomes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.seen.append(Seen(self.command, self.path, headers, body))
            self.send_response(server.status)
            for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(server.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Http(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: tests break connections off."""

    with Http((server.host, server.port), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
            server.scheme = "https"
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@contextlib.contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """Run a server that handles each connection with ``talk``, however badly; yield its ``http://`` address."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=one, args=(listener.accept()[0],))
                thread.start()
                threads.append(thread)

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join()


def say_nothing(connection: socket.socket) -> None:
    """Read on and answer nothing, until the other side gives up."""
    while connection.recv(65536):
        pass


def take_request(connection: socket.socket) -> None:
    """Read a request without a body."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(4096)
        if not part:
            return
        received += part


def make_certificate(folder: Path, *, names: list[str], expired: bool = False) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with a self-made certificate, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    alternatives = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1) if expired else now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    pem.write_bytes(private + public)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=public.decode())


@dataclass
class Proxy:
    """An HTTP proxy: ``asked`` are the first lines and headers of what it was asked for."""

    user_and_password: str = ""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def talk(self, connection: socket.socket) -> None:
        """Lead one CONNECT through, or refuse it and repeat what was sent."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        text = head.decode("latin-1")
        self.asked.append(text)
        wanted = base64.b64encode(self.user_and_password.encode()).decode()
        if self.user_and_password and f"Proxy-Authorization: Basic {wanted}" not in text:
            said = text.replace("\r\n", " ")
            connection.sendall(f"HTTP/1.1 407 {said}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        host, _, port = text.split(" ")[1].rpartition(":")
        with socket.create_connection((host, int(port))) as onward:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, connection))
            back.start()
            _pump(connection, onward)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxying(user_and_password: str = "") -> Iterator[Proxy]:
    """Run a proxy in a thread."""
    proxy = Proxy(user_and_password)
    with talking(proxy.talk) as url:
        proxy.url = url
        yield proxy
