"""The trace that a request's receipt belongs to, kept with its event: deliveries run later, and elsewhere."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0043_rollup_totals")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", default="", max_length=55),
        ),
    ]
