
import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0008_connections'),
    ]

    operations = [
        migrations.AddField(
            model_name='endpoint',
            name='keep_attempts_days',
            field=models.PositiveIntegerField(blank=True, help_text='Days that logs, tracebacks and answers of attempts are kept; empty means HUB_ATTEMPT_DAYS, 0 for ever.', null=True, validators=[django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='keep_body_days',
            field=models.PositiveIntegerField(blank=True, help_text='Days that raw bodies are kept; empty means HUB_BODY_DAYS, 0 for ever.', null=True, validators=[django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='keep_dead_letters_days',
            field=models.PositiveIntegerField(blank=True, help_text='Days that dead letters, with all that belongs to them, are kept; empty means HUB_DEAD_LETTER_DAYS, 0 for ever.', null=True, validators=[django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='keep_events_days',
            field=models.PositiveIntegerField(blank=True, help_text='Days that events and deliveries themselves are kept; empty means HUB_EVENT_DAYS, 0 for ever.', null=True, validators=[django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='keep_headers_days',
            field=models.PositiveIntegerField(blank=True, help_text='Days that headers and query strings are kept; empty means HUB_HEADERS_DAYS, 0 for ever.', null=True, validators=[django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='keep_rejections_days',
            field=models.PositiveIntegerField(blank=True, help_text='Days that refused requests are kept; empty means HUB_REJECTION_DAYS, 0 for ever.', null=True, validators=[django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='keys_kept_since',
            field=models.DateTimeField(editable=False, help_text='Since when receiving looks among the keys of removed events, too.', null=True),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='legal_hold',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Why nothing of the endpoint may be removed by age or erased; empty: it may.', max_length=300),
        ),
    ]
