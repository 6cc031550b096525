#!/usr/bin/env bash
# Succeeds if URL answers 200: for probes, in images without curl.    cluster/alive.sh URL
exec python -c '
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5)
' "$1"
