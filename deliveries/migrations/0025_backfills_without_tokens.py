import django.db.models.deletion
from django.db import migrations, models

import integrations.encryption


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0024_tokens_of_backfills")]

    operations = [
        migrations.AlterField(
            "backfill",
            "connection",
            models.ForeignKey(
                help_text="To the provider's API: its address, and the proof.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="backfills",
                to="integrations.connection",
            ),
        ),
        # Given back on the way back, where the rows need one until the migration before has filled it.
        migrations.AlterField("backfill", "token", integrations.encryption.EncryptedTextField(default="")),
        migrations.RemoveField("backfill", "token"),
        migrations.RemoveField("backfill", "base_url"),
    ]
