/*
 * isa.c - see isa.h. A set is a row: what it is called and how the processor is asked for it.
 * What this build has no forms for is not asked for.
 */
#include "base/isa.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#include "base/nearest.h"

enum isa isa_now;

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)

static bool has_sse42(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

static bool has_avx2(void)
{
    return has_sse42() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

static bool has_avx512bw(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx512(void)
{
    return has_avx512bw() && __builtin_cpu_supports("avx512vbmi2");
}

#elif defined(__aarch64__)

/* Bits of AT_HWCAP. Source: Linux, arch/arm64/include/uapi/asm/hwcap.h. */
enum { CAN_ASIMD = 1 << 1, CAN_CRC32 = 1 << 7 };

static bool has_neon(void)
{
    const unsigned long wanted = CAN_ASIMD | CAN_CRC32;

    return (getauxval(AT_HWCAP) & wanted) == wanted;
}

#endif

static const struct {
    const char *name;
    bool (*is_supported)(void); /* NULL: this build has no form of it */
} sets[ISA_COUNT] = {
    [ISA_SCALAR] = {"scalar", always},
#if defined(__x86_64__)
    [ISA_SSE2] = {"sse2", always},         [ISA_SSE42] = {"sse42", has_sse42},
    [ISA_AVX2] = {"avx2", has_avx2},       [ISA_AVX512BW] = {"avx512bw", has_avx512bw},
    [ISA_AVX512] = {"avx512", has_avx512},
#else
    [ISA_SSE2] = {"sse2", NULL},       [ISA_SSE42] = {"sse42", NULL},
    [ISA_AVX2] = {"avx2", NULL},       [ISA_AVX512BW] = {"avx512bw", NULL},
    [ISA_AVX512] = {"avx512", NULL},
#endif
#if defined(__aarch64__)
    [ISA_NEON] = {"neon", has_neon},
#else
    [ISA_NEON] = {"neon", NULL},
#endif
};

const char *isa_name(enum isa isa)
{
    return (unsigned)isa < ISA_COUNT ? sets[isa].name : "unknown";
}

bool isa_is_supported(enum isa isa)
{
    return (unsigned)isa < ISA_COUNT && sets[isa].is_supported != NULL && sets[isa].is_supported();
}

enum isa isa_best(void)
{
    enum isa isa = ISA_COUNT - 1;

    while (!isa_is_supported(isa))
        isa--;
    return isa;
}

const char *isa_list(char to[ISA_LIST_BYTES])
{
    size_t at = 0;

    to[0] = '\0';
    for (unsigned isa = ISA_COUNT; isa-- > 0;) {
        if (!isa_is_supported((enum isa)isa))
            continue;
        int wrote =
            snprintf(to + at, ISA_LIST_BYTES - at, "%s%s", at > 0 ? ", " : "", sets[isa].name);
        assert(wrote > 0 && (size_t)wrote < ISA_LIST_BYTES - at);
        at += (size_t)wrote;
    }
    return to;
}

void isa_use(enum isa isa)
{
    assert(isa_is_supported(isa));
    isa_now = isa;
}

int isa_choose(const char *name, struct error *err)
{
    const char *names[ISA_COUNT];
    char hint[NEAREST_HINT_BYTES], list[ISA_LIST_BYTES];
    size_t count = 0;

    for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
        if (isa_is_supported((enum isa)isa))
            names[count++] = sets[isa].name;
        if (strcmp(name, sets[isa].name) != 0)
            continue;
        if (!isa_is_supported((enum isa)isa)) {
            error_set(err, "this processor has no %s; what it has is %s", name, isa_list(list));
            return -ENOTSUP;
        }
        isa_use((enum isa)isa);
        return 0;
    }
    error_set(err, "no instruction set is named \"%s\"; what this processor has is %s%s", name,
              isa_list(list),
              nearest_hint((struct text){name, (uint32_t)strlen(name)}, names, count, hint));
    return -EINVAL;
}

/* Before main(), so that whatever has a hot path in it, tests and benches too, has a choice. */
__attribute__((constructor)) static void ask_processor(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    isa_now = isa_best();
}
