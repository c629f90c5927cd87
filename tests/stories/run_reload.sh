# Aim: SIGHUP with a broken file changes nothing and says where it is broken; with good files the new
# rules open incidents and the old ones do not; what needs a restart is named.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:2
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<<'rules: [rules.yaml]
quarantine: {path: refused.log}'
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
wait_for "the first rule opens" file_has incidents.log '"change":"opened".*"rule":"first".*host=h1'

# Broken rules.
{ echo 'rules:'; rule second beta | sed 's/count() >=/cuont() >=/'; } >rules.yaml
kill -HUP "$daemon"
wait_for "the reload is refused" file_has run.log 'level=error event=reload_refused why="rules.yaml:6:'
metric_is tocsin_reload_failures_total 1 || fail "the refused reload is not counted"
metric_is tocsin_reloads_total 0 || fail "a refused reload counts as done"
event alpha h2 problem | send
wait_for "the old rule still opens" file_has incidents.log '"change":"opened".*"rule":"first".*host=h2'
answers /readyz 200 || fail "not ready after a refused reload"

# Broken configuration.
{ echo 'rules:'; rule second beta; } >rules.yaml
cp tocsin.yaml good.yaml
echo 'lgo: {level: debug}' >>tocsin.yaml
kill -HUP "$daemon"
wait_for "the reload is refused" file_has run.log "event=reload_refused why=.*there is no key 'lgo' here; did you mean 'log'"
metric_is tocsin_reload_failures_total 2 || fail "the second refused reload is not counted"
metric_is tocsin_rules_loaded 1 || fail "rules were changed"

# Good rules, another log format, and a key that cannot follow.
{ cat good.yaml; echo 'log: {format: json}'; echo 'engine: {workers: 3}'; } >tocsin.yaml
{ echo 'rules:'; rule second beta; rule third gamma; } >rules.yaml
kill -HUP "$daemon"
wait_for "the reload is done" file_has run.log '"event":"reloaded".*"rules":2'
file_has run.log 'event=reload_needs_restart keys=engine.workers' || fail "no word about engine.workers"
metric_is tocsin_reloads_total 1 || fail "the reload is not counted"
metric_is tocsin_rules_loaded 2 || fail "rules in force are not counted"
# The switch takes effect at a round later than any record that was binned before, so one event of
# each kind is sent again until the new rule has opened.
opened_by_new() {
    event beta h3 problem | send
    file_has incidents.log '"change":"opened".*"rule":"second".*host=h3'
}
wait_for "the new rule opens" opened_by_new
event alpha h4 problem | send
event gamma h4 problem | send
wait_for "the other new rule opens" file_has incidents.log '"change":"opened".*"rule":"third".*host=h4'
file_has incidents.log 'host=h4.*alpha' && fail "a rule that is gone opened an incident"

# Files that were renamed to be kept are made anew.
mv incidents.log incidents.kept
mv refused.log refused.kept
kill -HUP "$daemon"
wait_for "the second reload is done" metric_is tocsin_reloads_total 2
event beta h5 problem | send
echo '{"cut":' | send
wait_for "the new incident log is written" file_has incidents.log '"change":"opened".*host=h5'
wait_for "the new quarantine is written" file_has refused.log '"reason":"parse"'
file_has incidents.kept host=h5 && fail "the old incident log was written on"
[[ ! -s refused.kept ]] || fail "the old quarantine was written on"

# A folder, named without a list, as it stands in place of the file; what of it is no rule file is said, by the start as well.
mkdir rules
cp rules.yaml rules/a.yaml
touch rules/b.yml
sed -i 's/^rules: .*/rules: rules\//' tocsin.yaml
passed_over='event=rule_file_passed_over.*rules//*b[.]yml|"rule_file_passed_over".*rules//*b[.]yml'
kill -HUP "$daemon"
wait_for "the third reload is done" metric_is tocsin_reloads_total 3
file_has run.log "$passed_over" || fail "no word of what is passed over: $(cat run.log)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
start_daemon
wait_for "it is ready" answers /readyz 200
file_has run.log "$passed_over" || fail "no word of what is passed over: $(cat run.log)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
