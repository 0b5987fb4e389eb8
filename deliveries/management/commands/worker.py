"""Run the worker processes alone; `manage.py hub` starts this beside the web server."""

from __future__ import annotations

import sys
from typing import Any

from deliveries.execution.cluster import run_cluster
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Run due deliveries until SIGTERM or Ctrl-C."""

    help = (
        "Run the worker processes alone, until SIGTERM or Ctrl-C; `hub` does this and watches over them. "
        "Signal this process only, not its group. It ends with the process that started it."
    )

    examples = (("on a machine that only runs handlers, under systemd or in a container", "worker"),)
    exit_codes = "0 stopped by Ctrl-C or SIGTERM; 1 the processes ended by themselves"

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until the order to stop; exit with 1 if the processes ended by themselves."""
        sys.exit(run_cluster())
