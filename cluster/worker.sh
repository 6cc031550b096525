#!/usr/bin/env bash
# Starts a Ray node here that joins the head node's cluster. Ray counts CPUs and GPUs itself.
#
#     cluster/worker.sh [ENVIRONMENT [OPTION…]]
#
# ENVIRONMENT is a file like cluster/environment; options go to `ray start`. With --block it
# stays, and ends with the node.
set -euo pipefail
# shellcheck source=prepare.sh
. "$(dirname "$(readlink -f "$0")")/prepare.sh" "${1:-}"
shift || true

check_token
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S="$SERVE_APP_DRAIN_S"
exec ray start --address="$SERVE_APP_HEAD" --metrics-export-port="$SERVE_APP_METRICS_PORT" "$@"
