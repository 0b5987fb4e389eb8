"""Schedules: events that the hub makes when their time has come."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import integrations.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0020_roles_for_connections'),
        ('integrations', '0008_connections'),
    ]

    operations = [
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(help_text='What the events are known by, such as nightly-report.', max_length=100, unique=True)),
                ('event_type', models.CharField(default='tick', help_text='Routes choose by it.', max_length=255)),
                ('payload', models.JSONField(blank=True, default=dict, help_text="The events' payload, always the same.")),
                ('cron', models.CharField(blank=True, help_text='Minute, hour, day of the month, month, day of the week, such as 0 9 * * MON-FRI; or @daily.', max_length=200, verbose_name='cron line')),
                ('time_zone', models.CharField(default='UTC', help_text='In which the cron line counts, such as Europe/Berlin.', max_length=64)),
                ('interval_seconds', models.PositiveIntegerField(blank=True, help_text='Instead of a cron line: so often, counted from the start.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)])),
                ('at', models.DateTimeField(blank=True, help_text='Instead of a cron line: once, then.', null=True)),
                ('starts_at', models.DateTimeField(blank=True, help_text='Not before; empty: from now on.', null=True)),
                ('ends_at', models.DateTimeField(blank=True, help_text='Not after; empty: for ever.', null=True)),
                ('missed', models.CharField(choices=[('once', 'One event for all of them'), ('all', 'An event for each (at most 1,000, the newest)'), ('skip', 'No event')], default='once', help_text='What becomes of ticks that were missed by more than a minute.', max_length=4)),
                ('enabled', models.BooleanField(default=True)),
                ('next_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('endpoint', models.ForeignKey(help_text='One of the provider internal: its routes say what runs.', on_delete=django.db.models.deletion.CASCADE, related_name='schedules', to='integrations.endpoint')),
            ],
            options={
                'permissions': [('run_schedule', 'Can run a schedule now')],
                'indexes': [models.Index(condition=models.Q(('enabled', True), ('next_at__isnull', False)), fields=['next_at'], name='schedule_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(('missed__in', ['once', 'all', 'skip'])), name='schedule_missed_known')],
            },
        ),
    ]
