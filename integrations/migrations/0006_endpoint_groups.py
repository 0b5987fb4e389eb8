"""Groups of endpoints, and who is restricted to which."""

import django.core.validators
import django.db.models.deletion
import integrations.identifiers
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("integrations", "0005_retry_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EndpointGroup",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        error_messages={"unique": "A group with this name exists already."},
                        help_text="Letters, digits, - and _; it is the group's address in the API.",
                        max_length=100,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[-a-zA-Z0-9_]+\\Z", "Letters, digits, - and _ only."
                            )
                        ],
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.AddField(
            model_name="endpoint",
            name="group",
            field=models.ForeignKey(
                blank=True,
                help_text="Who is restricted to groups sees it only in one of these.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="endpoints",
                to="integrations.endpointgroup",
            ),
        ),
        migrations.CreateModel(
            name="Restriction",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="None chosen: no endpoint at all.",
                        related_name="restrictions",
                        to="integrations.endpointgroup",
                    ),
                ),
                (
                    "role",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="restriction",
                        to="auth.group",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="restriction",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("role", None), ("user__isnull", False)),
                            models.Q(("role__isnull", False), ("user", None)),
                            _connector="OR",
                        ),
                        name="restriction_of_user_or_role",
                    )
                ],
            },
        ),
    ]
