#!/usr/bin/env bash
#
# lint_includes.sh [TREE] - refuses an include against the direction of the
# folders, and a library named in more places than it may be.
#
# Both tables below are the ones of docs/architecture.md. Tests and benchmarks
# may include everything. Prints FILE:LINE: sentence for each violation and
# exits with 1 if there was one.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

folders='base ingest rules store correlate predict sinks daemon'

existing=()
for folder in $folders; do
    [[ -d $folder ]] && existing+=("$folder")
done
[[ ${#existing[@]} -gt 0 ]] || { echo "lint_includes: no product folder in $PWD" >&2; exit 1; }

find "${existing[@]}" \( -name '*.c' -o -name '*.h' \) | LC_ALL=C sort |
    xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include' /dev/null |
    awk -v folders="$folders" '
    BEGIN {
        # Who may include whom; every folder may include itself.
        may["base"] = ""
        may["ingest"] = "base store" # recordings are a source
        may["rules"] = "base"
        may["store"] = "base"
        may["correlate"] = "base ingest rules store"
        may["predict"] = "base ingest rules store correlate"
        may["sinks"] = "base ingest rules store correlate predict"
        may["daemon"] = "base ingest rules store correlate predict sinks"

        # library: header, where it may stand, how many files of one folder may name it (0: any)
        library("librdkafka/rdkafka.h", "^ingest/", 0)
        library("librdkafka/rdkafka_mock.h", "^ingest/", 1)
        library("curl/", "^sinks/", 1)
        library("libfyaml.h", "^(rules|daemon)/", 1)
        library("hs.h", "^rules/", 1)
        library("jansson.h", "^(ingest|sinks|daemon)/", 0)
        library("event2/", "^(sinks|daemon)/", 0)
        library("sqlite3.h", "^store/", 1)
        library("hiredis/", "^store/", 1)
        library("zstd.h", "^store/", 1)
        library("openssl/", "^(ingest|sinks|daemon)/", 1)
        library("xxhash.h", "^base/hash[.]h$", 1)
    }
    function library(header, where, files_max) {
        place[header] = where
        limit[header] = files_max
    }
    function refuse(sentence) {
        printf "%s:%s: %s\n", file, line, sentence
        bad = 1
    }
    {
        split($0, part, ":")
        file = part[1]; line = part[2]
        folder = file; sub(/\/.*/, "", folder)
        name = substr($0, length(file) + length(line) + 3)
        quoted = name ~ /include[ \t]*"/
        if (!match(name, /["<][^">]*[">]/)) next
        name = substr(name, RSTART + 1, RLENGTH - 2)
        target = name; sub(/\/.*/, "", target)
        if (name ~ /(^|\/)\.\.?\//) {
            refuse("name headers from the top of the tree, not by a relative path")
        } else if (index(" " folders " ", " " target " ") && name ~ /\//) {
            if (!quoted)
                refuse("our own headers stand in quotes")
            if (target != folder && !index(" " may[folder] " ", " " target " "))
                refuse(folder "/ may not include " target "/")
        } else if (quoted) {
            refuse("name headers from the top of the tree: \"" folder "/" name "\"")
        }
        for (header in place) {
            if (index(name, header) != 1)
                continue
            if (file !~ place[header])
                refuse("<" name "> may not be named here")
            else if (limit[header] && !seen[header, file]++ && ++used[header, folder] > limit[header])
                refuse("<" name "> is already named by another file of " folder "/")
        }
    }
    END { exit bad }'
