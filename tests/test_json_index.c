/*
 * Aim: the kernel of every instruction set (json_index.h) finds the quotes, escapes and control
 * characters that are there, wherever the record lies, and reads nothing outside of it. Method: a
 * model that looks at one byte after the other; records of random bytes, most of them those that
 * matter, of all lengths up to five blocks; between two pages that must not be touched, at every
 * distance of 0 to 63 to either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "ingest/json_index.h"
#include "tests/random_seed.h"

enum { PAGE = 4096, BYTES_MAX = 5 * 64, RECORDS = 4000, ROOM = 2 * PAGE };

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((random_state >> 33) % limit);
}

/* Documented in json_index.h: a quote behind an odd number of backslashes is no border, the first
 * border behind a backslash is marked, a control character counts inside of a string. */
static uint32_t model(const char *record, uint32_t bytes, uint32_t *out, struct json_index *index)
{
    bool is_escaped = false, is_marked = false;
    uint32_t count = 0;

    *index = (struct json_index){.control_at = UINT32_MAX};
    for (uint32_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)record[i];
        index->has_high |= c >= 0x80;
        if (c == '"' && !is_escaped) {
            out[count++] = is_marked ? i | JSON_INDEX_ESCAPED : i;
            is_marked = false;
        }
        if (c < 0x20 && count % 2 == 1 && index->control_at == UINT32_MAX)
            index->control_at = i;
        is_marked |= c == '\\';
        is_escaped = c == '\\' && !is_escaped;
    }
    index->count = count;
    return count;
}

/* Dense records have what matters in every few bytes, others a thing or two, or none. */
static uint32_t fill_record(char *record)
{
    static const char some[] = "\"\"\"\\\\\n\x1f\xc3 {}:,az";
    uint32_t bytes = random_below(BYTES_MAX + 1), kind = random_below(4);

    for (uint32_t i = 0; i < bytes; i++) {
        bool matters = kind == 0 || (kind < 3 && random_below(kind == 1 ? 6 : 60) == 0);
        record[i] = matters ? some[random_below(sizeof(some) - 1)] : "abc 0:,"[random_below(7)];
    }
    /* Where a run of backslashes meets the end of a block. */
    if (bytes >= 70 && random_below(3) == 0)
        memset(record + 64 - random_below(5), '\\', 1 + random_below(6));
    return bytes;
}

static void expect_same(enum isa isa, const char *record, uint32_t bytes, const uint32_t *want_out,
                        const struct json_index *want)
{
    /* Exactly as much room as is promised, so that a sanitizer sees a store behind it. */
    uint32_t *out = malloc((bytes + JSON_INDEX_SLACK) * sizeof(*out));
    struct json_index got;

    json_index_of(isa)(record, bytes, out, &got);
    if (got.count != want->count || got.control_at != want->control_at ||
        got.has_high != want->has_high || memcmp(out, want_out, got.count * sizeof(*out)) != 0)
        fail_msg("%s, %u bytes: %u quotes, control at %u, high %d; should be %u, %u, %d: %.*s",
                 isa_name(isa), bytes, got.count, got.control_at, got.has_high, want->count,
                 want->control_at, want->has_high, (int)bytes, record);
    free(out);
}

static void every_kernel_finds_what_the_model_finds(void **state)
{
    char record[BYTES_MAX];
    uint32_t out[BYTES_MAX];
    struct json_index want;
    char *map =
        mmap(NULL, ROOM + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    random_state = random_seed("TOCSIN_INDEX_SEED");
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map, PAGE, PROT_NONE), 0);
    assert_int_equal(mprotect(map + PAGE + ROOM, PAGE, PROT_NONE), 0);
    for (int i = 0; i < RECORDS; i++) {
        uint32_t bytes = fill_record(record), shift = (uint32_t)i % 64;
        char *behind_page = map + PAGE + shift, *before_page = map + PAGE + ROOM - bytes - shift;
        model(record, bytes, out, &want);
        /* What lies around the record must not count either. */
        memset(map + PAGE, i % 2 == 0 ? '"' : '\\', ROOM);
        memcpy(behind_page, record, bytes);
        memcpy(before_page, record, bytes);
        for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
            if (!isa_is_supported((enum isa)isa))
                continue;
            expect_same((enum isa)isa, behind_page, bytes, out, &want);
            expect_same((enum isa)isa, before_page, bytes, out, &want);
        }
    }
    munmap(map, ROOM + 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_finds_what_the_model_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
