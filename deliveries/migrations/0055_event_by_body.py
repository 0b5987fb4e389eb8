from django.db import migrations, models


class Migration(migrations.Migration):
    """The index of bodies begins with the body, so that the look for one has no other index to go by."""

    dependencies = [
        ("deliveries", "0054_fewer_event_indexes"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="event",
            name="event_by_body",
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["body_sha256", "endpoint"], name="event_by_body"),
        ),
    ]
