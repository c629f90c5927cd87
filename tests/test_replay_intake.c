/*
 * Aim: a replay of a stretch of time has what was pushed from its beginning on and before its end.
 * Method: a real directory with an intake log whose clock the test sets, a record at each of four
 * times, and stretches that begin and end at and beside them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/replay_intake.h"
#include "store/data_dir.h"
#include "store/intake_log.h"

enum { RECORDS = 4 };

/* Two of them at one time: stamps never fall, and may stay. */
static const int64_t at_ms[RECORDS] = {1000, 2000, 2000, 3000};

static char root[] = "/tmp/tocsin_test_replay_intake_XXXXXX";
static _Atomic int64_t clock_ms; /* the log has a thread */

static int64_t on_stamp(void *self)
{
    (void)self;
    return clock_ms;
}

static void on_kept(void *self, char *payload, size_t bytes)
{
    (void)self, (void)bytes;
    free(payload);
}

static void push_all(struct intake_log *log)
{
    struct error err = {""};

    for (int i = 0; i < RECORDS; i++) {
        struct intake_post *post = intake_post_create();
        /* The log asks for it once it has the post, and has none other then. */
        clock_ms = at_ms[i];
        intake_post_add(post, &(struct intake_record){.kind = INTAKE_EVENTS,
                                                      .who = {"ops", 3},
                                                      .what = {"events", 6},
                                                      .body = {"{}", 2}});
        assert_int_equal(intake_log_post_wait(log, post, &err), 0);
        intake_post_destroy(post);
    }
}

static int enter(void **state)
{
    static const struct intake_hooks hooks = {.stamp_ms = on_stamp, .kept = on_kept};
    char folder[DATA_DIR_PATH_BYTES];
    struct intake_log *log = NULL;
    enum data_dir_refusal refusal;
    struct error err = {""};
    enum segment_refusal why;
    struct data_dir dir;

    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(data_dir_open(&dir, root, DATA_DIR_RUN, &refusal, &err), 0);
    data_dir_folder(&dir, "intake", folder);
    const struct intake_log_config config = {.segments = {.folder = folder,
                                                          .kind = "intake",
                                                          .directory = dir.id,
                                                          .segment_bytes = INTAKE_SEGMENT_BYTES},
                                             .waiting_bytes_max = 1 << 20};
    assert_int_equal(intake_log_open(&config, NULL, NULL, &log, &why, &err), 0);
    assert_int_equal(intake_log_start(log, &hooks, &err), 0);
    push_all(log);
    intake_log_destroy(log);
    data_dir_close(&dir);
    return 0;
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(name);
}

static int leave(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void a_stretch_has_its_beginning_and_not_its_end(void **state)
{
    static const struct {
        int64_t from, to; /* 0: any */
        uint64_t first, next;
    } rows[] = {
        {0, 0, 0, 4},       {1000, 3001, 0, 4}, {1000, 3000, 0, 3}, {1001, 3000, 1, 3},
        {2000, 2001, 1, 3}, {1000, 2000, 0, 1}, {2001, 3000, 0, 0}, {3000, 0, 3, 4},
        {0, 1000, 0, 0},    {3001, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct range_config range = {
            .from = {rows[i].from != 0 ? RANGE_TIME : RANGE_ANY, rows[i].from},
            .to = {rows[i].to != 0 ? RANGE_TIME : RANGE_ANY, rows[i].to}};
        struct replay_intake found;
        struct error err = {""};
        if (replay_intake_find(root, &range, &found, &err) != 0)
            fail_msg("%s", err.text);
        if (found.first != rows[i].first || found.next != rows[i].next)
            fail_msg("row %zu: [%llu, %llu)", i, (unsigned long long)found.first,
                     (unsigned long long)found.next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_has_its_beginning_and_not_its_end),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
