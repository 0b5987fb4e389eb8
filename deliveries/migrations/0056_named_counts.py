"""How often each event type came, and each class of error, by the hour."""

import django.db.models.deletion
from django.db import migrations, models

_MEASURES = [
    ("accepted", "Events accepted"),
    ("duplicate", "Requests answered as duplicates"),
    ("refused", "Requests refused"),
    ("succeeded", "Deliveries that succeeded"),
    ("dead", "Deliveries that gave up"),
    ("discarded", "Deliveries that were discarded"),
    ("failed", "Attempts that failed"),
    ("ack", "From a request's arrival to its answer"),
    ("done", "From receipt to success"),
    ("handler", "How long a handler ran"),
]


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0055_event_by_body"), ("integrations", "0012_unnamed_health")]

    operations = [
        migrations.CreateModel(
            name="NamedCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("measure", models.CharField(choices=_MEASURES, max_length=10)),
                ("starts_at", models.DateTimeField()),
                ("name", models.CharField(max_length=255)),
                ("count", models.PositiveBigIntegerField()),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="named_counts",
                        to="integrations.endpoint",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("measure", "starts_at", "endpoint", "name"), name="named_count_once"
                    ),
                ],
            },
        ),
    ]
