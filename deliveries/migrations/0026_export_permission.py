"""Operators and administrators export lists."""

from django.db import migrations

CODENAME, ROLES = "export_delivery", ("operator", "administrator")


def give(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    found = _permission(apps, using).get()
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):  # they may have been removed
        group.permissions.add(found)


def take(apps, schema_editor):
    using = schema_editor.connection.alias
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):
        group.permissions.remove(*_permission(apps, using))


def _permission(apps, using):
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    return permissions.filter(content_type__app_label="deliveries", codename=CODENAME)


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config("deliveries"), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0025_backfills_without_tokens")]

    operations = [
        migrations.AlterModelOptions(
            name="delivery",
            options={
                "permissions": [
                    ("replay_delivery", "Can replay, hold and discard deliveries"),
                    ("export_delivery", "Can export lists of events, deliveries and rejections"),
                ],
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.RunPython(give, take),
    ]
