"""A rule for shedding, as there is one of each other kind."""

from django.db import migrations

NAME, KIND = "Shedding", "shedding"


def make(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    rows.get_or_create(name=NAME, defaults={"kind": KIND})


def remove(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    rows.filter(name=NAME, kind=KIND).delete()


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0049_roles_for_accept_only")]

    operations = [migrations.RunPython(make, remove)]
