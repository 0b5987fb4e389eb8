"""What web processes tell each other of the limits that machines share."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0051_disk_forecast_rule")]

    operations = [
        migrations.CreateModel(
            name="TokensTaken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("machine", models.UUIDField()),
                ("at", models.DateTimeField(db_index=True)),
                ("taken", models.JSONField()),
            ],
            options={"default_permissions": ()},
        ),
    ]
