"""Bulk replays, releases at a rate, and whose turn it is to feed them into the queue."""

import django.db.models.deletion
import django.db.models.expressions
import integrations.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0007_blocked_keys_for_roles'),
        ('integrations', '0005_retry_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='Release',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('rate_per_second', models.FloatField()),
                ('state', models.CharField(choices=[('running', 'Running'), ('stopped', 'Stopped'), ('finished', 'Finished')], default='running', max_length=10)),
                ('total', models.PositiveIntegerField()),
                ('released', models.PositiveIntegerField(default=0)),
                ('created_by', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('feed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Replay',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('selection', models.JSONField(default=dict)),
                ('description', models.CharField(max_length=300)),
                ('from_start', models.BooleanField(default=False)),
                ('rate_per_second', models.FloatField(blank=True, null=True)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('paused', 'Paused'), ('cancelled', 'Cancelled'), ('finished', 'Finished')], default='pending', max_length=10)),
                ('total', models.PositiveIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0)),
                ('succeeded', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('skipped', models.PositiveIntegerField(default=0)),
                ('created_by', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('listed', models.PositiveIntegerField(default=0)),
                ('listed_until', models.UUIDField(blank=True, null=True)),
                ('listed_at', models.DateTimeField(blank=True, null=True)),
                ('feed_at', models.DateTimeField(blank=True, null=True)),
                ('looked_until', models.BigIntegerField(default=0)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ReplayItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'Not queued yet'), ('queued', 'Queued or running'), ('retrying', 'Waiting for a retry'), ('succeeded', 'Succeeded'), ('failed', 'Failed again'), ('skipped', 'Skipped')], default='waiting', max_length=10)),
                ('status_before', models.CharField(choices=[('pending', 'Pending'), ('held', 'Held'), ('running', 'Running'), ('waiting', 'Waiting for a retry'), ('succeeded', 'Succeeded'), ('dead', 'Dead letter'), ('discarded', 'Discarded')], max_length=10)),
                ('finished_before', models.DateTimeField()),
                ('attempts_before', models.PositiveIntegerField()),
                ('budget_before', models.PositiveIntegerField()),
                ('replayed_before', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Turn',
            fields=[
                ('name', models.CharField(max_length=50, primary_key=True, serialize=False)),
                ('holder', models.CharField(blank=True, max_length=150)),
                ('free_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='delivery',
            name='forget_steps',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'held')), fields=['endpoint', 'id'], name='delivery_held'),
        ),
        migrations.AddField(
            model_name='release',
            name='endpoint',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='releases', to='integrations.endpoint'),
        ),
        migrations.AddField(
            model_name='release',
            name='route',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='releases', to='integrations.route'),
        ),
        migrations.AddIndex(
            model_name='replay',
            index=models.Index(condition=models.Q(('state__in', ('pending', 'running'))), fields=['state'], name='replay_active'),
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'running', 'paused', 'cancelled', 'finished'])), name='replay_state_known'),
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ('cancelled', 'finished')), ('finished_at__isnull', False)), models.Q(models.Q(('state__in', ('cancelled', 'finished')), _negated=True), ('finished_at', None)), _connector='OR'), name='replay_finished_at_exactly_when_ended'),
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.CheckConstraint(condition=models.Q(('done', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('succeeded'), '+', models.F('failed')), '+', models.F('skipped')))), name='replay_counts_add_up'),
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.CheckConstraint(condition=models.Q(('rate_per_second', None), ('rate_per_second__gt', 0), _connector='OR'), name='replay_rate_positive'),
        ),
        migrations.AddField(
            model_name='replayitem',
            name='delivery',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='replay_items', to='deliveries.delivery'),
        ),
        migrations.AddField(
            model_name='replayitem',
            name='replay',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='deliveries.replay'),
        ),
        migrations.AddIndex(
            model_name='release',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['state'], name='release_running'),
        ),
        migrations.AddConstraint(
            model_name='release',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['running', 'stopped', 'finished'])), name='release_state_known'),
        ),
        migrations.AddConstraint(
            model_name='release',
            constraint=models.CheckConstraint(condition=models.Q(('rate_per_second__gt', 0)), name='release_rate_positive'),
        ),
        migrations.AddConstraint(
            model_name='release',
            constraint=models.UniqueConstraint(condition=models.Q(('route', None), ('state', 'running')), fields=('endpoint',), name='release_one_of_endpoint'),
        ),
        migrations.AddConstraint(
            model_name='release',
            constraint=models.UniqueConstraint(condition=models.Q(('route__isnull', False), ('state', 'running')), fields=('route',), name='release_one_of_route'),
        ),
        migrations.AddIndex(
            model_name='replayitem',
            index=models.Index(fields=['replay', 'state', 'delivery'], name='replay_item_next'),
        ),
        migrations.AddConstraint(
            model_name='replayitem',
            constraint=models.UniqueConstraint(fields=('delivery', 'replay'), name='replay_item_once_per_delivery'),
        ),
        migrations.AddConstraint(
            model_name='replayitem',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'retrying'))), fields=('delivery',), name='replay_item_under_way_once'),
        ),
    ]
