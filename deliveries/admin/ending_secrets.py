"""The order that ends a live secret of an endpoint, after it has said what comes of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.admin.confirming import Question, ask, is_confirmed
from deliveries.admin.endpoint_panel import judgement
from deliveries.admin.trying import back_to
from integrations.admin.base import HubAdmin
from integrations.admin.inlines import may_write_secrets
from integrations.models import Endpoint, Secret


def end_secret(admin: HubAdmin, request: HttpRequest, pk: UUID, secret: UUID) -> HttpResponse:
    """End a secret that is safe to retire, judged once more now; unless it is confirmed, say first what that means.

    Raises `PermissionDenied` for who may not write secrets.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    row = get_object_or_404(Endpoint.objects.live().visible_to(request.user), pk=pk)
    if not may_write_secrets(request, row):
        raise PermissionDenied
    now = timezone.now()
    live = list(row.secrets.live(now))
    found = next((each for each in live if each.pk == secret), None)
    if found is None or not found.safe_to_retire(live, now=now):
        messages.error(request, gettext("That secret is not safe to retire now; it stays."))
        return back_to(request, pk)
    if not is_confirmed(request):
        question = _retiring(found, judgement(found, live, now))
        back = reverse("admin:integrations_endpoint_change", args=[pk])
        return ask(admin, request, question, back=back, row=row)
    with transaction.atomic():
        change = audit.difference(found, audit.snapshot(found), None)
        found.expires_at = now
        found.save(update_fields=["expires_at"])
        audit.record(audit.Action.REMOVED, found, by=request.user, message="Ended.", change=change)
    messages.success(request, gettext("The secret “%(found)s” is ended.") % {"found": found})
    return back_to(request, pk)


def _retiring(secret: Secret, judged: str) -> Question:
    return Question(
        gettext("Retire a secret"),
        gettext("Retire the secret “%(secret)s” of %(slug)s?") % {"secret": secret, "slug": secret.endpoint.slug},
        (
            judged,
            gettext(
                "From now on a request that only this secret proves is refused. It cannot be switched on again: it "
                "would have to be entered anew."
            ),
        ),
        gettext("Retire the secret"),
    )
