import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Two indexes fewer for each event: one that others begin with, and one that held all that came without a batch."""

    dependencies = [
        ("deliveries", "0053_event_by_batch"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="batch",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="deliveries.batch",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="endpoint",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="integrations.endpoint",
            ),
        ),
    ]
