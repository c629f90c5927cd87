# Aim: why and whynot about recordings say what they take for granted. Method: a file of two events,
# asked with and without rules.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
{ event disk db1 problem; event disk db1 problem; } >events.json
{ echo 'rules:'; rule disks disk; } >rules.yaml
ask() { # CODE ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" >answer 2>answer.err || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer answer.err)"
}
ask 0 whynot events/0/1 events.json
file_has answer '^note: no rules are named: this is the shipped pack demo; --rules names others$' ||
    fail "another's rules are not told of: $(cat answer)"
ask 0 whynot events/0/1 events.json --rules rules.yaml
if file_has answer '^note: no rules are named'; then fail "rules are named: $(cat answer)"; fi
echo 'rules: [rules.yaml]' >tocsin.yaml
ask 0 whynot events/0/1 events.json --config tocsin.yaml
if file_has answer '^note: no rules are named'; then fail "the configuration names rules: $(cat answer)"; fi
