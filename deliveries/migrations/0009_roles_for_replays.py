"""All three roles may look at bulk replays and at what is released at a rate."""

from django.db import migrations

ROLES = ("viewer", "operator", "administrator")
ADDED = ("view_replay", "view_release")


def allow(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    found = list(_permissions(apps, using))
    if len(found) != len(ADDED):
        raise LookupError("permissions of deliveries are missing")
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):
        group.permissions.add(*found)


def forbid(apps, schema_editor):
    using = schema_editor.connection.alias
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):
        group.permissions.remove(*_permissions(apps, using))


def _permissions(apps, using):
    Permission = apps.get_model("auth", "Permission")
    return Permission.objects.using(using).filter(content_type__app_label="deliveries", codename__in=ADDED)


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config("deliveries"), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0008_replays"), ("deliveries", "0002_roles")]

    operations = [migrations.RunPython(allow, forbid)]
