"""What is wrong with a hub, and how to mend it: `manage.py doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import structlog
from django.db import DatabaseError, InterfaceError

from deliveries.doctor import (
    backups,
    collectors,
    endpoints,
    machine,
    reach,
    setup,
    storage,
    surroundings,
    telling,
    work,
)
from deliveries.doctor.symptoms import Check, Result, Symptom, problem

__all__ = ["CHECKS", "Check", "Result", "Symptom", "examine"]

logger = structlog.get_logger(__name__)

#: In this order; those after ``migrations`` ask the database and are left out if one before them makes that pointless.
CHECKS: tuple[Check, ...] = (
    Check("settings", setup.settings_are_safe),
    Check("addresses", setup.addresses_agree),
    Check("proxies", surroundings.proxies_are_trusted),
    Check("time zones", surroundings.time_zones_are_there),
    Check("files", machine.files_are_private),
    Check("disk", machine.disk_has_room),
    Check("static files", machine.static_files_are_there),
    Check("file system", surroundings.database_is_local),
    Check("database", storage.database_is_safe, is_needed=True),
    Check("migrations", storage.migrations_are_applied, is_needed=True),
    Check("replica", surroundings.replica_answers),
    Check("growth", storage.disk_lasts),
    Check("archive", storage.archive_can_be_had),
    Check("configuration", setup.configuration_can_work),
    Check("clock", storage.clocks_agree),
    Check("encryption keys", storage.keys_decrypt),
    Check("backups", backups.backups_are_recent),
    Check("administrator", setup.somebody_can_log_in),
    Check("endpoints", endpoints.endpoints_have_secrets),
    Check("references", endpoints.references_lead_somewhere),
    Check("workers", work.workers_are_alive),
    Check("queue", work.queue_moves),
    Check("leases", work.leases_are_taken_over),
    Check("schedules", work.schedules_are_in_time),
    Check("self-check", work.self_check_comes_out),
    Check("alerts", telling.somebody_is_told),
)


#: Calls to the outside, which are made only if somebody asks for them; first, as they need no database.
OUTSIDE: tuple[Check, ...] = (
    Check("reach", reach.address_answers),
    Check("trace collector", collectors.collector_takes_traces),
    Check("error reports", collectors.errors_can_be_reported),
)


def examine(now: datetime, *, outside: bool = False) -> Iterator[Result]:
    """Yield what each check finds, as soon as it has; ``outside``: also those that call the outside."""
    for check in (*(OUTSIDE if outside else ()), *CHECKS):
        try:
            result = Result(check.name, *check.look(now))
        except (DatabaseError, InterfaceError) as exc:
            # Not its text: it can hold the database's address.
            logger.debug("doctor.database_failed", check=check.name, error_type=type(exc).__name__)
            mend = "Is the server running, is DATABASE_URL right, may the user read and write there?"
            result = Result(check.name, "", (problem(f"The database fails ({type(exc).__name__}).", mend),))
        yield result
        if check.is_needed and result.has_problem:
            return
