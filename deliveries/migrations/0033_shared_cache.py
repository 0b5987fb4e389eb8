"""The table of the cache that all web processes share: used codes and wrong attempts."""

from django.core.management import call_command
from django.db import migrations

TABLE = "hub_cache"


def make(apps, schema_editor):
    call_command("createcachetable", TABLE, database=schema_editor.connection.alias, verbosity=0)


def remove(apps, schema_editor):
    schema_editor.execute(f'DROP TABLE "{TABLE}"')


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0032_flow_steps")]

    operations = [migrations.RunPython(make, remove)]
