"""Let every role see the page of blocked keys."""

from django.db import migrations

ROLES = ("viewer", "operator", "administrator")


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    permission = apps.get_model("auth", "Permission").objects.using(using).get(
        content_type__app_label="deliveries", codename="view_parkedkey"
    )
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):
        group.permissions.add(permission)


def withdraw(apps, schema_editor):
    using = schema_editor.connection.alias
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):
        group.permissions.remove(
            *group.permissions.filter(content_type__app_label="deliveries", codename="view_parkedkey")
        )


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config("deliveries"), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0006_steps_and_follow_ups"), ("deliveries", "0002_roles")]

    operations = [migrations.RunPython(grant, withdraw)]
