"""Statistics: counts by endpoint, route and span of time."""

import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0014_reveal_permission'),
        ('integrations', '0007_stored_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('grain_minutes', models.PositiveSmallIntegerField(choices=[(1, 'A minute'), (60, 'An hour'), (1440, 'A day (UTC)')])),
                ('measure', models.CharField(choices=[('accepted', 'Events accepted'), ('duplicate', 'Requests answered as duplicates'), ('refused', 'Requests refused'), ('succeeded', 'Deliveries that succeeded'), ('dead', 'Deliveries that gave up'), ('discarded', 'Deliveries that were discarded'), ('failed', 'Attempts that failed'), ('ack', "From a request's arrival to its answer"), ('done', 'From receipt to success'), ('handler', 'How long a handler ran')], max_length=10)),
                ('starts_at', models.DateTimeField()),
                ('route', models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'))),
                ('bucket', models.PositiveSmallIntegerField(default=0)),
                ('count', models.PositiveBigIntegerField()),
                ('endpoint', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rollups', to='integrations.endpoint')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('grain_minutes', 'measure', 'starts_at', 'endpoint', 'route', 'bucket'), name='rollup_once')],
            },
        ),
    ]
