# Aim: in group mode one member owns all partitions and the others stand by; when the owner dies, one
# of them takes over and goes on from the position that was told to Kafka, and no record is read by
# two members at once. Method: two daemons, one killed with -9 and one asked to leave.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 4
{ echo 'rules:'; rule disk disk_full; } >rules.yaml
member() { # NAME
    config_for "$1" <<TEXT
$(plain_input 100ms)
  mode: group
  properties: {session.timeout.ms: "6000", heartbeat.interval.ms: "500"}
rules: [rules.yaml]
TEXT
    run_daemon "$1"
}
produce_all() { # HOST: one fault in each partition
    local partition
    for partition in 0 1 2 3; do
        event disk_full "$1-$partition" problem | produce $partition
    done
}
opened_is() { # NAME COUNT
    [[ $(grep -c '"change":"opened"' "$1.incidents" || true) == "$2" ]]
}
stands_by() {
    answers /readyz 503 && file_has answer 'standing by: another member of group'
}

is_owned() { # ADMIN OF OWNER, ADMIN OF OTHER
    admin=$1
    answers /readyz 200 || return 1
    admin=$2
    stands_by
}

member first
first=$daemon first_admin=$admin
wait_for "the first is ready" answers /readyz 200
member second
second=$daemon second_admin=$admin
# Who owns is the group's choice: a member that joins may be given the input.
wait_for "one owns, the other stands by and says so" \
    eval 'is_owned "$first_admin" "$second_admin" || is_owned "$second_admin" "$first_admin"'
produce_all a
admin=$first_admin
wait_for "one of them reads" eval 'opened_is first 4 || opened_is second 4'
owner=first standby=second owner_pid=$first standby_admin=$second_admin
if opened_is second 4; then
    owner=second standby=first owner_pid=$second standby_admin=$first_admin
fi
admin=$standby_admin
wait_for "the other stands by" stands_by
metric_is tocsin_input_records_total 0 || fail "the one that stands by has read"
curl -s "http://127.0.0.1:$admin/metrics" | grep '^tocsin_partition_records_total' >/dev/null && fail "it holds partitions"
# The owner tells Kafka where it stands: behind the one record of each partition, where the next one
# goes on. (A value is its version, 3, and the position.)
told() {
    [[ $(kcat -C -q -e -b "$broker" -t __consumer_offsets -o beginning -s 'value=>hqs' -f '%k|%s\n' 2>>kcat.log |
        tr -d '\0' | grep -a "$topic" | cut -d '|' -f 2 | tail -n 4 | grep -ac '^31') == 4 ]]
}
wait_for "positions are told" told
kill -KILL "$owner_pid"
wait_for "the owner is gone" ends "$owner_pid"
produce_all b
admin=$standby_admin
wait_for "the other takes over" answers /readyz 200
wait_for "it opens what came meanwhile" opened_is "$standby" 4
metric_is tocsin_input_records_total 4 || fail "it read $(metric tocsin_input_records_total) records, not the four that came after the commit"
grep -q 'host=a-' "$standby.incidents" && fail "it opened again what the first had opened"

# The killed one comes back: the group chooses again, and still one owns and the other stands by. Asked
# to leave, the owner hands over at once.
standby_pid=$second back=$owner
[[ $standby == first ]] && standby_pid=$first
member "$owner"
back_pid=$daemon back_admin=$admin
wait_for "one owns and the other stands by" \
    eval 'is_owned "$back_admin" "$standby_admin" || is_owned "$standby_admin" "$back_admin"'
leaver=$standby_pid heir=$back heir_admin=$back_admin
if is_owned "$back_admin" "$standby_admin"; then
    leaver=$back_pid heir=$standby heir_admin=$standby_admin
fi
daemon=$leaver
stop_daemon
admin=$heir_admin
wait_for "the other takes over" answers /readyz 200
event disk_full c-0 problem | produce 0
wait_for "it opens what came then" file_has "$heir.incidents" '"change":"opened".*host=c-0'
twice=$(cat first.incidents second.incidents | grep '"change":"opened"' | grep -o '"key":"[^"]*"' | sort | uniq -d)
[[ -z $twice ]] || fail "opened twice: $twice"
