"""Workers and the queue: whether what was taken in gets done."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from deliveries import readiness, self_check
from deliveries.doctor.symptoms import Finding, problem
from deliveries.models import Delivery, DeliveryStatus, Schedule, Worker

#: A live worker makes the event of a tick within seconds.
_OVERDUE = timedelta(minutes=2)
#: A worker begins the self-check within a minute.
_NOT_BEGUN = timedelta(minutes=2)
#: A lease runs out after HUB_LEASE_SECONDS and a live worker takes it over at once.
_LATE = timedelta(seconds=60)


def workers_are_alive(now: datetime) -> Finding:
    """Look for signs of life."""
    found = readiness.workers(now)
    if found.ok:
        return f"{found.facts['alive']} alive", ()
    return "", [problem(found.reason, "Start the hub: `python manage.py hub`. If it runs, its log says what ails it.")]


def queue_moves(now: datetime) -> Finding:
    """Look how long the oldest due delivery has been waiting."""
    found = readiness.queue(now)
    fact = f"the oldest due delivery waits {found.facts['oldest_due_seconds']:.0f} s"
    if found.ok:
        return fact, ()
    mend = "Are workers alive? If all are busy: more HUB_WORKERS or HUB_WORKER_THREADS, or shorter timeouts of routes."
    return fact, [problem(found.reason, mend)]


def leases_are_taken_over(now: datetime) -> Finding:
    """Look for deliveries whose worker went silent long ago."""
    running = Delivery.objects.filter(status=DeliveryStatus.RUNNING)
    left = running.filter(lease_until__lt=now - _LATE).count()
    fact = f"{running.count()} running"
    if not left:
        return fact, ()
    text = f"{left} {'delivery is' if left == 1 else 'deliveries are'} held by a worker that has gone silent."
    return fact, [problem(text, "No live worker takes them over: start the hub, or look into its log.")]


def self_check_comes_out(now: datetime) -> Finding:
    """Look whether the self-check, where it is on, is sent and comes out at the other end."""
    seen = self_check.look(now)
    if seen is not None and seen.is_late:
        text = f"No event of the self-check has come out for {seen.age_seconds:.0f} s."
        return "", [problem(text, "The overview says where it got to; docs/runbooks/self-check.md says what to do.")]
    if seen is not None:
        return f"the newest one that came out is {seen.age_seconds:.0f} s old", ()
    begins = Worker.objects.alive(now).filter(started_at__lt=now - _NOT_BEGUN).exists()
    if not settings.HUB_SELF_CHECK_SECONDS or not begins:
        return "", ()
    mend = "May workers not make it? `python manage.py database_roles --apply`, as the database's owner, does."
    return "", [problem("The self-check is on, and its endpoint is missing.", mend)]


def schedules_are_in_time(now: datetime) -> Finding:
    """Look for schedules whose tick has passed and made no event."""
    overdue = list(Schedule.objects.due(now - _OVERDUE).order_by("next_at").values_list("name", flat=True)[:5])
    fact = f"{Schedule.objects.filter(enabled=True).count()} on"
    if not overdue:
        return fact, ()
    text = f"The time of {', '.join(map(repr, overdue))} has come, and no event was made."
    return fact, [problem(text, "Is a worker alive? If so, its log says what keeps the schedule (schedule.failed).")]
