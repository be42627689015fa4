#!/bin/sh
# Compares last night's runtime with tonight's, and keeps a page for each night.
# For cron: 0 3 * * * nightly.sh RUNTIME.wasm FOLDER
# Exit status: that of lithify compare (1: something is slower), 0 in the first night.
set -eu
runtime=$1
folder=$2
mkdir -p "$folder"
night=$(date +%F)
status=0
if [ -e "$folder/last.wasm" ]; then
    lithify compare "$folder/last.wasm" "$runtime" \
        --samples "$folder/$night.jsonl" ${LITHIFY_COMPARE:-} || status=$?
    # Without an answer there may be no samples.
    if [ -e "$folder/$night.jsonl" ]; then
        lithify report "$folder/$night.jsonl" -o "$folder/$night.html"
    fi
fi
cp "$runtime" "$folder/last.wasm"
exit "$status"
