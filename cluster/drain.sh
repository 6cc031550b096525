#!/usr/bin/env bash
# Takes this node out of the cluster, and returns when nothing runs here any more.
#
#     cluster/drain.sh [TIMEOUT]
#
# Serve starts every replica of this node elsewhere first, if there is room, and only then stops it
# here; it lets its requests end. Then the node's Ray ends by itself. After TIMEOUT seconds this script
# gives up waiting, with an error. Needs the variables of cluster/environment.
set -euo pipefail
timeout=${1:-1260}
export RAY_ADDRESS="${RAY_ADDRESS:-$SERVE_APP_HEAD}"

ray drain-node --address "$RAY_ADDRESS" --reason DRAIN_NODE_REASON_PREEMPTION \
  --reason-message "cluster/drain.sh" --deadline-remaining-seconds "$timeout"

raylet=http://127.0.0.1:52365/api/local_raylet_healthz
while "$(dirname "$(readlink -f "$0")")/alive.sh" "$raylet" 2>/dev/null; do
  if ((SECONDS > timeout)); then
    echo "Still busy after $timeout s: \`serve status\` shows what migrates." >&2
    exit 1
  fi
  sleep 5
done
