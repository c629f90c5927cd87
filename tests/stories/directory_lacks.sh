# Aim (C3, C8, D1, L1): a data directory that lacks what its journal rests on is refused with 65 before
# anything is changed, with its name and a way out that works; `check` and `fsck` say the same beforehand.
# Method: one directory that was pushed to and stopped in good order, and copies of it, each of which lacks
# something else; the way out is gone, and what is pushed then is told.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]} {body[op][possible_repeat]}'
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
    [[ $(cat status) == 20[02] ]] || fail "a push: $(cat status) $(cat answer)"
}
told() { # HOST
    file_has hook.log "^open first .*host=$1 False\$"
}
stop() {
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "exit code $code: $(tail -n 3 run.log)"
}
files_of() { # DIRECTORY: what was told and taken in (what is configured may be kept beside it)
    (cd "$1" && find journal intake snapshots -type f -exec sha256sum {} + 2>/dev/null | sort)
}
# CODE PATTERN [OPTION]: of the configured directory, by a start, by check and by fsck.
refused() {
    local name before
    name=$(sed -n 's/^data: {dir: \([^},]*\).*/\1/p' tocsin.yaml)
    before=$(files_of "$name")
    code=0
    timeout 30 "$TOCSIN" run --config tocsin.yaml >run.log 2>&1 || code=$?
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
cp -r data/journal older.journal
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
timeout 30 "$TOCSIN" run --config tocsin.yaml >run.log 2>&1 || code=$?
[[ $code == 78 ]] && file_has run.log 'foreign: holds journal/a.txt and no FORMAT, so it is not the directory of a tocsin; give it an empty one$' ||
    fail "a foreign directory: code $code: $(cat run.log)"
[[ $(find foreign -type f) == foreign/journal/a.txt ]] || fail "it was written to: $(find foreign)"

# Damage in the journal names its way out, a missing segment, blob or intake log is named by check as well.
cp -r data damaged
printf damage | dd of=damaged/journal/0000000000000001.seg bs=1 seek=4200 conv=notrunc status=none
directory damaged
refused 65 'frame 1 is damaged: .*; put back the files of a copy, with its snapshots, or run once with --accept-loss, which cuts the journal there'
cp -r data ruleless
kept=$(grep -l 'check == "alpha"' ruleless/blobs/* | head -n 1)
rm "$kept"
directory ruleless
mv rules.yaml alpha.yaml # what is configured would be kept anew
{
    echo 'rules:'
    rule first beta
} >rules.yaml
refused 65 "$kept: the file is missing; put back"
mv alpha.yaml rules.yaml
"$TOCSIN" check --config tocsin.yaml >said 2>&1 || fail "what a start mends is refused by check"
cp -r data begun
printf damage | dd of=begun/intake/0000000000000001.seg bs=1 seek=4200 conv=notrunc status=none
directory begun
refused 65 'begun/intake/0000000000000001.seg: byte 4096: .*; put back the file as it was, or the whole directory from one copy'
cp -r data unwritten
rm unwritten/journal/*
directory unwritten
refused 65 'unwritten/journal: no segment is there, and unwritten/snapshots holds [12] snapshots? that rests? on them; put back .* or run once with --accept-loss'

# What is told anew behind an accepted loss, or because the journal is older than a snapshot or the history of
# it, may have been told: a sink that folds no repeats hears so. What is new does not say it.
repeats() { # HOST: how often it was told, and as what
    grep -c "^open first .*host=$1 True\$" hook.log
}
opens=$(grep -c '^open first .*host=h0 ' hook.log)
start_daemon --accept-loss
wait_for "it says so" file_has run.log 'event=told_before path=unwritten why="a loss of the journal is accepted"'
all_told() { # HOSTS
    local host
    for host in "$@"; do
        [[ $(repeats "$host") -ge $again ]] || return 1
    done
}
again=1
wait_for "all is told anew, as what may be a repeat" all_told h0 h1 h2
[[ $(grep -c '^open first .*host=h0 ' hook.log) == $((opens + 1)) ]] || fail "told: $(cat hook.log)"
push h5
wait_for "h5 is told" file_has hook.log '^open first .*host=h5 False$'
stop
cp -r data rewound
rm rewound/snapshots/* rewound/journal/*
cp older.journal/* rewound/journal/
directory rewound
again=2
start_daemon
wait_for "it says so" file_has run.log 'event=told_before path=rewound why="the history knows more than the journal"'
wait_for "what was told behind it is told anew, as what may be a repeat" all_told h2
stop
