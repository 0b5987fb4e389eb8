from django.db import migrations, models

from deliveries.online_index import AddIndexOnline


class Migration(migrations.Migration):
    """The index of the events that came in a batch, which are few."""

    atomic = False

    dependencies = [
        ("deliveries", "0052_tokens_taken"),
    ]

    operations = [
        AddIndexOnline(
            model_name="event",
            index=models.Index(condition=models.Q(("batch__isnull", False)), fields=["batch"], name="event_by_batch"),
        ),
    ]
