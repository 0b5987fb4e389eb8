"""Every kind of thing that a configuration file can hold."""

from __future__ import annotations

from deliveries.configuration.alert_rules import AlertRules
from deliveries.configuration.backfills import Backfills
from deliveries.configuration.connections import Connections
from deliveries.configuration.endpoints import Endpoints
from deliveries.configuration.groups import EndpointGroups
from deliveries.configuration.kind import Kind
from deliveries.configuration.routes import Routes
from deliveries.configuration.schedules import Schedules

#: In the order in which they are made: what names another kind comes after it. They are retired the other way round.
KINDS: tuple[Kind, ...] = (
    *(EndpointGroups(), Connections(), Endpoints(), Routes()),
    *(Backfills(), Schedules(), AlertRules()),
)
