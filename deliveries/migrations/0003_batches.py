"""Events that came several in one request, and the request as it came."""

import django.db.models.deletion
from django.db import migrations, models

import integrations.encryption
import integrations.identifiers


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0002_roles"), ("integrations", "0003_batches_and_shared_url")]

    operations = [
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("headers", models.JSONField(default=dict)),
                ("query_string", models.TextField(blank=True, default="")),
                ("sealed", integrations.encryption.EncryptedTextField(blank=True, default="")),
                ("raw_body", models.BinaryField(null=True)),
                ("body_is_encrypted", models.BooleanField(default=False)),
                ("body_bytes", models.PositiveBigIntegerField(default=0)),
                ("content_type", models.CharField(blank=True, max_length=255)),
                (
                    "id",
                    models.UUIDField(
                        default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=50)),
                (
                    "item_count",
                    models.PositiveIntegerField(help_text="How many things it told of, known ones included."),
                ),
                ("received_at", models.DateTimeField()),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="integrations.endpoint",
                    ),
                ),
            ],
            options={"verbose_name_plural": "batches", "default_permissions": ()},
        ),
        migrations.AddField(
            model_name="event",
            name="batch",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="deliveries.batch",
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="batch_index",
            field=models.PositiveIntegerField(blank=True, help_text="Its place in the batch, from 0.", null=True),
        ),
    ]
