"""Rows of all endpoints together, with the sums of what has been counted so far."""

from django.db import migrations, models

_SUMS = """
    INSERT INTO deliveries_rolluptotal (grain_minutes, measure, starts_at, bucket, count)
    SELECT grain_minutes, measure, starts_at, bucket, SUM(count) FROM deliveries_rollup
    WHERE grain_minutes > 0 GROUP BY grain_minutes, measure, starts_at, bucket
"""
_GRAINS = [(0, "All time"), (1, "A minute"), (60, "An hour"), (1440, "A day (UTC)")]
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
    dependencies = [("deliveries", "0042_self_check_rule")]

    operations = [
        migrations.CreateModel(
            name="RollupTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("grain_minutes", models.PositiveSmallIntegerField(choices=_GRAINS)),
                ("measure", models.CharField(choices=_MEASURES, max_length=10)),
                ("starts_at", models.DateTimeField()),
                ("bucket", models.PositiveSmallIntegerField(default=0)),
                ("count", models.PositiveBigIntegerField()),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grain_minutes", "measure", "starts_at", "bucket"), name="rollup_total_once"
                    ),
                ],
            },
        ),
        migrations.RunSQL(_SUMS, migrations.RunSQL.noop),
    ]
