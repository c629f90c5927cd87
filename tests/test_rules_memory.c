/*
 * Aim: running out of memory while rules are read is an error like any other: the
 * load says so, gives everything back, and works when memory is there again.
 * Method: the linker sends our own malloc, calloc and realloc through this file
 * (not those of libfyaml), and the n-th of them fails, for n = 1, 2, 3 ... until a
 * load succeeds. Arenas are made through this file as well, so that a bound can be small. Leaks are
 * the address sanitizer's to find.
 */
#include "rules_support.h"
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>
#include "base/arena.h"

struct arena *__real_arena_create(size_t bytes_max);
struct arena *__wrap_arena_create(size_t bytes_max);
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);

static long allocations_left = -1; /* negative: no limit */

static bool may_allocate(void)
{
    if (allocations_left < 0)
        return true;
    return allocations_left-- > 0;
}

/* Once one has failed the next fail too: memory does not come back by itself. */
void *__wrap_malloc(size_t bytes)
{
    if (!may_allocate()) {
        allocations_left = 0;
        return NULL;
    }
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    if (!may_allocate()) {
        allocations_left = 0;
        return NULL;
    }
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
    if (!may_allocate()) {
        allocations_left = 0;
        return NULL;
    }
    return __real_realloc(at, bytes);
}

/* Of the arena that is created with the bound `large`: `small` in its place. */
static size_t large, small;

struct arena *__wrap_arena_create(size_t bytes_max)
{
    return __real_arena_create(bytes_max == large ? small : bytes_max);
}

/* Enough that every arena needs several blocks. */
enum { RULES = 100 };

static char *rules_text(const char *table)
{
    char *text = malloc(500 * RULES + 500 * 20), *at = text;

    at += sprintf(at, "sets: {s: [a, b, '5']}\ntables: {t: {file: %s, key: k}}\nenrich:\n", table);
    for (int i = 0; i < 20; i++)
        at +=
            sprintf(at,
                    "  - id: e%d\n    vars: {v: labels.x}\n    where: has(labels.x) && host in s\n"
                    "    extract: {from: message, pattern: '(?P<g>[a-z\xc3\xa9]+)(?P<h>\\d)?'}\n"
                    "    set: {labels.y: v + \"%d\", severity: 'severity(t[host].v)'}\n"
                    "    remove: [labels.x, host]\n",
                    i, i);
    at += sprintf(at, "rules:\n");
    for (int i = 0; i < RULES; i++)
        at += sprintf(
            at,
            "  - id: r%d\n    vars: {v: 'message.matches(\"(?i)x|y+$\")'}\n"
            "    where: check in [\"a%d\", \"b\"] && labels.l%d.startsWith(\"x\" + \"\") && (v || "
            "host in s || t[host].v == \"w\")\n"
            "    by: [host, labels.rack]\n    window: 5m\n"
            "    when: count() > 3 && distinct(check) >= 2\n"
            "    incident: {title: \"{host}: {count()} {count() + 1} 'it''s'\"}\n"
            "    close: quiet(1m) || cleared()\n",
            i, i, i);
    return text;
}

static void load_survives_every_failing_allocation(void **state)
{
    char path[] = "/tmp/tocsin-rules-XXXXXX";
    const char *paths[] = {path};
    char table[] = "/tmp/tocsin-table-XXXXXX.csv";
    long failures = 0;
    int fd = mkstemps(table, 4);
    char *text = rules_text(table); /* its name is known now */

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "k,v\n1,w\n2,x\n", 12), 12);
    close(fd);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    for (;; failures++) {
        struct rule_set *set = NULL;
        struct error err = {""};
        allocations_left = failures;
        int rc = rule_set_load(paths, 1, &set, &err);
        allocations_left = -1;
        if (rc == 0) {
            assert_int_equal(rule_set_count(set), RULES);
            rule_set_destroy(set);
            break;
        }
        assert_int_equal(rc, -ENOMEM);
        assert_null(set);
        assert_true(strlen(err.text) > 0);
    }
    /* Fewer would mean that the loop did not reach what it is for. */
    assert_true(failures > 10);
    unlink(path);
    unlink(table);
    free(text);
}

