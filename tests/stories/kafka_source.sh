# Aim: the Kafka source does on a real broker what it does on the mock one. Method: the same test
# program, with those of its cases that need no tricks of the mock, and one more: partitions that are
# added while records come.
set -euo pipefail
exec "$1" real
