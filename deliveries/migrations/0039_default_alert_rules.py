"""A rule of each kind, for the whole hub: on, and told to nobody until a channel is set."""

from django.db import migrations

RULES = {
    "worker_gone": "Workers gone",
    "queue_age": "Old queue",
    "queue_depth": "Full queue",
    "dead_letters": "Dead letters",
    "failure_rate": "Failing routes",
    "refusals": "Refusals",
    "ack_deadline": "Slow answers",
    "silence": "Silence",
    "circuit_open": "Outside systems away",
    "blocked_keys": "Ordering keys that stand still",
    "changed_duplicates": "Other bodies under a known id",
    "secret_expiry": "Secrets about to expire",
    "certificate_expiry": "Certificate about to expire",
    "disk_space": "Little disk space",
}


def make(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    for kind, name in RULES.items():
        rows.get_or_create(name=name, defaults={"kind": kind})


def remove(apps, schema_editor):
    rows = apps.get_model("deliveries", "AlertRule").objects.using(schema_editor.connection.alias)
    for kind, name in RULES.items():
        rows.filter(name=name, kind=kind).delete()


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0038_roles_for_alerts")]

    operations = [migrations.RunPython(make, remove)]
