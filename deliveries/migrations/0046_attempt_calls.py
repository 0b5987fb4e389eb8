"""What each attempt sent to outside systems, encrypted."""

from __future__ import annotations

import integrations.encryption
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0045_accept_only")]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="calls",
            field=integrations.encryption.EncryptedJSONField(blank=True, null=True),
        ),
    ]
