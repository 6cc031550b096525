#!/usr/bin/env bash
# Starts Ray's head node here; the first time it makes the token that the others need.
#
#     cluster/head.sh [ENVIRONMENT [OPTION…]]
#
# ENVIRONMENT is a file like cluster/environment; options go to `ray start`. With --block it
# stays, and ends with the node.
set -euo pipefail
# shellcheck source=prepare.sh
. "$(dirname "$(readlink -f "$0")")/prepare.sh" "${1:-}"
shift || true

if [[ ! -e $RAY_AUTH_TOKEN_PATH ]]; then
  mkdir -p "$(dirname "$RAY_AUTH_TOKEN_PATH")"
  # mktemp's files are mode 600, and a token that is there is whole.
  new=$(mktemp "$RAY_AUTH_TOKEN_PATH.XXXXXX")
  od -An -N32 -v -tx1 /dev/urandom | tr -d ' \n' >"$new"
  mv -n "$new" "$RAY_AUTH_TOKEN_PATH"
  echo "A new token is in $RAY_AUTH_TOKEN_PATH: copy it to every other node, mode 600." >&2
fi
check_token

# The dashboard starts jobs, so only this machine reaches it: ssh -L 8265:127.0.0.1:8265 HEAD
exec ray start --head \
  --node-ip-address="${SERVE_APP_HEAD%:*}" --port="${SERVE_APP_HEAD##*:}" \
  --dashboard-host=127.0.0.1 --metrics-export-port="$SERVE_APP_METRICS_PORT" "$@"
