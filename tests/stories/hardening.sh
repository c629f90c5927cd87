# Aim: the shipped program carries the protections of the compiler and the linker. Method: readelf on
# the program itself, because a flag that is set can still be lost on the way to the link.
set -euo pipefail
failures=0

has() { # WHAT PATTERN readelf-options
    local what=$1 pattern=$2
    shift 2
    readelf -W "$@" "$TOCSIN" >said
    grep -qE -- "$pattern" said || {
        echo "missing: $what"
        failures=$((failures + 1))
    }
}
has "a position independent program" 'Flags: .*\bPIE\b' -d
has "addresses bound at start (-z now)" 'FLAGS_1.*\bNOW\b|BIND_NOW' -d
has "tables read-only after start (-z relro)" GNU_RELRO -l
has "a stack that cannot be executed" 'GNU_STACK .* RW +0x' -l
has "stack canaries" __stack_chk_fail --dyn-syms
has "checked copies (_FORTIFY_SOURCE)" '__(memcpy|memset|snprintf|vsnprintf|fprintf|printf|strcpy)_chk' --dyn-syms
if [[ $(uname -m) == x86_64 ]]; then
    # Not by the program's note: start files of some systems lack it, and it names the least of all.
    objdump --disassemble=main "$TOCSIN" >said
    grep -q endbr64 said || {
        echo "missing: marked branch targets (-fcf-protection)"
        failures=$((failures + 1))
    }
fi
# Records are allocated by threads of the Kafka client and freed by ours; libc's malloc takes a lock there.
readelf -W -d "$TOCSIN" | grep -oE 'NEEDED.*\[(libmimalloc|libc)[.]so' >said || true
if [[ $(wc -l <said) -ne 2 || $(head -n1 said) != *libmimalloc* ]]; then
    echo "missing: mimalloc, named before libc"
    failures=$((failures + 1))
fi
[[ $failures -eq 0 ]]
