"""Counts since ever, which metrics show as counters."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0018_roles_for_backfills'),
        ('integrations', '0007_stored_answers'),
    ]

    operations = [
        migrations.AlterField(
            model_name='rollup',
            name='grain_minutes',
            field=models.PositiveSmallIntegerField(choices=[(0, 'All time'), (1, 'A minute'), (60, 'An hour'), (1440, 'A day (UTC)')]),
        ),
        migrations.CreateModel(
            name='RefusalTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=60)),
                ('count', models.PositiveBigIntegerField(default=0)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refusal_totals', to='integrations.endpoint')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('endpoint', 'reason'), name='refusal_total_once')],
            },
        ),
    ]
