"""Why a request was refused, and what would have made it pass: for an operator who looks, never in the request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.models import Rejection
from deliveries.reverify import stored_request
from integrations.contracts import InboundRequest
from integrations.errors import ReferenceMissing, RequestRejected
from integrations.models import Endpoint, Secret
from integrations.verification import Basic, Reason, Scheme, Token
from integrations.verification.signature import SignatureScheme
from integrations.verification.variations import variations

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: A trial is one request under one secret. Whichever is reached first ends them.
MOST_TRIALS = 1500
MOST_SECONDS = 2.0
#: Secrets of the endpoint itself, and other endpoints, that are tried; the newest.
_MOST_SECRETS = 10
_MOST_ENDPOINTS = 200

#: The proof is right, only the time is not.
_AGE = frozenset({Reason.TIMESTAMP_STALE, Reason.TIMESTAMP_IN_FUTURE})
#: Reasons about proof, for which trials make sense.
_ABOUT_PROOF = frozenset(
    {
        Reason.NO_LIVE_SECRET,
        Reason.SIGNATURE_MISSING,
        Reason.SIGNATURE_UNDECODABLE,
        Reason.SIGNATURE_MISMATCH,
        Reason.ALGORITHM_UNKNOWN,
        Reason.SIGNED_HEADER_MISSING,
        Reason.BODY_HASH_MISMATCH,
        Reason.TIMESTAMP_MISSING,
        Reason.TIMESTAMP_UNREADABLE,
        Reason.TOKEN_MISSING,
        Reason.TOKEN_UNDECODABLE,
        Reason.TOKEN_MISMATCH,
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing to know about a rejection: a stable code, and a sentence that holds no secret."""

    code: str
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """What was found; ``tried`` names the secrets, ``trials`` says how much was tried and whether that was all."""

    findings: list[Finding]
    tried: list[str]
    trials: int = 0
    is_complete: bool = True


def _key_lost() -> Finding:
    text = _("A stored value cannot be decrypted any more; was a key of HUB_ENCRYPTION_KEYS removed?")
    return Finding("key_lost", text)


class _Spent(Exception):
    """The trials have reached their bounds."""


@dataclass
class _Trials:
    """Counts the trials and ends them at their bounds."""

    clock: Callable[[], float]
    until: float
    made: int = 0

    def fits(self, scheme: Scheme, request: InboundRequest, keys: list[str]) -> bool:
        """Return whether one of ``keys`` proves ``request``, its age aside; raises `_Spent`."""
        if self.made + len(keys) > MOST_TRIALS or self.clock() > self.until:
            raise _Spent
        self.made += len(keys)
        try:
            scheme.verify(request, keys)
        except RequestRejected as exc:
            return exc.reason in _AGE
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class _Key:
    """A secret with its value, for as long as the trials last."""

    secret: Secret
    value: str

    @property
    def name(self) -> str:
        return f"“{self.secret}”"


