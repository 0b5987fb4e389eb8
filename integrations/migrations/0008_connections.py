"""Connections: outside systems that handlers call, how they do, and their tokens."""

import django.core.validators
import django.db.models.deletion
import integrations.connectors.addresses
import integrations.connectors.headers
import integrations.connectors.kinds
import integrations.connectors.proofs
import integrations.connectors.reach
import integrations.connectors.tries
import integrations.encryption
import integrations.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0007_stored_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Connection',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.SlugField(help_text='What handlers know it by: context.http("name"). Letters, digits, - and _.', max_length=100)),
                ('description', models.CharField(blank=True, max_length=300)),
                ('kind', models.CharField(choices=integrations.connectors.kinds.kind_choices, default='http', max_length=50, validators=[integrations.connectors.kinds.validate_kind])),
                ('base_url', models.CharField(help_text='Such as https://api.example.com/v1; calls name paths below it and can go nowhere else.', max_length=500, validators=[integrations.connectors.addresses.validate_base_url], verbose_name='base URL')),
                ('auth', models.CharField(choices=integrations.connectors.proofs.proof_choices, default='none', max_length=30, verbose_name='proof')),
                ('auth_settings', models.JSONField(blank=True, default=dict, help_text='What the proof needs that is no secret.', verbose_name='settings of the proof')),
                ('credentials', integrations.encryption.EncryptedJSONField(blank=True, default=dict, help_text='By name; each the value, env:HUB_SECRET_NAME or file:NAME. Shown to nobody after they are saved.')),
                ('headers', models.JSONField(blank=True, default=dict, help_text='Sent with every call; no credentials.', validators=[integrations.connectors.headers.validate_headers])),
                ('connect_timeout_seconds', models.FloatField(default=5, help_text='How long connecting may take.')),
                ('read_timeout_seconds', models.FloatField(default=15, help_text='How long the other side may be silent.')),
                ('timeout_seconds', models.FloatField(default=30, help_text='How long one try may take in all.')),
                ('retry', models.JSONField(blank=True, default=integrations.connectors.tries.default_tries, help_text='max_attempts (of one call, the first included), initial_seconds, max_seconds. Tried again are calls that cannot do harm twice, and only while the attempt of the delivery has time.', validators=[integrations.connectors.tries.validate_tries])),
                ('rate_per_second', models.FloatField(blank=True, help_text='Calls a second, all workers together; empty means no limit.', null=True, validators=[django.core.validators.MinValueValidator(0.001), django.core.validators.MaxValueValidator(100000)])),
                ('burst', models.PositiveIntegerField(blank=True, help_text='Calls that may come at once; empty: those of one second.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000)])),
                ('breaker_failures', models.PositiveIntegerField(default=5, help_text='After so many failures in a row no call is made for a while; 0: never stop.', validators=[django.core.validators.MaxValueValidator(1000)])),
                ('breaker_seconds', models.FloatField(default=30, help_text='For how long, at first; doubled, up to ten minutes, while it does not recover.')),
                ('egress', models.JSONField(blank=True, help_text="Private networks that it may reach, within what the hub's environment allows; null: what HUB_EGRESS_ALLOW names; []: public addresses only.", null=True, validators=[integrations.connectors.reach.validate_egress])),
                ('proxy', models.CharField(blank=True, help_text='http://host:port of a proxy; empty: none.', max_length=500, validators=[integrations.connectors.addresses.validate_proxy])),
                ('follow_redirects', models.BooleanField(default=False, help_text="Each hop is guarded, and credentials stay with the connection's own host.")),
                ('idempotency_header', models.CharField(blank=True, help_text='Where the other side acts once for one key, such as Idempotency-Key: then a POST, too, is tried again. Empty: it knows none.', max_length=100, validators=[integrations.connectors.headers.validate_header_name])),
                ('kept_response_bytes', models.PositiveIntegerField(default=4096, help_text="How much of an answer's body is kept with the attempt; 0: none.", validators=[django.core.validators.MaxValueValidator(65536)])),
                ('test_path', models.CharField(blank=True, help_text='What “Test this connection” GETs, below the base URL.', max_length=500)),
                ('state', models.CharField(choices=[('active', 'Active'), ('paused', 'Paused (deliveries wait)')], default='active', max_length=10)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('retired_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('group', models.ForeignKey(blank=True, help_text='Who is restricted to groups sees it, and routes to it, only in one of these.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='connections', to='integrations.endpointgroup')),
            ],
            options={
                'permissions': [('test_connection', 'Can test a connection')],
            },
        ),
        migrations.CreateModel(
            name='ConnectionHealth',
            fields=[
                ('connection', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='health', serialize=False, to='integrations.connection')),
                ('next_call_at', models.DateTimeField(null=True)),
                ('next_turn_at', models.DateTimeField(null=True)),
                ('closed_until', models.DateTimeField(help_text='The system has asked for no calls until then.', null=True)),
                ('remaining', models.PositiveBigIntegerField(help_text='Calls that are left, as the system last said.', null=True)),
                ('remaining_until', models.DateTimeField(null=True)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('openings', models.PositiveIntegerField(default=0, help_text='In a row, without a success in between.')),
                ('open_until', models.DateTimeField(null=True)),
                ('probe_until', models.DateTimeField(help_text='A call is trying whether the system is well again.', null=True)),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('last_error_at', models.DateTimeField(null=True)),
                ('last_success_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ConnectionToken',
            fields=[
                ('connection', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='token', serialize=False, to='integrations.connection')),
                ('access_token', integrations.encryption.EncryptedTextField(blank=True, default='')),
                ('refresh_token', integrations.encryption.EncryptedTextField(blank=True, default='')),
                ('made_for', models.CharField(blank=True, max_length=64)),
                ('expires_at', models.DateTimeField(null=True)),
                ('holder', models.CharField(blank=True, max_length=150)),
                ('free_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.UniqueConstraint(condition=models.Q(('retired_at', None)), fields=('name',), name='connection_name_unique_while_live', violation_error_message='A connection with this name exists already.'),
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['active', 'paused'])), name='connection_state_known'),
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.CheckConstraint(condition=models.Q(('connect_timeout_seconds__gt', 0), ('connect_timeout_seconds__lte', 60), ('read_timeout_seconds__gt', 0), ('read_timeout_seconds__lte', 3600), ('timeout_seconds__gt', 0), ('timeout_seconds__lte', 3600)), name='connection_timeouts_in_bounds', violation_error_message='A timeout has to be more than 0, and at most 3600 seconds (60 to connect).'),
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rate_per_second', None), ('rate_per_second__gt', 0), _connector='OR'), models.Q(('burst', None), ('burst__gte', 1), _connector='OR')), name='connection_rate_positive', violation_error_message='A rate has to be more than 0, a burst at least 1.'),
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=models.CheckConstraint(condition=models.Q(('breaker_seconds__gt', 0), ('breaker_seconds__lte', 3600)), name='connection_breaker_up_to_an_hour', violation_error_message='The pause after failures has to be more than 0 and at most 3600 seconds.'),
        ),
    ]
