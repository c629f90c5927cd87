# Aim: a test that CI leaves out is never left out in silence: real_data without its data set is disabled by name, the
# task that runs the tests says what is missing, and .ci/run takes the data set's folder and refuses another. Method:
# .ci/run before a `dev` that prints what it gets; tests/stories/data.cmake and the task itself with everything around
# them taken for granted.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
mkdir -p tree/.ci data empty
touch data/attack_phases.csv data/russellmitchell_alerts.csv.gz empty/attack_phases.csv
cp "$TOCSIN_TREE/.ci/run" tree/.ci/run
# shellcheck disable=SC2016 # for the script that is written
printf '#!/bin/sh\necho "CI=$CI data=$TOCSIN_AIT_ADS $*"\n' >tree/dev
chmod +x tree/dev
unset TOCSIN_AIT_ADS
[[ $(tree/.ci/run) == 'CI=true data= test' ]] || fail "without a folder: $(tree/.ci/run)"
[[ $(tree/.ci/run data) == "CI=true data=$PWD/data test" ]] || fail "with a folder: $(tree/.ci/run data)"
code=0
tree/.ci/run empty >out 2>err || code=$?
[[ $code == 66 && ! -s out ]] || fail "a folder without the data: exit code $code: $(cat out)"
file_has err '^\.ci/run: empty/russellmitchell_alerts.csv.gz is missing: this is no folder of the AIT alert data set$' || fail "$(cat err)"

# How the configuration takes it: the name of the test and its properties.
cat >configure.cmake <<'TEXT'
function(tocsin_story)
endfunction()
function(set_tests_properties)
    message(STATUS "properties ${ARGN}")
endfunction()
include($ENV{TOCSIN_TREE}/tests/stories/data.cmake)
TEXT
mkdir build
for ci in ON OFF; do
    cmake -DTOCSIN_CI=$ci -DTOCSIN_AIT_ADS="$PWD/empty" -P configure.cmake >$ci.log 2>&1 || fail "$(cat $ci.log)"
    file_has $ci.log "^-- real_data needs $PWD/empty/russellmitchell_alerts.csv.gz; TOCSIN_AIT_ADS names" || fail "CI=$ci says nothing: $(cat $ci.log)"
done
file_has ON.log '^-- properties real_data;PROPERTIES;DISABLED;ON$' || fail "not disabled: $(cat ON.log)"
file_has OFF.log properties && fail "disabled outside of CI, where it is skipped: $(cat OFF.log)"
cmake -DTOCSIN_CI=ON -DTOCSIN_AIT_ADS="$PWD/data" -P configure.cmake >with.log 2>&1 || fail "$(cat with.log)"
[[ ! -s with.log ]] || fail "with the data: $(cat with.log)"

# What the task says of it, before CTest, whose lines are the last.
mkdir -p tests/kafka
printf '#!/bin/sh\n' >tests/kafka/kafka # which is taken down at the end
chmod +x tests/kafka/kafka
cp ON.log build/release.configure.log
sed '/^case /,$d' "$TOCSIN_TREE/dev" >tasks
# shellcheck disable=SC1091,SC2317 # made above; called by the task
(
    . ./tasks
    need() { :; }
    build() { :; }
    setarch() { return 1; }
    ctest() { echo 'CTest was here'; }
    task_test
) >said 2>&1 || fail "the task ends with $?: $(cat said)"
file_has said "^dev: will not run: real_data needs $PWD/empty/russellmitchell_alerts.csv.gz; " || fail "$(cat said)"
[[ $(tail -n 1 said) == 'CTest was here' ]] || fail "CTest's lines are not the last: $(cat said)"
