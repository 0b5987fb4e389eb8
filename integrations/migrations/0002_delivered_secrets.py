"""Endpoints wait for a secret that the provider delivers itself."""

import django.db.models.deletion
from django.db import migrations, models

import integrations.encryption
import integrations.identifiers


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AwaitedSecret",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("started_by", models.CharField(editable=False, max_length=150)),
                ("started_at", models.DateTimeField(editable=False)),
                ("expires_at", models.DateTimeField(editable=False)),
                ("value", integrations.encryption.EncryptedTextField(blank=True, editable=False, null=True)),
                ("source", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("received_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "endpoint",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="awaited_secret",
                        to="integrations.endpoint",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("received_at", None), ("value__isnull", True))
                        | models.Q(("received_at__isnull", False), ("value__isnull", False)),
                        name="awaited_secret_received_with_value",
                    )
                ],
            },
        ),
    ]
