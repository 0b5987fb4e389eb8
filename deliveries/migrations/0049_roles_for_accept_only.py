"""The switch of accept-only mode, which administrators and operators may turn."""

from django.db import migrations

CODENAME, ROLES = "accept_only", ("administrator", "operator")


def give(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    found = _permission(apps, using).get()
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):  # or they were removed
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
    dependencies = [("deliveries", "0048_drift_rule")]

    operations = [migrations.RunPython(give, take)]
