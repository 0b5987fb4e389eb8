import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0022_roles_for_schedules"), ("integrations", "0008_connections")]

    operations = [
        migrations.AddField(
            "backfill",
            "connection",
            models.ForeignKey(
                help_text="To the provider's API: its address, and the proof.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="backfills",
                to="integrations.connection",
            ),
        ),
    ]
