"""What proves an account, what is signed in, phones, grants, service accounts."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0005_audit_chain'),
    ]

    operations = [
        migrations.CreateModel(
            name='Credential',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='credential', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('password_set_at', models.DateTimeField(null=True)),
                ('must_change', models.BooleanField(default=False)),
                ('former', models.JSONField(default=list)),
                ('totp_sealed', models.BinaryField(null=True)),
                ('totp_next', models.BinaryField(null=True)),
                ('totp_since', models.DateTimeField(null=True)),
                ('totp_last_step', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Lock',
            fields=[
                ('key', models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ('failures', models.PositiveSmallIntegerField(default=0)),
                ('last_at', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RateWindow',
            fields=[
                ('key', models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ('ends_at', models.DateTimeField(db_index=True)),
                ('count', models.PositiveIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name='signinlink',
            name='recovery',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='signinlink',
            name='without_second',
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name='Firm',
            fields=[
                ('code', models.CharField(max_length=18, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('registered_at', models.DateTimeField()),
                ('post', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='firm', to='people.post')),
            ],
        ),
        migrations.CreateModel(
            name='FirmStaff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone_key', models.BinaryField(max_length=32)),
                ('phone_sealed', models.BinaryField()),
                ('tail', models.CharField(max_length=4)),
                ('name', models.CharField(max_length=40)),
                ('administrator', models.BooleanField(default=False)),
                ('valid_to', models.DateField()),
                ('granted_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('firm', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='staff', to='people.firm')),
                ('granted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='firm_grants', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='PhoneCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone_key', models.BinaryField(max_length=32)),
                ('purpose', models.CharField(max_length=40)),
                ('code_hash', models.BinaryField(max_length=32)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('used_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['phone_key', 'purpose', '-id'], name='people_phonecode_newest')],
            },
        ),
        migrations.CreateModel(
            name='PhoneNumber',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.BinaryField(max_length=32, unique=True)),
                ('sealed', models.BinaryField()),
                ('tail', models.CharField(max_length=4)),
                ('verified_at', models.DateTimeField()),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='phone', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Proxy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ward_phone_key', models.BinaryField(max_length=32)),
                ('ward_phone_sealed', models.BinaryField()),
                ('ward_tail', models.CharField(max_length=4)),
                ('ward_name', models.CharField(max_length=40)),
                ('relation', models.CharField(max_length=16)),
                ('valid_to', models.DateField()),
                ('asked_at', models.DateTimeField()),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='proxies', to=settings.AUTH_USER_MODEL)),
                ('ward', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='represented_by', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code_hash', models.BinaryField(max_length=32)),
                ('used_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ServiceAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=120)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=48), size=None)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('post', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='service_accounts', to='people.post')),
            ],
        ),
        migrations.CreateModel(
            name='ServiceKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_hash', models.BinaryField(max_length=32, unique=True)),
                ('begins', models.CharField(max_length=12)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(null=True)),
                ('last_address', models.GenericIPAddressField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='people.serviceaccount')),
            ],
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session key')),
                ('session_data', models.TextField(verbose_name='session data')),
                ('expire_date', models.DateTimeField(db_index=True, verbose_name='expire date')),
                ('public_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('created_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('address', models.GenericIPAddressField(null=True)),
                ('agent', models.CharField(blank=True, max_length=200)),
                ('how', models.CharField(blank=True, max_length=16)),
                ('second_at', models.DateTimeField(null=True)),
                ('wall', models.BooleanField(default=False)),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_why', models.CharField(blank=True, max_length=16)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddConstraint(
            model_name='firmstaff',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('firm', 'phone_key'), name='people_firm_staff_once'),
        ),
        migrations.AddConstraint(
            model_name='recoverycode',
            constraint=models.UniqueConstraint(fields=('user', 'code_hash'), name='people_recovery_code_once'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(fields=['user', '-seen_at'], name='people_session_of_user'),
        ),
    ]
