"""A rule for the self-check, as there is one of each other kind."""

from django.db import migrations

NAME, KIND = "Self-check", "self_check"


def make(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    rows.get_or_create(name=NAME, defaults={"kind": KIND})


def remove(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    rows.filter(name=NAME, kind=KIND).delete()


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0041_roles_for_erasures")]

    operations = [migrations.RunPython(make, remove)]
