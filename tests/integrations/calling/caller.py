"""A process that calls a connection when it is told to: ``python -m tests.integrations.calling.caller NAME``.

It says ``ready``, then for each line of its input, a number, makes as many calls and prints what came of each.
"""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    """Call until the input ends."""
    django.setup()

    from integrations.calling.opening import client_for
    from integrations.connectors.client import Frame
    from integrations.errors import HubError
    from integrations.models import Connection

    connection = Connection.objects.get(name=sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        results = []
        for _ in range(int(line)):
            frame = Frame(left=lambda: 30.0, key=str, record=lambda _summary: None)
            try:
                results.append(str(client_for(connection, frame).get().status_code))
            except HubError as exc:
                results.append(type(exc).__name__)
        print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
