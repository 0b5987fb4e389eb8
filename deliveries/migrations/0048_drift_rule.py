"""Viewers see shapes of payloads, operators also accept what has changed; a rule for drift, as of each other kind."""

from django.db import migrations

NAME, KIND = "Payloads have changed", "drift"
GIVEN = {
    "viewer": ["view_shape"],
    "operator": ["view_shape", "accept_shape"],
    "administrator": ["view_shape", "accept_shape"],
}


def make(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    apps.get_model("deliveries", "AlertRule").objects.using(using).get_or_create(name=NAME, defaults={"kind": KIND})
    Permission = apps.get_model("auth", "Permission")
    for name, codenames in GIVEN.items():
        found = Permission.objects.using(using).filter(content_type__app_label="deliveries", codename__in=codenames)
        if found.count() != len(codenames):
            raise LookupError("permissions of deliveries are missing")
        for group in apps.get_model("auth", "Group").objects.using(using).filter(name=name):
            group.permissions.add(*found)


def remove(apps, schema_editor):
    using = schema_editor.connection.alias
    apps.get_model("deliveries", "AlertRule").objects.using(using).filter(name=NAME, kind=KIND).delete()
    found = apps.get_model("auth", "Permission").objects.using(using).filter(
        content_type__app_label="deliveries", content_type__model="shape"
    )
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=GIVEN):
        group.permissions.remove(*found)


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config("deliveries"), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0047_shapes")]

    operations = [migrations.RunPython(make, remove)]
