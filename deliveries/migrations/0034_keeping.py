
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0033_shared_cache'),
        ('integrations', '0009_keeping'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeptKey',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('event', models.UUIDField()),
                ('received_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AlterModelOptions(
            name='event',
            options={'permissions': [('reveal_event', 'Can reveal what sensitive endpoints received'), ('legal_hold', 'Can put endpoints and events under a legal hold, and end it')]},
        ),
        migrations.AddField(
            model_name='event',
            name='body_removed_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='erased_at',
            field=models.DateTimeField(editable=False, help_text='When an erasure removed body and headers.', null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='headers_removed_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='keeps',
            field=models.PositiveSmallIntegerField(db_default=7, default=7, null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='legal_hold',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=300),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('keeps__isnull', False)), fields=['endpoint', 'keeps', 'received_at'], name='event_to_strip'),
        ),
    ]
