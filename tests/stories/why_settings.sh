# Aim: why and whynot go by the settings of the engine that were in force when something happened, and read
# records as the daemon read them then. Method: incidents that end soon, by an expire that a reload makes
# long; of a tenant that a restart changes; asked of a running daemon with and without a data directory, of
# one that has ended, and of a recording.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml

ask() { # CODE COMMAND ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" --config tocsin.yaml >answer 2>answer.err || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer answer.err)"
}
says() { file_has answer "$1" || fail "no line like $1: $(cat answer)"; }
says_not() { ! file_has answer "$1" || fail "a line like $1: $(cat answer)"; }
incident_of() { # HOST
    grep '"change":"opened"' incidents.log | grep "host=$1\"" | sed -n 1p | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4
}
changed_to() { # ENGINE TOPIC...: the configuration, which has `more` besides
    write_config <<TEXT
input.topics: [{topic: events, disorder: 20ms${2:-}}]
rules: [rules.yaml]
$more
engine: {$1}
TEXT
}
nobody() { # HOST
    event alpha "$1" problem | sed 's/"tenant":"acme",//' | send
}
opened() { file_has incidents.log "\"change\":\"opened\".*host=$1\""; }
closed() { file_has incidents.log "\"change\":\"closed\".*host=$1\""; }
# One opens and ends by the first expire; then a reload, and one by the second, which is far away.
live() { # HOSTS
    start_daemon
    wait_for "it is ready" answers /readyz 200
    nobody "$1a"
    wait_for "it opens" opened "$1a"
    wait_for "it ends by expire" closed "$1a"
    sed -i 's|^engine: .*|engine: {expire: 5m}|' tocsin.yaml
    kill -HUP "$daemon"
    wait_for "the reload is done" metric_is tocsin_reloads_total 1
    nobody "$1b"
    wait_for "the next opens" opened "$1b"
}
changed='^note: the daemon.s settings changed at 20[^ ]*Z .engine.expire 1s -> 5m.: what came before goes by those of then$'
# A switch takes effect at a round later than any record that was binned before.
is_changed() { # INCIDENT OPTIONS...
    "$TOCSIN" why "$@" --config tocsin.yaml >answer 2>answer.err && file_has answer "$changed"
}
told() { # HOSTS OPTIONS...
    local hosts=$1
    shift
    wait_for "the switch is known" is_changed "$(incident_of "${hosts}a")" "$@"
    says 'expired|expire'
    says ' closed'
    says_not 'switched its rules'
}

more='marks: {path: marks.log}'
changed_to 'expire: 1s'
live x
told x --from earliest
kill -TERM "$daemon"
wait_end "$daemon"
rm incidents.log

more='data: {dir: data}'
changed_to 'expire: 1s'
live y
told y --from earliest
kill -TERM "$daemon"
wait_end "$daemon"
told y --from earliest

# The same records belong to another tenant from a restart on, and those of before do not.
changed_to 'expire: 5m' ', tenant: beta'
start_daemon
wait_for "it has switched" file_has run.log 'event=settings_switched .*partitions=1'
nobody yc
wait_for "the other tenant has one" file_has incidents.log '"change":"opened".*tenant=beta.host=yc"'
for option in "" record; do
    input=(--from earliest)
    if [[ $option == record ]]; then
        kill -TERM "$daemon"
        wait_end "$daemon"
        [[ $code == 0 ]] || fail "exit code $code"
        "$TOCSIN" record --brokers "$broker" --topic events --to latest --output all.trec --quiet
        input=(all.trec --marks data)
    fi
    told y "${input[@]}"
    says '^rule first, key tenant=default host=ya$'
    ask 0 why "$(incident_of yc)" "${input[@]}"
    says '^rule first, key tenant=beta host=yc$'
done
# A replay reads each record as the run did, and says that expire was another.
for input in "--data data" "--marks data all.trec"; do
    # shellcheck disable=SC2086 # options
    "$TOCSIN" replay --config tocsin.yaml --incidents replayed.log --ledger off $input >/dev/null 2>replay.err || fail "replay $input: $(cat replay.err)"
    for line in tenant=default.host=ya tenant=default.host=yb tenant=beta.host=yc; do
        file_has replayed.log "\"change\":\"opened\".*$line" || fail "replay $input: no $line: $(cat replayed.log)"
    done
    file_has replay.err '^note: the run had other settings of the engine before 20[^ ]*Z .engine.expire 1s -> 5m., and those of this configuration hold' || fail "no note: $(cat replay.err)"
done
# Rules that are named are tried under the settings of the configuration, on what was read as it was.
ask 0 why "$(incident_of yb)" all.trec --marks data --rules rules.yaml
says '^rule first, key tenant=default host=yb$'
says 'with --rules all of it goes by those of the configuration$'
# Settings that cannot be had any more are told of.
rm data/blobs/*.files
ask 1 why "$(incident_of ya)" all.trec --marks data
says '^note: settings that the daemon had cannot be had, so what came under them goes here by others: '
