"""The same trivial work through plain django-q2 `async_task`, one task each: ``python -m bench.plain_q COUNT``."""

from __future__ import annotations

import json
import sys
import time

#: By name: this module is also the program.
_TASK = "bench.plain_q.trivial"


def trivial(number: int) -> None:
    """Do nothing."""


def main(count: int) -> float:
    """Return how many tasks a second a running cluster gets done, from their commit to the last acknowledgement."""
    import django

    django.setup()
    from django.db import transaction
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    _do(1)  # the cluster is up
    with transaction.atomic():
        for number in range(count):
            async_task(_TASK, number)
    began = time.monotonic()
    while OrmQ.objects.exists():
        time.sleep(0.05)
    return count / (time.monotonic() - began)


def _do(number: int) -> None:
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    async_task(_TASK, number)
    until = time.monotonic() + 60
    while OrmQ.objects.exists():
        if time.monotonic() > until:
            raise SystemExit("django-q2's cluster does nothing")
        time.sleep(0.05)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
