#!/usr/bin/env bash
#
# isa_aarch64.sh DIGEST - the forms of the hot path for aarch64 answer as those of this machine do.
#
# Aim: the NEON forms, and plain C where `char` has no sign, give the answers that x86-64 gives.
# Method: what decodes, packs and sums up is built by a cross compiler, together with isa_digest.c,
# and run under qemu; DIGEST is isa_digest of this machine. Both print a line for each instruction
# set; behind the name all lines of a seed must be the same.
set -euo pipefail
digest=$1
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
    echo "FAILED: $*"
    exit 1
}

if [[ $(uname -m) == aarch64 ]]; then
    echo "this machine is one: test_isa compares its forms"
    exit 0
fi
for program in aarch64-linux-gnu-gcc qemu-aarch64 pkg-config; do
    command -v "$program" >/dev/null || { echo "[  SKIPPED ] $program is not there"; exit 77; }
done

# Not /usr/include itself, which has the C library of this machine.
mkdir -p include
ln -sf "$(pkg-config --variable=includedir libxxhash)/xxhash.h" include/
sources=(base/{error,event,isa,nearest,severity}.c ingest/{decoder,decode_*,event_time,json_*,name_table,utf8}.c
    store/crc32c.c tests/isa_digest.c)
out=$PWD
cd "$tree"
# shellcheck disable=SC2068 # patterns among the names
aarch64-linux-gnu-gcc -static -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wconversion \
    -fno-strict-aliasing -ffp-contract=off -I. -isystem "$out/include" ${sources[@]} -o "$out/isa_digest" -lm ||
    fail "it does not compile for aarch64"
cd "$out"
for seed in 1 20261123; do
    "$digest" "$seed" >here
    qemu-aarch64 ./isa_digest "$seed" >there || fail "it ends with $? under qemu: $(tail -n 3 there)"
    [[ $(cut -d' ' -f1 there | xargs) == "scalar neon" ]] || fail "there are other sets than scalar and neon: $(cat there)"
    [[ $(cut -d' ' -f2- here there | sort -u | wc -l) == 1 ]] ||
        fail "seed $seed: they do not agree"$'\n'"$(cat here there)"
done
sed 's/^/seed 20261123: /' here there
