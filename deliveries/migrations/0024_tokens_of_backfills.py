"""The token and the address of each backfill become a connection of its own."""

from django.core.exceptions import ImproperlyConfigured
from django.db import migrations

ADDRESSES = {"github": "https://api.github.com", "stripe": "https://api.stripe.com"}


def connect(apps, schema_editor):
    using = schema_editor.connection.alias
    Backfill, Connection = apps.get_model("deliveries", "Backfill"), apps.get_model("integrations", "Connection")
    for row in Backfill.objects.using(using).filter(connection=None).select_related("endpoint"):
        provider = row.endpoint.provider
        is_shop = provider == "shopify"
        row.connection = Connection.objects.using(using).create(
            name=f"backfill-{row.pk}",
            description=f"For the backfill of {row.endpoint.slug}.",
            group_id=row.endpoint.group_id,
            base_url=row.base_url or ADDRESSES.get(provider, "https://unknown.invalid"),
            auth="header" if is_shop else "bearer",
            auth_settings={"name": "X-Shopify-Access-Token"} if is_shop else {},
            credentials={"value" if is_shop else "token": token_of(row)},
        )
        row.save(update_fields=["connection"])


def token_of(row):
    try:
        return row.token
    except ImproperlyConfigured:  # under a key that is lost: it has to be entered anew
        return ""


def part(apps, schema_editor):
    """Give back the token and the address; connections that were made here go."""
    using = schema_editor.connection.alias
    Backfill = apps.get_model("deliveries", "Backfill")
    for row in Backfill.objects.using(using).exclude(connection=None).select_related("connection"):
        connection = row.connection
        row.token = next(iter(connection.credentials.values()), "")
        row.base_url, row.connection = connection.base_url, None
        row.save(update_fields=["token", "base_url", "connection"])
        if connection.name == f"backfill-{row.pk}":
            connection.delete()


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0023_connections_of_backfills")]

    operations = [migrations.RunPython(connect, part)]
