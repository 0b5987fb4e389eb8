"""The worker processes: django-q2's cluster, with a stop that cannot hang and no orphans."""

from __future__ import annotations

import gc
import os
import signal
import time
from types import FrameType

import django_q.cluster
import structlog
from django.conf import settings
from django.db import connections
from django_q.cluster import Cluster

from deliveries.execution.sentinel import HubSentinel
from deliveries.execution.stopping import stop_ordered
from deliveries.execution.watchdog import Watchdog, boards
from deliveries.supervision.orphans import SUPERVISOR_PID, end_forks_with_parent, end_with_parent

logger = structlog.get_logger(__name__)

#: So much longer than the handlers the processes themselves may take to stop.
STOP_MARGIN_SECONDS = 4
_LOOK_SECONDS = 0.1


class HubCluster(Cluster):  # type: ignore[misc]
    """django-q2's cluster, whose signal handler only sets a flag.

    The original stops the cluster from within the handler, through locks that the interrupted line may hold.
    """

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        """Order the stop; drains see it at once, `run_cluster` soon."""
        stop_ordered.set()


def run_cluster() -> int:
    """Run the worker processes until SIGTERM or SIGINT; return the exit status.

    Send the signal to this process alone. Handlers then have ``HUB_STOP_SECONDS`` to finish; what has not is given
    back, and all is over `STOP_MARGIN_SECONDS` later at the latest. The processes end with this one, however it ends,
    and this one ends with the process that started it.
    """
    supervisor = os.environ.get(SUPERVISOR_PID)
    end_with_parent(int(supervisor) if supervisor else None)
    end_forks_with_parent()
    connections.close_all()  # not to be shared with the forks
    gc.collect()
    gc.freeze()  # their collections leave alone what they share with this process
    django_q.cluster.Sentinel = HubSentinel  # the cluster names its class nowhere else
    cluster = HubCluster()
    with boards() as folder:
        try:
            cluster.start()
        except RuntimeError:
            logger.exception("cluster.not_started")
            return 1
        watchdog = Watchdog(folder)
        while cluster.sentinel.is_alive() and not stop_ordered.is_set():
            watchdog.look()
            time.sleep(_LOOK_SECONDS)
        return _stop(cluster)


def _stop(cluster: HubCluster) -> int:
    _end_in_time()
    # A signal to the whole group has killed the sentinel, too, and maybe while it held the lock that `stop` needs.
    time.sleep(_LOOK_SECONDS)
    if not cluster.sentinel.is_alive():
        logger.error("cluster.sentinel_died")
        return 1
    cluster.stop()
    signal.alarm(0)
    return 0


def _end_in_time() -> None:
    """Have this process end in time whatever it waits for: a killed process can leave a lock of the queues locked."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))  # and the kernel ends the others
    signal.alarm(settings.HUB_STOP_SECONDS + STOP_MARGIN_SECONDS)
