"""A rule for the forecast of the disk, as there is one of each other kind."""

from django.db import migrations

NAME, KIND = "Disk about to fill", "disk_forecast"


def make(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    rows.get_or_create(name=NAME, defaults={"kind": KIND})


def remove(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    rows.filter(name=NAME, kind=KIND).delete()


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0050_shedding_rule")]

    operations = [migrations.RunPython(make, remove)]
