#!/bin/sh
# Run once by PostgreSQL's image when the database is made: the roles of web and workers (manage.py database_roles).
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set web `cat /run/secrets/web_password`
\set worker `cat /run/secrets/worker_password`
CREATE ROLE "hub_web" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
ALTER ROLE "hub_web" SET search_path = public;
ALTER ROLE "hub_web" PASSWORD :'web';
CREATE ROLE "hub_worker" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
ALTER ROLE "hub_worker" SET search_path = public;
ALTER ROLE "hub_worker" PASSWORD :'worker';
SQL
