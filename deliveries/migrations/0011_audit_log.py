"""Who did what: the audit log."""

import django.core.serializers.json
import django.db.models.deletion
import integrations.identifiers
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0010_roles_for_groups"),
        ("integrations", "0006_endpoint_groups"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                ("who", models.CharField(blank=True, max_length=150)),
                ("via", models.CharField(max_length=20)),
                ("source", models.CharField(blank=True, max_length=45)),
                ("request_id", models.CharField(blank=True, max_length=128)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("made", "Made"),
                            ("changed", "Changed"),
                            ("removed", "Removed, retired or ended"),
                            ("ordered", "Ordered"),
                            ("logged_in", "Logged in"),
                            ("logged_out", "Logged out"),
                            ("login_failed", "Failed to log in"),
                            ("token_refused", "Was refused with a token"),
                        ],
                        max_length=15,
                    ),
                ),
                ("object_type", models.CharField(blank=True, max_length=40)),
                ("object_id", models.CharField(blank=True, max_length=128)),
                ("object_name", models.CharField(blank=True, max_length=200)),
                ("message", models.CharField(blank=True, max_length=500)),
                ("before", models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, null=True)),
                ("after", models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="integrations.endpoint",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit log",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["at"], name="audit_by_time"),
                    models.Index(fields=["object_type", "object_id"], name="audit_by_object"),
                    models.Index(fields=["who", "-at"], name="audit_by_who"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                [
                                    "made",
                                    "changed",
                                    "removed",
                                    "ordered",
                                    "logged_in",
                                    "logged_out",
                                    "login_failed",
                                    "token_refused",
                                ],
                            )
                        ),
                        name="audit_action_known",
                    )
                ],
            },
        ),
    ]
