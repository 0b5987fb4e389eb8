"""What is wrong with a configuration file."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.errors import HubError


class ConfigurationError(HubError):
    """The file cannot be applied; ``problems`` say why, each with the place where it stands, and quote no secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)
