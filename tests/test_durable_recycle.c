/*
 * Aim (C5): nothing of the journal goes that the older of two snapshots, the history or the shared
 * store still needs, and nothing at all while the incident log cannot be synced. Method: what each
 * of them needs is said by the test, which is also told what is to go (the link takes the functions
 * away that would say and do it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "daemon/durable_parts.h"
#include "daemon/log.h"
#include "daemon/unit.h"

enum { NOW_MS = 77000, NEVER = -1 };

static struct {
    uint64_t history, unit; /* floors */
    int rc;                 /* of the look at the segments */
    uint64_t may_go;        /* it says */
    int64_t needed, gone;   /* NEVER: nobody asked */
} world;

uint64_t __wrap_history_writer_floor(const struct history_writer *writer);
uint64_t __wrap_unit_release_floor(struct unit *unit, enum shared_log which);
int __wrap_journal_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                               uint64_t needed, int64_t now_ms, uint64_t *before,
                               struct error *err);
void __wrap_journal_release_before(struct journal *journal, uint64_t frame);

uint64_t __wrap_history_writer_floor(const struct history_writer *writer)
{
    assert_non_null(writer);
    return world.history;
}

uint64_t __wrap_unit_release_floor(struct unit *unit, enum shared_log which)
{
    assert_non_null(unit);
    assert_int_equal(which, SHARED_JOURNAL);
    return world.unit;
}

int __wrap_journal_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                               uint64_t needed, int64_t now_ms, uint64_t *before, struct error *err)
{
    assert_string_equal(config->kind, "journal");
    assert_int_equal(keep->bytes_max, 5);
    assert_int_equal(now_ms, NOW_MS);
    world.needed = (int64_t)needed;
    *before = world.may_go;
    if (world.rc != 0)
        error_set(err, "no");
    return world.rc;
}

void __wrap_journal_release_before(struct journal *journal, uint64_t frame)
{
    (void)journal;
    world.gone = (int64_t)frame;
}

static void what_somebody_needs_stays(void **state)
{
    static const struct {
        uint64_t older, history, unit; /* 0 of the last two: there is none */
        int64_t needed;
    } rows[] = {
        {40, 0, 0, 40},           {40, 30, 0, 30},    {40, 50, 0, 40},  {40, 0, 30, 30},
        {40, 0, 50, 40},          {40, 35, 30, 30},   {40, 30, 35, 30}, {40, UINT64_MAX, 50, 40},
        {40, 30, UINT64_MAX, 30}, {0, 30, 30, NEVER}, /* the older one begins with the journal */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct durable durable = {.segments = {.kind = "journal"}, .options = {.keep = {0, 5}}};
        memset(&world, 0, sizeof(world));
        world.needed = world.gone = NEVER;
        world.may_go = 20;
        world.history = rows[i].history;
        world.unit = rows[i].unit;
        if (rows[i].history > 0)
            durable.history = (struct history_writer *)(uintptr_t)&world;
        if (rows[i].unit > 0)
            durable.options.unit = (struct unit *)(uintptr_t)&world;
        durable_recycle(&durable, rows[i].older, NOW_MS);
        assert_int_equal(world.needed, rows[i].needed);
        assert_int_equal(world.gone, rows[i].needed == NEVER ? NEVER : 20);
    }
}

/* A floor of 0: the shared store has nothing yet, or the history has read nothing. */
static void what_is_not_known_to_be_needless_stays(void **state)
{
    struct durable durable = {.segments = {.kind = "journal"}, .options = {.keep = {0, 5}}};

    (void)state;
    memset(&world, 0, sizeof(world));
    world.needed = world.gone = NEVER;
    world.may_go = 20;
    durable.options.unit = (struct unit *)(uintptr_t)&world;
    durable_recycle(&durable, 40, NOW_MS);
    assert_int_equal(world.needed, NEVER);
    durable.options.unit = NULL;
    durable.history = (struct history_writer *)(uintptr_t)&world;
    durable_recycle(&durable, 40, NOW_MS);
    assert_int_equal(world.needed, NEVER);
    durable.history = NULL;
    world.rc = -EIO; /* the segments cannot be looked at */
    durable_recycle(&durable, 40, NOW_MS);
    assert_int_equal(world.needed, 40);
    world.rc = 0;
    world.may_go = 0; /* all are young */
    durable_recycle(&durable, 40, NOW_MS);
    assert_int_equal(world.gone, NEVER);
    world.may_go = 20;
    durable_recycle(&durable, 40, NOW_MS);
    assert_int_equal(world.gone, 20);
}

static int sync_log(void *self)
{
    return *(int *)self;
}

/* It is mended from the journal. */
static void nothing_goes_while_the_incident_log_cannot_be_synced(void **state)
{
    int rc = 0;
    struct durable durable = {.options = {.self = &rc}};

    (void)state;
    assert_true(durable_may_release(&durable)); /* there is none */
    durable.options.keep_committed = sync_log;
    assert_true(durable_may_release(&durable));
    rc = -EIO;
    assert_false(durable_may_release(&durable));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_somebody_needs_stays),
        cmocka_unit_test(what_is_not_known_to_be_needless_stays),
        cmocka_unit_test(nothing_goes_while_the_incident_log_cannot_be_synced),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
