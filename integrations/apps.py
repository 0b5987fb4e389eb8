"""The app that knows outside systems: who sends, and what handlers call."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Endpoints, secrets, routes, providers and handlers."""

    name = "integrations"
    verbose_name = "Set-up"

    def ready(self) -> None:
        """Load the registries, so that a key registered twice stops the start-up."""
        from integrations import checks  # noqa: F401 - registers the system checks
        from integrations.handlers import handlers
        from integrations.providers import providers

        handlers.load()
        providers.load()
