#!/usr/bin/env bash
#
# lint_scripts.sh - prints those of the file names on standard input that are
# shell scripts, by their first line. Passes whatever the files are, the last one
# too: `./dev lint` runs it in a pipeline under pipefail.
set -euo pipefail
while IFS= read -r file; do
    if [[ -f $file ]] && head -n1 "$file" | grep -qaE '^#!.*sh$'; then
        printf '%s\n' "$file"
    fi
done
