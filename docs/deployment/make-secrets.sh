#!/bin/sh
# Make the folder `secrets` for compose.yaml, once: sh docs/deployment/make-secrets.sh [FOLDER]
# A second run changes nothing. Back the folder up, apart from the database.
set -eu
umask 077
folder=${1:-secrets}
mkdir -p "$folder"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
make() { [ -e "$folder/$1" ] || printf '%s' "$2" > "$folder/$1"; }

make secret_key "$(random)$(random)"
make encryption_keys "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')"
make admin_password "$(random | cut -c1-24)"
for role in owner web worker; do
    make "${role}_password" "$(random)"
    make "${role}_url" "postgres://hub_$role:$(cat "$folder/${role}_password")@db/hub"
done
# Read by the image's user, 10001, and by PostgreSQL's: the folder itself lets nobody else in.
chmod 0444 "$folder"/*
# Mounted into containers, too; under umask 077 they were cloned for their owner alone.
here=$(dirname "$0")
chmod 0644 "$here/Caddyfile" "$here/make-roles.sh"
echo "made $folder; the first login is admin, with the password in $folder/admin_password"
