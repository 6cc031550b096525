#!/usr/bin/env bash
# Prove it on GPUs: prove.sh STAGE… [--layers N] [--mode graphs|eager|compile] [--skip STEP …]
# Results go to $OUT (prove-out without it). README.md says which stages there are.
#   LIMIT=570             seconds after which everything is ended
#   TOKENIZER=FOLDER      with SmolLM2's tokenizer; by default where `serve-app models fetch` has it
set -u
cd "$(dirname "$0")/../.."
here=$PWD
[ -f "$HOME/site/env.sh" ] && . "$HOME/site/env.sh"
export PYTHONPATH=$here:${PYTHONPATH:-} PYTHONUNBUFFERED=1 RAY_AUTH_MODE=disabled
out=${OUT:-prove-out} limit=${LIMIT:-570}
tokenizer=${TOKENIZER:-$HOME/.cache/serve-app/models/smollm2-135m-instruct}
[ -d "$tokenizer" ] || tokenizer=.gpu/model
python=python3; [ -x .venv/bin/python ] && python=.venv/bin/python
folder=$(mktemp -d /tmp/pXXXX)
ended() { "$python" -m tests.gpu.prove --sweep "$folder"; rm -rf "$folder"; }
trap ended EXIT
mkdir -p "$out"
timeout -s TERM -k 25 "$limit" "$python" -m tests.gpu.prove "$@" --limit-s "$limit" \
    --out "$out" --tokenizer "$tokenizer" --folder "$folder" 2>"$out/stderr.log"
echo "rc $?"; tail -c 600 "$out/stderr.log"
