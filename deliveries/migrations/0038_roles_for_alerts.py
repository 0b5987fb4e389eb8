"""Viewers see alerts and their rules, operators also send a test, administrators set the rules up."""

from django.db import migrations

GIVEN = {
    "viewer": ["view_alertrule", "view_alert"],
    "operator": ["view_alertrule", "view_alert", "test_alertrule"],
    "administrator": [
        "view_alert",
        *(f"{action}_alertrule" for action in ("view", "test", "add", "change", "delete")),
    ],
}


def give(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, codenames in GIVEN.items():
        found = Permission.objects.using(using).filter(content_type__app_label="deliveries", codename__in=codenames)
        if found.count() != len(codenames):
            raise LookupError("permissions of deliveries are missing")
        for group in Group.objects.using(using).filter(name=name):  # somebody may have removed a role
            group.permissions.add(*found)


def take(apps, schema_editor):
    using = schema_editor.connection.alias
    Permission = apps.get_model("auth", "Permission")
    found = Permission.objects.using(using).filter(
        content_type__app_label="deliveries", content_type__model__in=["alert", "alertrule"]
    )
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=GIVEN):
        group.permissions.remove(*found)


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    create_permissions(installed.get_app_config("deliveries"), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0037_alerts")]

    operations = [migrations.RunPython(give, take)]