def diagnose(
    rejection: Rejection,
    *,
    viewer: User | AnonymousUser,
    now: datetime | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Diagnosis:
    """Return what is known of why ``rejection`` was refused, and what would match.

    Another endpoint is tried only if ``viewer`` is not restricted to other groups, and named only to who may see
    endpoints. Takes at most `MOST_TRIALS` trials and `MOST_SECONDS`; asks nothing of the network. What cannot be
    decrypted is said, not raised.
    """
    now = now or timezone.now()
    facts = list(_facts(rejection))
    if rejection.reason not in _ABOUT_PROOF:
        return Diagnosis(facts, [])
    try:
        scheme = rejection.endpoint.preset.scheme_for(rejection.endpoint.settings)
        request = stored_request(rejection)
        keys = _keys(rejection.endpoint)
    except (KeyError, ValueError):
        return Diagnosis([*facts, Finding("settings_unusable", _("The endpoint's settings cannot be used."))], [])
    except ImproperlyConfigured:
        return Diagnosis([*facts, _key_lost()], [])
    live = [key for key in keys if key.secret.expires_at is None or key.secret.expires_at > now]
    tried = [str(key.secret) for key in live]
    if rejection.raw_body is None and scheme.covers_body:
        text = _("The body was not kept, so nothing can be tried with it.")
        return Diagnosis([*facts, Finding("body_not_kept", text)], tried)
    if not isinstance(scheme, SignatureScheme | Token | Basic):
        return Diagnosis(facts, tried)
    trials = _Trials(clock, clock() + MOST_SECONDS)
    try:
        found = next(_matches(rejection, scheme, request, keys, live, trials, viewer=viewer), None)
    except _Spent:
        text = _("Nothing that was tried matches; there was more to try than the time allows.")
        return Diagnosis([*facts, Finding("nothing_matches", text)], tried, trials.made, is_complete=False)
    except ImproperlyConfigured:
        return Diagnosis([*facts, _key_lost()], tried, trials.made, is_complete=False)
    return Diagnosis([*facts, found or _nothing(trials)], tried, trials.made)


def _nothing(trials: _Trials) -> Finding:
    return Finding(
        "nothing_matches",
        _(
            "None of %(trials)s trials matches. Most likely another secret is set at the provider: compare both, "
            "or make a new one there and enter it here."
        )
        % {"trials": trials.made},
    )


def _facts(rejection: Rejection) -> Iterator[Finding]:
    """Yield what the reason's details say in words."""
    detail = rejection.detail
    late, early = detail.get("stale_by_seconds"), detail.get("ahead_by_seconds")
    if late is not None:
        yield Finding(
            "timestamp_stale",
            _(
                "The signature is right and %(late)s s older than the %(allowed)s s that are allowed. If it is about "
                "as much for every request, the hub's clock is ahead: look at its time synchronisation. If not, the "
                "request was held up on its way, or sent again by somebody."
            )
            % {"late": late, "allowed": detail.get("tolerance_seconds")},
        )
    if early is not None:
        yield Finding(
            "timestamp_in_future",
            _(
                "The signature is right and %(early)s s further ahead than the %(allowed)s s that are allowed: the "
                "hub's clock is behind, or the provider's ahead."
            )
            % {"early": early, "allowed": detail.get("tolerance_seconds")},
        )
    missing = detail.get("header") or detail.get("place")
    if missing and rejection.reason.endswith("_missing"):
        text = _("The request has no %(missing)s, where this endpoint's proof stands.")
        yield Finding("header_missing", text % {"missing": missing})
    if detail.get("expected"):
        text = (
            _("%(missing)s was expected in the form %(form)s.")
            if missing
            else _("It was expected in the form %(form)s.")
        )
        yield Finding("expected_form", text % {"missing": missing, "form": detail["expected"]})


def _keys(endpoint: Endpoint) -> list[_Key]:
    """Return the endpoint's secrets, expired ones too; without those whose reference leads nowhere."""
    keys = []
    for secret in endpoint.secrets.order_by("-created_at", "-id")[:_MOST_SECRETS]:
        try:
            keys.append(_Key(secret, secret.resolved()))
        except ReferenceMissing:
            continue
    return keys


def _matches(
    rejection: Rejection,
    scheme: Scheme,
    request: InboundRequest,
    keys: list[_Key],
    live: list[_Key],
    trials: _Trials,
    *,
    viewer: User | AnonymousUser,
) -> Iterator[Finding]:
    """Yield what matches, the likely first."""
    for key in keys:
        if not trials.fits(scheme, request, [key.value]):
            continue
        if key in live:
            text = _("It matches the secret %(secret)s as it is now: reverify it.")
            yield Finding("matches_now", text % {"secret": key.name})
        else:
            yield Finding(
                "expired_secret",
                _("It matches the secret %(secret)s, which ended at %(ended)s UTC: the provider still uses it.")
                % {"secret": key.name, "ended": f"{key.secret.expires_at:%Y-%m-%d %H:%M}"},
            )
    for variation in variations(scheme, request, forwarded=_forwarded(request)):
        for key in live:
            value = variation.change_key(key.value)
            is_same = value == key.value and (variation.scheme, variation.request) == (scheme, request)
            if value and not is_same and trials.fits(variation.scheme, variation.request, [value]):
                text = _("It would match the secret %(secret)s if %(variation)s")
                yield Finding(variation.code, text % {"secret": key.name, "variation": variation.text})
    yield from _elsewhere(rejection, scheme, request, trials, viewer=viewer)


def _forwarded(request: InboundRequest) -> tuple[str, ...]:
    """Return the host names that the request itself claims; only tried, never believed."""
    claims = [request.headers.get(name, "") for name in ("X-Forwarded-Host", "X-Original-Host", "Host")]
    hosts = [claim.split(",")[0].strip() for claim in claims]
    return tuple(host for host in hosts if host and urlsplit(f"//{host}").netloc == host and len(host) < 256)


def _elsewhere(
    rejection: Rejection, scheme: Scheme, request: InboundRequest, trials: _Trials, *, viewer: User | AnonymousUser
) -> Iterator[Finding]:
    """Yield the endpoint whose secret it is."""
    others = Endpoint.objects.live().visible_to(viewer).exclude(pk=rejection.endpoint_id).prefetch_related("secrets")
    for other in others.order_by("-created_at")[:_MOST_ENDPOINTS]:
        values = _values(other)
        if not values:
            continue
        may_see = viewer.has_perm("integrations.view_endpoint")
        name = _("the endpoint “%(slug)s”") % {"slug": other.slug} if may_see else _("another endpoint")
        if trials.fits(scheme, request, values):
            text = _("It matches a secret of %(endpoint)s: the two may have been swapped.")
            yield Finding("other_endpoint_secret", text % {"endpoint": name})
        theirs = _local_scheme(other)
        if theirs is not None and theirs != scheme and trials.fits(theirs, request, values):
            text = _("It would pass at %(endpoint)s: the provider sends to the wrong URL.")
            yield Finding("other_endpoint", text % {"endpoint": name})


def _values(endpoint: Endpoint) -> list[str]:
    now = timezone.now()
    values = []
    for secret in endpoint.secrets.all():
        try:
            if secret.expires_at is None or secret.expires_at > now:
                values.append(secret.resolved())
        except ReferenceMissing:
            continue
    return values[:_MOST_SECRETS]


def _local_scheme(endpoint: Endpoint) -> Scheme | None:
    try:
        scheme = endpoint.preset.scheme_for(endpoint.settings)
    except (KeyError, ValueError):
        return None
    return scheme if isinstance(scheme, SignatureScheme | Token | Basic) else None
