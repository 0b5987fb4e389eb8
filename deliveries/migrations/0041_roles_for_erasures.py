"""Administrators erase, and see the proofs."""

from django.db import migrations

CODENAMES, ROLE = ("erase", "view_erasure"), "administrator"


def give(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    found = list(_permission(apps, using))
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name=ROLE):  # it may have been removed
        group.permissions.add(*found)


def take(apps, schema_editor):
    using = schema_editor.connection.alias
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name=ROLE):
        group.permissions.remove(*_permission(apps, using))


def _permission(apps, using):
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    return permissions.filter(content_type__app_label="deliveries", codename__in=CODENAMES)


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config("deliveries"), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0040_erasures")]

    operations = [
        migrations.RunPython(give, take),
    ]
