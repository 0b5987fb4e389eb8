"""Rules that say when people are told, what they found, and whose turn it is to look."""

import deliveries.alerts.specs
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import integrations.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0036_reach_of_replays'),
        ('integrations', '0009_keeping'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertClock',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('next_at', models.DateTimeField()),
                ('evaluated_at', models.DateTimeField(null=True)),
                ('sent_at', models.JSONField(default=list)),
                ('holding_back', models.BooleanField(default=False)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='alert_clock_alone')],
            },
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(help_text='What messages call it by.', max_length=100, unique=True)),
                ('kind', models.CharField(choices=deliveries.alerts.specs.kind_choices, help_text='What is looked for.', max_length=30)),
                ('threshold', models.FloatField(blank=True, help_text="From how much on; empty: the kind's own default.", null=True)),
                ('capacity', models.PositiveIntegerField(blank=True, help_text='Of a full queue: how many waiting deliveries are 100 %; empty: 10,000.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)])),
                ('window_seconds', models.PositiveIntegerField(blank=True, help_text="How far back it looks, where it does; empty: the kind's own default.", null=True, validators=[django.core.validators.MinValueValidator(60), django.core.validators.MaxValueValidator(604800)])),
                ('for_seconds', models.PositiveIntegerField(blank=True, help_text="How long it has to be the case before it is told; empty: the kind's own default.", null=True, validators=[django.core.validators.MaxValueValidator(86400)])),
                ('remind_hours', models.PositiveSmallIntegerField(default=24, help_text='Told again after so many hours for as long as it lasts; 0: never.', validators=[django.core.validators.MaxValueValidator(168)])),
                ('quiet_times', models.TextField(blank=True, help_text='Times of the week at which it is not told, one in a line: MON-FRI 18:00-08:00, or SAT,SUN. What lasts is told when they are over.', max_length=1000)),
                ('time_zone', models.CharField(default='UTC', help_text='Of the quiet times, such as Europe/Berlin.', max_length=64)),
                ('enabled', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('endpoint', models.ForeignKey(blank=True, help_text='Looked at alone; empty: all endpoints.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='alert_rules', to='integrations.endpoint')),
                ('route', models.ForeignKey(blank=True, help_text='Looked at alone, a route of that endpoint; empty: all routes.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='alert_rules', to='integrations.route')),
            ],
            options={
                'permissions': [('test_alertrule', 'Can send a test message for an alert rule')],
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('rule_name', models.CharField(max_length=100)),
                ('kind', models.CharField(choices=deliveries.alerts.specs.kind_choices, max_length=30)),
                ('key', models.CharField(max_length=200)),
                ('about', models.CharField(blank=True, max_length=300)),
                ('text', models.TextField()),
                ('next_step', models.TextField(blank=True)),
                ('page', models.CharField(blank=True, max_length=20)),
                ('page_key', models.CharField(blank=True, max_length=40)),
                ('page_filters', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('firing', 'Firing'), ('resolved', 'Resolved')], max_length=8)),
                ('since', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('fired_at', models.DateTimeField(null=True)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('told_at', models.DateTimeField(null=True)),
                ('ended_told', models.BooleanField(default=False)),
                ('endpoint', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='integrations.endpoint')),
                ('rule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='deliveries.alertrule')),
            ],
            options={
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['state', '-since'], name='alert_by_state'), models.Index(condition=models.Q(('ended_told', False), ('state', 'resolved')), fields=['resolved_at'], name='alert_end_untold')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ('pending', 'firing'))), fields=('rule', 'key'), name='alert_open_once'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'firing', 'resolved'])), name='alert_state_known')],
            },
        ),
    ]
