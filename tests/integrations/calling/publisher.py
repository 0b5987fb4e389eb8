"""A process that dies the moment brokers have taken its messages: ``python -m tests.integrations.calling.publisher``.

Its argument is a list of configs of `queue.publish`, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import django


def main() -> None:
    """Publish, and be gone before that is noted anywhere."""
    django.setup()

    from integrations.calling.opening import StoredConnections
    from integrations.handlers import handlers
    from tests.integrations.calling.test_queue_publish import context_for
    from tests.integrations.handlers.contexts import Kept, event_of

    class Killed(Kept):
        def once(self, key: str, run: Callable[[], Any]) -> Any:
            found = run()
            if not configs:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

    configs = json.loads(sys.argv[1])
    while configs:
        context = context_for(configs.pop(), Killed(), StoredConnections(uuid4()))
        handlers["queue.publish"].run(event_of({"id": 7}, id="evt_1"), context)


if __name__ == "__main__":
    main()
