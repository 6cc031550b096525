# shellcheck shell=bash
# Sourced by head.sh and worker.sh: the environment of file $1, and what a node needs of it.
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
set -a
# shellcheck source=environment
. "${1:-$here/environment}"
# shellcheck source=haproxy.env
. "$here/$SERVE_APP_WAY_IN.env"
set +a

export PATH="$SERVE_APP_VENV/bin:$PATH"
# A connection is a file descriptor, and so is every process that Ray talks to.
ulimit -Sn "$(ulimit -Hn)"

# The token opens the cluster: it is its owner's, and nobody else's.
check_token() {
  if [[ ! -r $RAY_AUTH_TOKEN_PATH ]]; then
    echo "$RAY_AUTH_TOKEN_PATH: no token that $(id -un) may read. Copy the head node's." >&2
    return 1
  fi
  if [[ -n $(find -L "$RAY_AUTH_TOKEN_PATH" -perm /077) ]]; then
    echo "$RAY_AUTH_TOKEN_PATH: others may read it. chmod 600 $RAY_AUTH_TOKEN_PATH" >&2
    return 1
  fi
}
