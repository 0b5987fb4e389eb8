"""The answers to requests with an Idempotency-Key."""

import integrations.encryption
import integrations.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0006_endpoint_groups"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoredAnswer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("caller", models.CharField(max_length=150)),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("answer", integrations.encryption.EncryptedTextField(blank=True, default="")),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["created_at"], name="stored_answer_by_age")],
                "constraints": [models.UniqueConstraint(fields=("caller", "key"), name="stored_answer_once_per_key")],
            },
        ),
    ]
