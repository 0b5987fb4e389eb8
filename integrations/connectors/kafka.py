"""Kafka topics: brokers checked before a message goes, one deadline over all of it, errors without values.

librdkafka opens its connections itself and its Python binding has no hook there. So the names are looked up and checked
before, those of the bootstrap servers and then those that the cluster advertises; a name that changes its address
between the check and the connection is not noticed.

A producer takes half a second to begin, so that each process keeps its own; names are checked before each message.

The client is confluent-kafka, which is an extra: https://docs.confluent.io/platform/current/clients/confluent-kafka-python/
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import httpcore
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.connectors.egress import EgressRefused, Resolve, is_allowed, refusal, resolve
from integrations.connectors.extras import extra
from integrations.connectors.kinds import ConnectionKind, kinds
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import System, SystemFailed, SystemRefused
from integrations.errors import HubError

_BROKER = r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}"
_ADDRESS = re.compile(rf"(?P<scheme>kafka(?:\+tls)?)://(?P<brokers>{_BROKER}(?:,{_BROKER}){{0,9}})")
_PROTOCOLS = {
    ("kafka", "none"): "PLAINTEXT",
    ("kafka", "sasl"): "SASL_PLAINTEXT",
    ("kafka+tls", "none"): "SSL",
    ("kafka+tls", "sasl"): "SASL_SSL",
}
#: Producers by process and options: a new one takes half a second to begin. Those of the process that this one was
#: forked from stay where they are, as their threads are not here to end them.
_producers: dict[tuple[int, Any], Any] = {}
_lock = Lock()
_MOST_PRODUCERS = 16
_NAP_SECONDS = 0.02
#: Errors that the next try would meet again, by librdkafka's names.
_FINAL = frozenset(
    {
        "MSG_SIZE_TOO_LARGE",
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "_AUTHENTICATION",
        "TOPIC_EXCEPTION",
        "INVALID_RECORD",
    }
)


def produce(
    spec: ConnectionSpec,
    topic: str,
    body: bytes,
    *,
    key: str,
    headers: Mapping[str, str],
    seconds: float,
    resolve: Resolve = resolve,
) -> tuple[int, int]:
    """Send one message and return its partition and offset, once all in-sync replicas have it, within ``seconds``.

    Raises `SystemRefused`, `EgressRefused`, `ClientMissing`, or `SystemFailed`: then the message may be there all the
    same, unless that ``was_not_done``.
    """
    library = extra("confluent_kafka", package="confluent-kafka")
    ends_at = time.monotonic() + seconds
    name = (os.getpid(), tuple(sorted({**_options(spec), **_producing(spec)}.items())))
    producer = _checked_producer(name, spec, topic, ends_at=ends_at, resolve=resolve)
    sent: list[tuple[str, str | bytes | None]] = list(headers.items())
    outcome: list[Any] = []
    try:
        producer.produce(topic, body, key, headers=sent, on_delivery=lambda *said: outcome.extend(said))
    except library.KafkaException as exc:
        raise _own(exc.args[0], was_not_done=True) from None
    except BufferError:
        raise SystemFailed("too many messages wait for the brokers", was_not_done=True) from None
    while not outcome and time.monotonic() < ends_at:
        producer.poll(_NAP_SECONDS)  # of another thread's message, too: so none waits for long
    error, message = outcome or [None, None]
    if message is not None and error is None:
        return message.partition(), message.offset()
    with _lock:
        if _producers.get(name) is producer:
            del _producers[name]  # it may be in a state that it does not leave
    raise _own(error) if error is not None else SystemFailed("no broker took the message in time")


def _producing(spec: ConnectionSpec) -> dict[str, Any]:
    return {
        "enable.idempotence": True,  # of what it sends again itself: acknowledged by all in-sync replicas, and once
        "linger.ms": 0,
        "message.timeout.ms": max(1000, int(spec.timeout * 1000)),
    }


def _checked_producer(name: Any, spec: ConnectionSpec, topic: str, *, ends_at: float, resolve: Resolve) -> Any:
    """Return the producer that this process has for ``spec``, its brokers' addresses checked anew."""
    library = extra("confluent_kafka", package="confluent-kafka")
    known = _producers.get(name)
    found = _check_cluster(spec, topic, client=known, ends_at=ends_at, resolve=resolve)
    _check_topic(found, topic, has_to_be_there=False)
    if known is not None:
        return known
    with _lock:
        own = [each for each in _producers if each[0] == name[0]]
        if name not in _producers and len(own) >= _MOST_PRODUCERS:
            del _producers[own[0]]
        if name not in _producers:
            _producers[name] = library.Producer(dict(name[1]))
        return _producers[name]