/* Entries that are no rules, twenty times as many as a set takes: the list ends at its bound, and
 * the file is refused for what is wrong with it. */
static void wrong_rules_take_no_room(void **state)
{
    enum { COUNT = 400000 };
    size_t bytes = strlen("rules:\n") + COUNT * strlen("- a\n");
    char *text = malloc(bytes + 1), *at = text;
    struct rule_set *set = NULL;
    struct error err = {""};

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "rules:\n");
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "- a\n");
    assert_int_equal(rule_set_parse("r.yaml", text, bytes, &set, &err), -EINVAL);
    assert_non_null(strstr(err.text, "r.yaml:2:3: a rule is a map of keys"));
    assert_null(strstr(err.text, "MiB"));
    assert_non_null(strstr(err.text, "... and 19991 more"));
    free(text);
}

/* What is kept until all is read, what stays, and what one rule is read with. The bounds themselves
 * are far too large for a test, so each is a small one here in turn. */
static void memory_of_a_load_is_bounded(void **state)
{
    enum { MIB = 1 << 20, MANY = 400 };
    static const struct {
        size_t large, small;
        const char *says;
    } bounds[] = {
        {(size_t)768 * MIB, 128 << 10, ": all that was read up to here takes more than 768 MiB: "},
        {(size_t)1024 * MIB, 128 << 10,
         ": all that was read up to here takes more than 1024 MiB: "},
        {(size_t)512 * MIB, 4 << 10, ":3:5: this alone takes more than 512 MiB to be read\n"},
    };
    char *text = malloc(MANY * 200 + 64), *at = text;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "# rules\nrules:\n");
    for (int i = 0; i < MANY; i++)
        at += sprintf(
            at, "  - id: r%d\n    where: labels.l%d == \"x\"\n" GOOD_WINDOW GOOD_WHEN TAIL, i, i);
    for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
        struct rule_set *set = NULL;
        struct error err = {""};
        large = bounds[b].large;
        small = bounds[b].small;
        assert_int_equal(rule_set_parse("r.yaml", text, (size_t)(at - text), &set, &err), -EINVAL);
        assert_null(set);
        if (strstr(err.text, bounds[b].says) == NULL)
            fail_msg("%s is not said in:\n%s", bounds[b].says, err.text);
        /* It is told once, at the rule that was too much, and nothing is read behind it. */
        assert_int_equal(strncmp(err.text, "r.yaml:", 7), 0);
        assert_null(strstr(strchr(err.text, '\n'), "r.yaml:"));
        large = 0;
    }
    rule_set_destroy(parse_good(text));
    free(text);
}

static void arena_holds_its_bound(void **state)
{
    struct arena *arena = arena_create(64 << 10);
    size_t taken = 0;
    char *first = arena_alloc(arena, 1), *at;

    (void)state;
    assert_non_null(first);
    assert_null(arena_alloc(arena, 65 << 10));
    assert_null(arena_alloc_many(arena, SIZE_MAX / 2, 4));
    for (int i = 0; i < 1000 && (at = arena_alloc(arena, 100)) != NULL; i++, taken += 100) {
        assert_int_equal((uintptr_t)at % 16, 0);
        for (int b = 0; b < 100; b++)
            assert_int_equal(at[b], 0);
        memset(at, 0xff, 100);
    }
    /* Blocks of 4, 8, 16 and 32 KiB and their heads: the next would pass the bound. */
    assert_true(taken > 24 << 10 && taken < 64 << 10);
    assert_true(arena_bytes(arena) <= 64 << 10);
    assert_string_equal(arena_copy(arena, "ab\0c", 0) != NULL ? "" : "x", "");
    arena_destroy(arena);
    arena_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_survives_every_failing_allocation),
        cmocka_unit_test(wrong_rules_take_no_room),
        cmocka_unit_test(memory_of_a_load_is_bounded),
        cmocka_unit_test(arena_holds_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
