# The hub as one image: `manage.py hub` runs web server and workers; `gunicorn --config python:hub.gunicorn hub.wsgi`
# and `manage.py worker` run them apart. Set SECRET_KEY, HUB_ENCRYPTION_KEYS, DATABASE_URL, HUB_BASE_URL, ALLOWED_HOSTS.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt requirements-extras.txt ./
# Packages of requirements-extras.txt that are wanted, such as "opentelemetry-exporter-otlp-proto-http sentry-sdk".
ARG EXTRAS=""
RUN /opt/venv/bin/pip install -r requirements.txt -c requirements-extras.txt $EXTRAS
COPY . .
# collectstatic needs settings but none of their values; these keys stay in this stage. Files of a clone under umask 077
# are readable by their owner alone.
RUN /opt/venv/bin/python -m hub.firstrun \
    && /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && rm .env \
    && chmod -R a+rX .

FROM python:3.13-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HUB_BIND=0.0.0.0 HUB_DATA_DIR=/var/lib/hub DATABASE_URL=sqlite:////var/lib/hub/db.sqlite3 LOG_FORMAT=json
RUN useradd --system --uid 10001 --home-dir /var/lib/hub --create-home hub && chmod 1777 /var/lib/hub
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
VOLUME /var/lib/hub
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('HUB_PORT', '8000') + '/health/live', timeout=2)"]
CMD ["python", "manage.py", "hub"]
