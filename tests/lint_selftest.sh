#!/usr/bin/env bash
#
# Aim: the checks of the tree refuse what they exist to refuse, and nothing else.
# Method: each row makes a tree of one clean file and one more line, and says
# which check must name that line, or that both must accept it. What `./dev lint`
# hands to shellcheck is asked for lists of names in several orders.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
rows=0 failures=0

fresh() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/{base,ingest,rules,store,correlate,predict,sinks,daemon}
    printf '#include "base/a.h"\n\nint zero(void);\n' >"$tree/base/clean.c"
}

# refuses CHECK FILE LINE: the check fails and names FILE:1.
refuses() {
    local check=$1 file=$2 line=$3 said
    rows=$((rows + 1))
    fresh
    printf '%b\n' "$line" >"$tree/$file"
    if said=$("$here/lint_$check.sh" "$tree" 2>&1); then
        echo "lint_$check.sh accepted $file: $line"
        failures=$((failures + 1))
    elif [[ $said != "$file:1: "* ]]; then
        echo "lint_$check.sh refused $file: $line, but said: $said"
        failures=$((failures + 1))
    fi
}

# accepts FILE LINE: both checks pass and say nothing.
accepts() {
    local file=$1 line=$2 check said
    for check in includes host; do
        rows=$((rows + 1))
        fresh
        printf '%b\n' "$line" >"$tree/$file"
        said=$("$here/lint_$check.sh" "$tree" 2>&1) || {
            echo "lint_$check.sh refused $file: $line, saying: $said"
            failures=$((failures + 1))
        }
    done
}

refuses includes base/x.c '#include "ingest/source.h"'
refuses includes rules/x.c '#include "ingest/source.h"'
refuses includes rules/x.h '#  include  "correlate/engine.h"'
refuses includes ingest/x.c '#include "rules/rule_set.h"'
refuses includes store/x.c '#include "ingest/source.h"'
refuses includes correlate/x.c '#include "sinks/outbox.h"'
refuses includes correlate/x.c '#include "predict/model.h"'
refuses includes predict/x.c '#include "sinks/outbox.h"'
refuses includes sinks/x.c '#include "daemon/command.h"'
refuses includes ingest/x.c '#include "../rules/rule_set.h"'
refuses includes ingest/x.c '#include "source.h"'
refuses includes ingest/x.c '#include <base/a.h>'
refuses includes correlate/x.c '#include <jansson.h>'
refuses includes correlate/x.c '#include <librdkafka/rdkafka.h>'
refuses includes daemon/x.c '#include <librdkafka/rdkafka.h>'
refuses includes daemon/x.c '#include <librdkafka/rdkafka_mock.h>'
refuses includes daemon/x.c '#include <curl/curl.h>'
refuses includes correlate/x.c '#include <libfyaml.h>'
refuses includes daemon/main.c '#include <sqlite3.h>'
accepts ingest/x.c '#include "base/a.h"\n#include "store/b.h"\n#include "ingest/c.h"\n#include <jansson.h>'
accepts ingest/x.c '#include <librdkafka/rdkafka.h>'
accepts ingest/x.c '#include <librdkafka/rdkafka.h>\n#include <librdkafka/rdkafka_mock.h>'
accepts daemon/x.c '#include "sinks/outbox.h"\n#include "correlate/engine.h"\n#include <stdio.h>'
accepts sinks/x.c '#include <curl/curl.h>'

refuses host correlate/x.c 'long now = time(NULL);'
refuses host ingest/x.c 'clock_gettime (CLOCK_REALTIME, &now);'
refuses host ingest/x.c 'FILE *f = fopen("a", "r");'
refuses host daemon/x.c 'int fd = socket(AF_INET, SOCK_STREAM, 0);'
refuses host sinks/x.c 'getrandom(at, 8, 0);'
refuses host base/x.c 'usleep(1);'
refuses host rules/x.c '/* why */ json_load_file(path, 0, &at); /* open( */'
refuses host daemon/admin_server.c 'long now = time(NULL);'
accepts correlate/x.c '/* time(NULL) would jump */ int64_t at = host_wall_ms();'
accepts correlate/x.c '/* a comment that goes on\n * and names open() */'
accepts store/x.c 'fd = h->open(h->self, path, 0, 0);\nrc = table.read (fd);\nlog("open(2) failed");'
accepts correlate/x.c 'window_time(key); struct event_time (*time_of)(void);'
accepts base/host.c 'clock_gettime(CLOCK_REALTIME, &now);'
accepts daemon/admin_server.c 'fd = accept4(fd, NULL, NULL, 0);'

refuses host base/slab.c 'int fd = open("a", 0);'
accepts base/slab.c 'if (write(2, text, 5) < 0)'

# A second file of a folder that names a library kept to one.
fresh
echo '#include <curl/curl.h>' >"$tree/sinks/a.c"
echo '#include <curl/curl.h>' >"$tree/sinks/b.c"
rows=$((rows + 1))
if "$here/lint_includes.sh" "$tree" >/dev/null 2>&1; then
    echo "lint_includes.sh accepted two files that name libcurl"
    failures=$((failures + 1))
fi

# An empty place is a mistake of the caller and must not pass as clean.
for check in includes host; do
    rows=$((rows + 1))
    rm -rf "${tree:?}"/*
    if "$here/lint_$check.sh" "$tree" >/dev/null 2>&1; then
        echo "lint_$check.sh accepted a tree without folders"
        failures=$((failures + 1))
    fi
done

# Shell scripts are picked out, and files that are none fail nothing, wherever they stand.
fresh
printf '#!/usr/bin/env bash\n' >"$tree/first"
printf '#!/bin/sh\n' >"$tree/second"
printf '#!/usr/bin/env python3\n' >"$tree/other"
for order in "first second other" "other first second" "first other gone second"; do
    rows=$((rows + 1))
    read -ra names <<<"$order"
    if ! said=$(cd "$tree" && printf '%s\n' "${names[@]}" | "$here/lint_scripts.sh") ||
        [[ $said != $'first\nsecond' ]]; then
        echo "lint_scripts.sh, given $order, failed or said: $said"
        failures=$((failures + 1))
    fi
done

echo "$rows checks, $failures failed"
[[ $failures -eq 0 ]]
