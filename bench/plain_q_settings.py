"""A Django project with django-q2 as its documentation begins: the ORM broker, everything else at its default."""

import os

from hub.env import env_database

SECRET_KEY = "bench-" + "x" * 50
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_q"]
DATABASES = {"default": env_database("DATABASE_URL", "")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
Q_CLUSTER = {"name": os.environ.get("BENCH_CLUSTER", "bench"), "orm": "default"}
