"""Endpoints say whether they split batches, and whether they take from the shared URL."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0002_delivered_secrets")]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="batch",
            field=models.CharField(
                choices=[("whole", "Whole (one event)"), ("split", "Split (an event for each item)")],
                default="whole",
                help_text="Where the provider sends several events in one request: one event of all, or one of each.",
                max_length=5,
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="shared_url",
            field=models.BooleanField(
                default=False,
                help_text="Requests to /hooks, without a slug, are taken too if they are this provider's and the proof "
                "fits.",
                verbose_name="takes from the shared URL",
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("batch__in", ["whole", "split"])), name="endpoint_batch_known"
            ),
        ),
    ]
