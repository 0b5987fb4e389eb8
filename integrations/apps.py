"""The app that knows outside systems: who sends, and what handlers call."""

from django.apps import AppConfig
from django.conf import settings


class IntegrationsConfig(AppConfig):
    """Endpoints, secrets, routes, providers and handlers."""

    name = "integrations"
    verbose_name = "Set-up"

    def ready(self) -> None:
        """Load the registries, so that a key registered twice stops the start-up."""
        from integrations import checks  # noqa: F401 - registers the system checks
        from integrations.handlers import handlers
        from integrations.providers import providers

        _trace()
        handlers.load()
        providers.load()


def _trace() -> None:
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        from integrations import tracing
        from integrations.tracing.otlp import OtlpTracer, parsed_headers  # a third of a second that nobody else pays

        tracing.install(
            OtlpTracer(
                settings.OTEL_EXPORTER_OTLP_ENDPOINT,
                headers=parsed_headers(settings.OTEL_EXPORTER_OTLP_HEADERS),
                service=settings.OTEL_SERVICE_NAME,
                version=settings.HUB_VERSION,
            )
        )
