# Aim: the real Kafka of the test run is one. Method: an independent client, kcat, writes records to a
# topic of several partitions and reads the same ones back, in order, by each of its three listeners.
set -euo pipefail
dir=$(dirname "$TOCSIN_KAFKA_CA")/..
topic=$STORY.$$
"$TOCSIN_TREE/tests/kafka/kafka" topic "$dir" "$topic" 3 message.timestamp.type=LogAppendTime
seq 1 1000 >written
kcat -P -b "$TOCSIN_KAFKA" -t "$topic" -p 2 <written

reads_all() { # NAME BROKER [kcat options]
    local name=$1 broker=$2
    shift 2
    kcat -C -q -e -b "$broker" "$@" -t "$topic" -p 2 -o beginning >"read.$name"
    cmp written "read.$name" || { echo "$name: other records than were written"; exit 1; }
}
reads_all plain "$TOCSIN_KAFKA"
reads_all tls "$TOCSIN_KAFKA_TLS" -X security.protocol=ssl -X ssl.ca.location="$TOCSIN_KAFKA_CA"
for mechanism in PLAIN SCRAM-SHA-256; do
    reads_all "$mechanism" "$TOCSIN_KAFKA_SASL" -X security.protocol=sasl_plaintext \
        -X sasl.mechanism="$mechanism" -X sasl.username="$TOCSIN_KAFKA_USER" \
        -X sasl.password="$TOCSIN_KAFKA_PASSWORD"
done

# The listeners are told apart: a wrong word is refused, and so is an unknown authority.
if kcat -L -m 3 -b "$TOCSIN_KAFKA_SASL" -X security.protocol=sasl_plaintext -X sasl.mechanism=PLAIN \
    -X sasl.username="$TOCSIN_KAFKA_USER" -X sasl.password=wrong >refused 2>&1; then
    echo "a wrong password was let in"
    exit 1
fi
if kcat -L -m 3 -b "$TOCSIN_KAFKA_TLS" -X security.protocol=ssl >refused 2>&1; then
    echo "a certificate of an unknown authority was believed"
    exit 1
fi
