# Aim (C3, C8, D1, L1): a data directory that lacks what its journal rests on is refused with 65 before
# anything is changed, with its name and a way out that works; `check` and `fsck` say the same beforehand.
# Method: one directory that was pushed to and stopped in good order, and copies of it, each of which lacks
# something else; the way out is gone, and what is pushed then is told.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
start_broker events:1
{
    echo 'rules:'
    rule first alpha
} >rules.yaml
directory() { # NAME [LINE OF CONFIGURATION]
    write_config <<TEXT
rules: [rules.yaml]
data: {dir: $1}
outbox: {flush: 5s}
${2:-}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/"}}
TEXT
    sed -i "s/path: incidents.log/path: $1.log/; s/^  start: .*/&\n  topics: [{topic: events, disorder: 0ms}]/" tocsin.yaml
}
push() { # HOST
    event alpha "$1" problem | curl -s -o answer -w '%{http_code}' --data-binary @- "http://127.0.0.1:$admin/events?wait=8s" >status
    [[ $(cat status) == 200 ]] || fail "a push: $(cat status) $(cat answer)"
}
told() { # HOST
    file_has hook.log "^open first .*host=$1\$"
}
stop() {
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "exit code $code: $(tail -n 3 run.log)"
}
files_of() { # DIRECTORY: all that a start reads of it
    (cd "$1" && find journal intake snapshots blobs -type f -exec sha256sum {} + 2>/dev/null | sort)
}
# CODE PATTERN [OPTION]: of the configured directory, by a start, by check and by fsck.
refused() {
    local name before
    name=$(sed -n 's/^data: {dir: \([^},]*\).*/\1/p' tocsin.yaml)
    before=$(files_of "$name")
    code=0
    timeout 100 "$TOCSIN" run --config tocsin.yaml >run.log 2>&1 || code=$?
    [[ $code == "$1" ]] && file_has run.log "$2" || fail "$name: a start: code $code, not $1 $2: $(cat run.log)"
    code=0
    "$TOCSIN" check --config tocsin.yaml >said 2>&1 || code=$?
    [[ $code == "$1" ]] && file_has said "$2" || fail "$name: check: code $code, not $1 $2: $(cat said)"
    code=0
    "$TOCSIN" fsck "$name" >said 2>&1 || code=$?
    [[ $code == "$1" ]] && file_has said "$2" || fail "$name: fsck: code $code, not $1 $2: $(cat said)"
    [[ $(files_of "$name") == "$before" ]] || fail "$name: a refused directory was changed"
}

directory data
start_daemon
wait_for "it is ready" answers /readyz 200
push h0
push h1
wait_for "h1 is told" told h1
stop
cp -r data older
start_daemon
wait_for "it is ready" answers /readyz 200
push h2
wait_for "h2 is told" told h2
stop

# An intake log that ends before what the journal knows of it: what was pushed then would be taken for what had
# been read, and answered, and told to nobody.
out='put back intake/ as it was, or the whole directory from one copy \(an older intake/ alone will not do\), or give'
cp -r data short
rm -r short/intake
cp -r older/intake short/intake
directory short
refused 65 "short/intake: it ends with record 1, and the journal knows it up to record 2: .* $out"
cp -r data none
rm none/intake/*
directory none
refused 65 "none/intake: it holds no record, and the journal knows it up to record 2: .* $out"
cp -r data rotten # the last frame
python3 - rotten/intake/0000000000000001.seg <<'TEXT'
import sys
with open(sys.argv[1], "r+b") as file:
    text = file.read()
    end = len(text.rstrip(b"\0"))
    file.seek(end - 40)
    file.write(b"rot!")
TEXT
directory rotten
refused 65 "rotten/intake: it ends with record 1, and the journal knows it up to record 2: .* $out"
rm -r rotten/intake # the way out
cp -r data/intake rotten/intake
start_daemon
wait_for "it is ready" answers /readyz 200
push h3
wait_for "h3 is told" told h3
stop
directory older # the other
start_daemon
wait_for "it is ready" answers /readyz 200
push h4
wait_for "h4 is told" told h4
stop

# Without FORMAT it is still a tocsin's, whatever else is in it; a newer one's FORMAT is refused like a newer
# journal, so that the sinks hear that nobody pages; and a directory of somebody else stays as it was.
cp -r data formless
mv formless/FORMAT kept
directory formless
refused 65 "formless/FORMAT: it is missing, and formless/journal holds [0-9a-z.]+; put back the one of a copy"
sed 's/^version .*/version 9/' kept >formless/FORMAT
refused 65 'formless/FORMAT:2: version 9 was written by a newer tocsin, and this one reads up to 1; start the newer one, or give this one a directory of its own$'
file_has hook.log '^open not-running ' || fail "the sinks are not told: $(cat hook.log)"
mkdir -p foreign/journal
echo mine >foreign/journal/a.txt
directory foreign
code=0
timeout 100 "$TOCSIN" run --config tocsin.yaml >run.log 2>&1 || code=$?
[[ $code == 78 ]] && file_has run.log 'foreign: holds journal/a.txt and no FORMAT, so it is not the directory of a tocsin; give it an empty one$' ||
    fail "a foreign directory: code $code: $(cat run.log)"
[[ $(find foreign -type f) == foreign/journal/a.txt ]] || fail "it was written to: $(find foreign)"
