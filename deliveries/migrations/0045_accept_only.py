"""The row that says that accept-only mode is on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0044_traceparent")]

    operations = [
        migrations.CreateModel(
            name="AcceptOnly",
            fields=[
                ("only", models.BooleanField(default=True, editable=False, primary_key=True, serialize=False)),
                ("who", models.CharField(max_length=150)),
                ("since", models.DateTimeField()),
                ("note", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "permissions": (("accept_only", "Can switch accept-only mode on and off"),),
                "default_permissions": (),
            },
        ),
    ]