def _check_cluster(spec: ConnectionSpec, topic: str, *, ends_at: float, resolve: Resolve, client: Any = None) -> Any:
    """Check the addresses of all brokers and return what the cluster says of itself; raises as `produce` does.

    Without a ``client`` one is asked that connects to bootstrap servers only: a producer could connect to any broker
    before its address is checked.
    """
    admin = extra("confluent_kafka.admin", package="confluent-kafka")
    library = extra("confluent_kafka", package="confluent-kafka")
    _check_brokers(spec, _brokers(spec.base_url), ends_at=ends_at, resolve=resolve)
    try:
        client = client or admin.AdminClient(_options(spec))
        found = client.list_topics(topic or None, timeout=min(_left(ends_at), spec.connect_timeout))
    except library.KafkaException as exc:
        raise _own(exc.args[0], was_not_done=True) from None
    advertised = [(broker.host, broker.port) for broker in found.brokers.values()]
    _check_brokers(spec, advertised, ends_at=ends_at, resolve=resolve)
    return found


def _check_topic(found: Any, topic: str, *, has_to_be_there: bool) -> None:
    """Raise what is wrong with ``topic``: for good, or anything; a cluster may be about to make one."""
    error = found.topics[topic].error if topic in found.topics else None
    if error is not None and (has_to_be_there or error.name() in _FINAL):
        raise _own(error, was_not_done=True)


def _check_brokers(
    spec: ConnectionSpec, brokers: Sequence[tuple[str, int]], *, ends_at: float, resolve: Resolve
) -> None:
    for host, port in brokers:
        try:
            addresses = resolve(host, port, min(spec.connect_timeout, _left(ends_at)))
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            raise SystemFailed("the name of a broker does not resolve", was_not_done=True) from None
        for address in addresses:
            if not is_allowed(address, spec.allow):
                raise EgressRefused(refusal(host, address))


def _options(spec: ConnectionSpec) -> dict[str, Any]:
    """Return librdkafka's options; none of them is an operator's text but the credentials."""
    found = _place(spec.base_url)
    options: dict[str, Any] = {
        "bootstrap.servers": found["brokers"],
        "client.id": "automation-hub",
        "security.protocol": _PROTOCOLS[found["scheme"], spec.auth],
        "socket.connection.setup.timeout.ms": max(1000, int(spec.connect_timeout * 1000)),
        "log_level": 0,  # its log names addresses
    }
    if spec.auth == "sasl":
        options["sasl.mechanism"] = spec.auth_settings["mechanism"]
        options["sasl.username"] = spec.credentials["username"]
        options["sasl.password"] = spec.credentials["password"]
    if os.environ.get("SSL_CERT_FILE"):  # as for HTTP: an authority of one's own
        options["ssl.ca.location"] = os.environ["SSL_CERT_FILE"]
    return options


def _left(ends_at: float) -> float:
    return max(0.01, ends_at - time.monotonic())


def _own(error: Any, *, was_not_done: bool = False) -> HubError:
    name = error.name()
    if name in _FINAL:
        return SystemRefused(f"the brokers refuse it: {name}")
    return SystemFailed(f"no broker takes it: {name}", was_not_done=was_not_done)


def _probe(system: System, path: str) -> str:
    """Ask the cluster for its brokers, and for the topic ``path`` if it is one."""

    def asked(seconds: float) -> int:
        found = _check_cluster(system.spec, path, ends_at=time.monotonic() + seconds, resolve=resolve)
        _check_topic(found, path, has_to_be_there=True)
        return len(found.brokers)

    return f"answered, with {system.tried('METADATA', asked, is_safe=True)} broker(s)"


def _place(address: str) -> dict[str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValidationError(gettext("This has to be kafka://HOST:PORT,HOST:PORT, or kafka+tls:// for TLS."))
    return found.groupdict()


def _brokers(address: str) -> list[tuple[str, int]]:
    pairs = [text.rpartition(":") for text in _place(address)["brokers"].split(",")]
    return [(host.strip("[]"), int(port)) for host, _, port in pairs]


def _check(value: str) -> None:
    if any(port not in range(1, 65536) for _, port in _brokers(value)):
        raise ValidationError(gettext("A port is a number from 1 to 65535."))


kinds.register("kafka")(
    ConnectionKind(
        "Kafka",
        "kafka+tls://broker.example.com:9093",
        "sasl",
        proofs=("none", "sasl"),
        form=_check,
        is_http=False,
        probe=_probe,
    )
)
