# Aim: over TLS, and behind SASL/SCRAM, the daemon reads as without; a wrong password is said in one
# clear sentence and readiness stays false; no secret shows anywhere. Method: the same topic through
# the three listeners of the real broker, secrets in the environment and in files.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 2
{ echo 'rules:'; rule disk disk_full; } >rules.yaml
event disk_full h1 problem | produce 1
wrong_password="not-the-right-one"
printf '%s\n' "$TOCSIN_KAFKA_PASSWORD" >password
printf '%s\n' "$wrong_password" >wrong
export KAFKA_USER=$TOCSIN_KAFKA_USER KAFKA_PASSWORD=$TOCSIN_KAFKA_PASSWORD

listener() { # NAME BROKER PROPERTIES
    config_for "$1" <<TEXT
  brokers: "$2"
  topics: [{topic: $topic, disorder: 100ms}]
  properties: {$3}
rules: [rules.yaml]
log: {level: debug}
TEXT
    sed -i "s/group: $topic/group: $topic.$1/" "$1.yaml"
    run_daemon "$1"
}
scram() { # PASSWORD
    echo "security.protocol: sasl_plaintext, sasl.mechanism: SCRAM-SHA-256, sasl.username: \"env:KAFKA_USER\", sasl.password: \"$1\""
}
reads() { # NAME
    wait_for "$1: it is ready" answers /readyz 200
    wait_for "$1: the incident opens" file_has "$1.incidents" '"change":"opened".*host=h1'
    stop_daemon
}
listener tls "$TOCSIN_KAFKA_TLS" "security.protocol: ssl, ssl.ca.location: \"$TOCSIN_KAFKA_CA\""
reads tls
listener from_env "$TOCSIN_KAFKA_SASL" "$(scram env:KAFKA_PASSWORD)"
reads from_env
listener from_file "$TOCSIN_KAFKA_SASL" "$(scram file:password)"
reads from_file

# The wrong word: said with broker and reason, not ready, alive, and it leaves when asked.
listener wrong_word "$TOCSIN_KAFKA_SASL" "$(scram file:wrong)"
refusal="Kafka at $TOCSIN_KAFKA_SASL refuses the login: .*[Aa]uthentication failed"
wait_for "it says that it is refused" file_has wrong_word.log "level=error event=kafka what=\"$refusal"
not_ready_because() { # PATTERN
    answers /readyz 503 && file_has answer "$1"
}
wait_for "/readyz says why" not_ready_because "$refusal"
cp answer wrong.answer
[[ $(wc -l <wrong.answer) -le 1 ]] || fail "more than a sentence: $(cat wrong.answer)"
answers /healthz 200 || fail "not alive"
stop_daemon
file_has wrong_word.incidents . && fail "it read something"

# An authority that is not the broker's.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=another" \
    -keyout another.key -out another.pem 2>openssl.log
listener stranger "$TOCSIN_KAFKA_TLS" "security.protocol: ssl, ssl.ca.location: \"$PWD/another.pem\""
distrust="Kafka at $TOCSIN_KAFKA_TLS cannot be spoken to by TLS: .*certificate"
wait_for "it does not believe the broker" file_has stranger.log "level=error event=kafka what=\"$distrust"
wait_for "/readyz says why" not_ready_because "$distrust"
stop_daemon

# Secrets stand nowhere that a person or program reads.
for config in from_env from_file wrong_word; do
    "$TOCSIN" check --config $config.yaml >$config.check 2>&1 || fail "check: $(cat $config.check)"
done
for file in *.log *.check *.answer *.incidents; do
    grep -qF -e "$TOCSIN_KAFKA_PASSWORD" -e "$wrong_password" "$file" && fail "$file shows a password"
done
cat wrong.answer
