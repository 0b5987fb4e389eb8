"""What machines and Zapier cost a month, in dollars; prices change, so look before you reckon with them.

Both are list prices without tax as others quoted them from the two pages in August and September 2026, not read from
the pages themselves: https://www.digitalocean.com/pricing/droplets (Basic, shared processors) and
https://zapier.com/pricing (Professional, billed by the year, which is the cheapest that has webhooks).
"""

from __future__ import annotations

#: By cores and MB of memory.
SERVERS = {(1, 1024): 6.0, (2, 2048): 18.0}
#: Their disks.
DISK_GB = {(1, 1024): 25, (2, 2048): 60}
#: By tasks a month. A task is a step that did its work; the trigger is none, so an event with one delivery is one.
ZAPIER = {750: 19.99, 2_000: 49.0, 10_000: 129.0, 100_000: 489.0, 2_000_000: 3389.0}
