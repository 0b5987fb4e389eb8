
import integrations.encryption
import integrations.identifiers
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0039_default_alert_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=integrations.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('sought', integrations.encryption.EncryptedTextField(blank=True, default='')),
                ('value_hmac', models.CharField(max_length=64)),
                ('path', models.CharField(blank=True, max_length=500)),
                ('state', models.CharField(choices=[('counting', 'Counting'), ('counted', 'Counted; to be confirmed'), ('erasing', 'Erasing'), ('finished', 'Finished'), ('cancelled', 'Cancelled')], default='counting', max_length=10)),
                ('phase', models.CharField(choices=[('events', 'Events'), ('batches', 'Batches'), ('rejections', 'Rejections')], default='events', max_length=10)),
                ('looked_until', models.UUIDField(null=True)),
                ('looked_at', models.PositiveBigIntegerField(default=0, help_text='How many rows have been looked through.')),
                ('found', models.JSONField(default=dict)),
                ('left', models.JSONField(default=list)),
                ('created_by', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField()),
                ('confirmed_by', models.CharField(blank=True, max_length=150)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'permissions': [('erase', 'Can erase what holds a value')],
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['counting', 'counted', 'erasing', 'finished', 'cancelled'])), name='erasure_state_known')],
            },
        ),
    ]
