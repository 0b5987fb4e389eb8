"""The three roles, as groups: viewer, operator, administrator."""

from django.db import migrations

VIEWER = {
    "integrations": ["view_endpoint", "view_secret", "view_route"],
    "deliveries": [
        "view_event",
        "view_eventvariant",
        "view_rejection",
        "view_rejectioncount",
        "view_delivery",
        "view_attempt",
        "view_stepresult",
        "view_worker",
    ],
}
OPERATOR = {"deliveries": ["replay_delivery"]}
# "delete" retires an endpoint or a route and ends a secret; no role can remove history, make groups or touch the
# tables of django-q2, whose rows name functions to call.
ADMINISTRATOR = {
    "integrations": [
        f"{action}_{model}" for model in ("endpoint", "secret", "route") for action in ("add", "change", "delete")
    ],
    "auth": ["view_group", "view_user", "add_user", "change_user"],
}
ROLES = {
    "viewer": [VIEWER],
    "operator": [VIEWER, OPERATOR],
    "administrator": [VIEWER, OPERATOR, ADMINISTRATOR],
}


def make_roles(apps, schema_editor):
    using = schema_editor.connection.alias
    _make_permissions(apps, using)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, parts in ROLES.items():
        group, _ = Group.objects.using(using).get_or_create(name=name)
        for part in parts:
            for app_label, codenames in part.items():
                found = Permission.objects.using(using).filter(
                    content_type__app_label=app_label, codename__in=codenames
                )
                if found.count() != len(codenames):
                    raise LookupError(f"permissions of {app_label} are missing")
                group.permissions.add(*found)


def remove_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Group.objects.using(schema_editor.connection.alias).filter(name__in=ROLES).delete()


def _make_permissions(apps, using):
    # Django makes them after the last migration of a run, which is too late on a fresh database.
    from django.apps import apps as installed
    from django.contrib.auth.management import create_permissions

    for label in ("auth", "integrations", "deliveries"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=using, apps=apps)


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0001_initial"),
        ("integrations", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [migrations.RunPython(make_roles, remove_roles)]
