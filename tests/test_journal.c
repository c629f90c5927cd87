/*
 * Aim: nothing is told as committed before it is on the disk, everything that was told is there
 * after any power cut, in order and whole; a group holds whole steps and the marks made before
 * them, no later ones; nothing to say writes nothing. Method: the journal's real thread on a disk
 * in memory (tests/sim_disk.h); what is on it is read back by the walk and the cursor that a
 * recovery uses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include "store/journal.h"
#include "store/segment_walk.h"
#include "tests/sim_disk.h"

enum { OPS_MAX = 20000, LIVES = 50, SILENT_READ = 7 };

static const struct segment_config segments = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 1 << 20};
static const struct journal_config config = {
    .group_ms = 20, .group_bytes = 256 << 10, .open_bytes = 1 << 20};

/* What the hooks were told; the journal thread writes, tests read after a flush or the end. */
static struct {
    uint32_t op[OPS_MAX]; /* their numbers, in order */
    size_t ops;
    int64_t to_ms;
    uint64_t ticket, commits, syncs_before;
    _Atomic int64_t passed_ms;
    _Atomic bool fell; /* passed() went back, or ran ahead of a commit */
    int64_t
        content_each; /* steps that end at a multiple of this have something to commit; 0: any */
    _Atomic unsigned broken;
    bool early; /* told of something that no sync had made durable */
} told;

static void on_committed(void *self, const struct journal_commit *commit)
{
    (void)self;
    told.early |= sim.syncs <= told.syncs_before;
    told.syncs_before = sim.syncs;
    for (size_t i = 0; i < commit->op_count; i++) {
        assert(told.ops < OPS_MAX);
        told.op[told.ops++] = commit->ops[i].number;
        incident_unref(commit->ops[i].incident);
    }
    told.to_ms = commit->to_ms;
    told.ticket = commit->ticket;
    told.commits++;
}

static void on_passed(void *self, int64_t to_ms)
{
    (void)self;
    if (to_ms < atomic_load(&told.passed_ms) ||
        (told.content_each > 0 && told.to_ms < to_ms / told.content_each * told.content_each))
        atomic_store(&told.fell, true);
    atomic_store(&told.passed_ms, to_ms);
}

static void on_broken(void *self, const char *why)
{
    (void)self, (void)why;
    atomic_fetch_add(&told.broken, 1);
}

static _Atomic bool keeps_all; /* nothing may be let go of */

static bool may_release(void *self)
{
    (void)self;
    return !atomic_load(&keeps_all);
}

static const struct journal_hooks hooks = {NULL, on_committed, on_passed, on_broken, may_release};

/* An incident without any words, of which only the id and the number of the change are asked. */
static struct incident *incident_of(uint32_t number)
{
    struct incident *inc = calloc(1, sizeof(*inc));

    assert_non_null(inc);
    atomic_init(&inc->refs, 1);
    inc->id = (struct id128){number, number};
    inc->change_number = number;
    inc->tenant = inc->rule_id = inc->key = inc->title = inc->tier = inc->runbook = "";
    inc->team = inc->why = inc->source = inc->resource = inc->check = inc->message = "";
    inc->host = inc->muted_by = inc->fields = "";
    return inc;
}

static struct segment_log *open_log(void)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame frame;
    struct segment_log *log;
    struct error err = {""};
    int rc;

    if (segment_walk_create(&segments, &walk, &why, &err) != 0)
        fail_msg("%s", err.text);
    while ((rc = segment_walk_next(walk, &frame, &err)) == 1)
        ;
    if (rc != 0 || segment_log_open(&segments, segment_walk_end(walk), &log, &err) != 0)
        fail_msg("%s", err.text);
    segment_walk_destroy(walk);
    return log;
}

static struct journal *begin_as(const struct journal_config *how)
{
    struct journal *journal;
    struct error err = {""};
    struct segment_log *log = open_log();

    memset(&told, 0, sizeof(told));
    told.syncs_before = sim.syncs;
    assert_int_equal(journal_create(how, log, &hooks, &journal, &err), 0);
    return journal;
}

static struct journal *begin(void)
{
    return begin_as(&config);
}

/* One step with `ops` changes, each with an op, numbered on. */
static void one_step(struct journal *journal, int64_t to_ms, uint32_t *number, int ops)
{
    static const struct journal_counts counts = {2, {3, 4}};
    const struct journal_position position = {0, to_ms - 5, to_ms};

    for (int i = 0; i < ops; i++) {
        struct incident *inc = incident_of(++*number);
        journal_change(journal, inc);
        journal_op(journal, &(struct op){.number = *number, .kind = OP_OPEN, .incident = inc},
                   "pager");
    }
    journal_step(journal, &(struct journal_step){.from_ms = to_ms - 10,
                                                 .to_ms = to_ms,
                                                 .positions = &position,
                                                 .position_count = 1,
                                                 .counts = &counts,
                                                 .n_ms = to_ms,
                                                 .r_ms = to_ms});
}

/* What the disk holds: groups that are whole. */
static struct {
    uint32_t op[OPS_MAX];
    size_t ops, groups, marks, states, unfinished;
    int64_t to_ms, mark_value;
} held;

static void group_read(const char *bytes, size_t count)
{
    struct journal_cursor cursor = {bytes, bytes + count, false};
    struct journal_record record;
    struct error err = {""};
    uint32_t change = 0;
    int rc;

    while ((rc = journal_get(&cursor, &record, &err)) == 1) {
        if (record.kind == JOURNAL_GROUP) {
            assert_true(record.group.to_ms >= held.to_ms);
            held.to_ms = record.group.to_ms;
        } else if (record.kind == JOURNAL_CHANGE) {
            change = record.change.change_number;
        } else if (record.kind == JOURNAL_OP) {
            assert_int_equal(record.op.number, change);
            held.op[held.ops++] = record.op.number;
        } else if (record.kind == JOURNAL_MARK) {
            held.marks++;
            held.mark_value = record.mark.value_ms;
        } else if (record.kind == JOURNAL_OP_STATE) {
            held.states++;
        } else if (record.kind == JOURNAL_POSITION) {
            assert_true(record.position.read == held.to_ms || record.position.read == SILENT_READ);
        }
    }
    if (rc != 0)
        fail_msg("%s", err.text);
    held.groups++;
}

static void read_disk(void)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame frame;
    struct error err = {""};
    char *bytes = NULL;
    size_t count = 0;
    int rc;

    memset(&held, 0, sizeof(held));
    if (segment_walk_create(&segments, &walk, &why, &err) != 0)
        fail_msg("%s", err.text);
    while ((rc = segment_walk_next(walk, &frame, &err)) == 1) {
        if ((frame.kind & JOURNAL_FRAME_FIRST) != 0) {
            held.unfinished += count > 0;
            count = 0;
        }
        bytes = realloc(bytes, count + frame.bytes);
        memcpy(bytes + count, frame.payload, frame.bytes);
        count += frame.bytes;
        if ((frame.kind & JOURNAL_FRAME_LAST) != 0) {
            group_read(bytes, count);
            count = 0;
        }
    }
    if (rc != 0)
        fail_msg("%s", err.text);
    free(bytes);
    segment_walk_destroy(walk);
}

static void C3_nothing_is_told_before_it_is_durable(void **state)
{
    struct journal *journal;
    uint32_t number = 0;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    for (int i = 1; i <= 200; i++)
        one_step(journal, 10 * i, &number, i % 3);
    journal_flush(journal);
    assert_false(told.early);
    assert_int_equal(told.ops, number);
    assert_int_equal(told.to_ms, 2000);
    for (size_t i = 0; i < told.ops; i++)
        assert_int_equal(told.op[i], i + 1);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.ops, number);
    assert_int_equal(held.to_ms, 2000);
    assert_memory_equal(held.op, told.op, number * sizeof(held.op[0]));
    sim_disk_end();
}

/* What a recovery tells late is committed at once, and moves no time. */
static void what_is_told_aside_closes_no_time(void **state)
{
    struct journal *journal;
    struct incident *inc = incident_of(2);
    uint32_t number = 0;

    (void)state;
    sim_disk_begin(11);
    journal = begin();
    one_step(journal, 500, &number, 1);
    journal_flush(journal);
    journal_aside(journal); /* nothing was told */
    journal_change(journal, inc);
    journal_op(journal, &(struct op){.number = 2, .kind = OP_OPEN, .incident = inc}, "pager");
    journal_aside(journal);
    journal_flush(journal);
    assert_int_equal(told.ops, 2);
    assert_int_equal(told.op[1], 2);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.groups, 2);
    assert_int_equal(held.ops, 2);
    assert_int_equal(held.to_ms, 500);
    sim_disk_end();
}

static void C1_nothing_to_say_writes_nothing(void **state)
{
    struct journal *journal;
    struct journal_counters counters;
    uint32_t number = 0;
    uint64_t writes;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    one_step(journal, 10, &number, 1);
    journal_flush(journal);
    do /* the spare segment is made meanwhile */
        journal_counters(journal, &counters);
    while (counters.groups < 1);
    one_step(journal, 20, &number, 0);
    journal_flush(journal);
    writes = told.commits;
    journal_flush(journal);
    journal_flush(journal);
    assert_int_equal(told.commits, writes);
    journal_destroy(journal);
    assert_int_equal(told.commits, writes);
    sim_disk_end();
}

/* A step after which everything is as it was. */
static void silent_step(struct journal *journal, int64_t to_ms)
{
    static const struct journal_counts counts = {2, {3, 4}};
    static const struct journal_position position = {0, 5, SILENT_READ};

    journal_step(journal, &(struct journal_step){.from_ms = to_ms - 10,
                                                 .to_ms = to_ms,
                                                 .positions = &position,
                                                 .position_count = 1,
                                                 .counts = &counts,
                                                 .n_ms = to_ms,
                                                 .r_ms = to_ms});
}

static uint64_t groups_of(struct journal *journal)
{
    struct journal_counters counters;

    journal_counters(journal, &counters);
    return counters.groups;
}

/* The first step says what is so; those behind it say the same, with seals that move on and none
 * else. */
static void C1_an_idle_journal_writes_nothing(void **state)
{
    struct journal *journal;
    struct journal_counters counters;

    (void)state;
    sim_disk_begin(21);
    journal = begin();
    silent_step(journal, 10);
    journal_flush(journal);
    assert_int_equal(groups_of(journal), 1);
    for (int i = 2; i <= 500; i++) {
        journal_mark(journal, &(struct mark){.kind = MARK_SEAL, .offset = 10, .value_ms = 10 * i});
        silent_step(journal, 10 * i);
        if (i % 50 == 0)
            journal_flush(journal); /* the thread has looked */
        assert_int_equal(atomic_load(&told.passed_ms), 10 * i);
    }
    journal_counters(journal, &counters);
    assert_int_equal(counters.groups, 1);
    assert_int_equal(counters.syncs, 1);
    assert_int_equal(counters.silent, 499);
    /* With the next thing to say all of it is there: the last seal, and how far it is. */
    journal_op_state(journal, &(struct journal_op_state){
                                  .op = {1, 2}, .reference = "", .label = "", .reason = ""});
    journal_flush(journal);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.groups, 2);
    assert_int_equal(held.marks, 1);
    assert_int_equal(held.mark_value, 5000);
    assert_int_equal(held.to_ms, 5000);
    assert_int_equal(held.states, 1);
    sim_disk_end();
}

static void wait_for_groups(struct journal *journal, uint64_t count)
{
    uint64_t end_ns = host_mono_ns() + UINT64_C(60000000000);

    while (groups_of(journal) < count) {
        if (host_mono_ns() > end_ns)
            fail_msg("waited in vain for group %u", (unsigned)count);
        sched_yield();
    }
}

/* Each of the reasons by itself: nobody flushes, and where it is not about time none passes. */
static void C1_a_group_closes_for_an_op_for_its_size_for_its_age_and_at_the_end(void **state)
{
    const struct journal_config ageless = {
        .group_ms = 3600000, .group_bytes = 64 << 10, .open_bytes = 1 << 20};
    struct journal *journal;
    uint32_t number = 0;

    (void)state;
    sim_disk_begin(25);
    journal = begin_as(&ageless);
    one_step(journal, 10, &number, 1);
    wait_for_groups(journal, 1);
    journal_op_state(journal, &(struct journal_op_state){
                                  .op = {1, 2}, .reference = "", .label = "", .reason = ""});
    wait_for_groups(journal, 2);
    one_step(journal, 20, &number, 0); /* this one has time */
    assert_int_equal(groups_of(journal), 2);
    for (int i = 3; groups_of(journal) == 2; i++) {
        struct journal_counters counters;
        journal_counters(journal, &counters);
        if (counters.open_bytes >= ageless.group_bytes) {
            wait_for_groups(journal, 3);
            break;
        }
        assert_true(i < 10000);
        for (int j = 0; j < 20; j++) {
            struct incident *inc = incident_of(++number);
            journal_change(journal, inc);
            incident_unref(inc);
        }
        one_step(journal, 10 * i, &number, 0);
    }
    one_step(journal, 1000000, &number, 0);
    journal_stop(journal);
    assert_true(told.to_ms == 1000000);
    journal_destroy(journal);

    journal = begin(); /* where it is about time */
    one_step(journal, 2000000, &number, 0);
    wait_for_groups(journal, 1);
    journal_destroy(journal);
    sim_disk_end();
}

/* A position, a count, a mark that is no seal, a change: each is worth a group. */
static void C1_whatever_moves_is_written(void **state)
{
    struct journal_counts counts = {2, {3, 4}};
    struct journal_position position[2] = {{0, 5, 10}, {1, 0, 0}};
    struct journal_step step = {.positions = position, .position_count = 1, .counts = &counts};
    struct journal *journal;
    uint64_t groups = 0;

    (void)state;
    sim_disk_begin(22);
    journal = begin();
    journal_part(journal, &(struct journal_part){0, 3, "alerts"});
    for (int i = 0; i < 9; i++) {
        switch (i) {
        case 1:
            position[0].low++;
            break;
        case 2:
            position[0].read++;
            break;
        case 3:
            counts.value[1]++;
            break;
        case 4:
            step.position_count = 2;
            break;
        case 5:
            journal_mark(journal, &(struct mark){.kind = MARK_CAP, .offset = 10, .value_ms = 7});
            break;
        case 6:
            journal_rules(journal, &(struct journal_rules){70, {1, 2}, {3, 4}});
            break;
        case 7: {
            struct incident *inc = incident_of(1);
            journal_change(journal, inc);
            incident_unref(inc);
            break;
        }
        case 8:
            journal_part(journal, &(struct journal_part){1, 4, "alerts"});
            break;
        default:
            break;
        }
        step.from_ms = step.to_ms;
        step.n_ms = step.r_ms = step.to_ms += 10;
        journal_step(journal, &step);
        journal_flush(journal);
        if (groups_of(journal) != ++groups)
            fail_msg("case %d: %u groups and not %u", i, (unsigned)groups_of(journal),
                     (unsigned)groups);
        step.from_ms = step.to_ms;
        step.n_ms = step.r_ms = step.to_ms += 10;
        journal_step(journal, &step); /* and nothing by itself */
        journal_flush(journal);
        assert_int_equal(groups_of(journal), groups);
        assert_int_equal(atomic_load(&told.passed_ms), step.to_ms);
    }
    journal_destroy(journal);
    sim_disk_end();
}

/* An image rests on steps that nothing was written for, and on their marks. */
static void C6_what_an_image_rests_on_is_written(void **state)
{
    struct journal *journal;

    (void)state;
    sim_disk_begin(23);
    journal = begin();
    silent_step(journal, 10);
    journal_flush(journal);
    silent_step(journal, 20);
    journal_keep_marks(journal);
    journal_flush(journal);
    assert_int_equal(groups_of(journal), 2);
    journal_keep_marks(journal);
    journal_flush(journal);
    assert_int_equal(groups_of(journal), 2);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.to_ms, 20);
    sim_disk_end();
}

/* passed() never falls, never runs ahead of what is durable, and comes to the end, whatever comes
 * while a group is being written. */
static void C3_what_has_passed_is_durable(void **state)
{
    struct journal *journal;
    uint32_t number = 0;

    (void)state;
    sim_disk_begin(24);
    journal = begin();
    told.content_each = 70;
    for (int i = 1; i <= 2000; i++) {
        if (i % 7 == 0)
            one_step(journal, 10 * i, &number, 1);
        else
            silent_step(journal, 10 * i);
        if (i % 5 == 0)
            journal_op_state(journal,
                             &(struct journal_op_state){
                                 .op = {1, 2}, .reference = "", .label = "", .reason = ""});
    }
    journal_flush(journal);
    assert_int_equal(told.ops, number);
    journal_stop(journal);
    assert_int_equal(atomic_load(&told.passed_ms), 20000);
    assert_false(atomic_load(&told.fell));
    journal_destroy(journal);
    sim_disk_end();
}

/* C2: every mark made so far is in the group; of the seals of a partition that stands still, the
 * last one. */
static void C2_a_group_holds_the_marks_before_its_last_epoch(void **state)
{
    struct journal *journal;
    uint32_t number = 0;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    journal_part(journal, &(struct journal_part){0, 3, "alerts"});
    for (int i = 1; i <= 5; i++)
        journal_mark(journal, &(struct mark){.kind = MARK_SEAL, .offset = i, .value_ms = i});
    one_step(journal, 10, &number, 1);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.marks, 5);
    assert_int_equal(held.mark_value, 5);
    journal = begin();
    for (int i = 6; i <= 50; i++)
        journal_mark(journal, &(struct mark){.kind = MARK_SEAL, .offset = 5, .value_ms = i});
    one_step(journal, 20, &number, 0);
    journal_mark(journal, &(struct mark){.kind = MARK_CAP, .offset = 5, .value_ms = 60});
    journal_mark(journal, &(struct mark){.kind = MARK_SEAL, .offset = 5, .value_ms = 51});
    one_step(journal, 30, &number, 0);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.marks, 8);
    assert_int_equal(held.mark_value, 51);
    sim_disk_end();
}

/* Without any step marks are written by themselves once there are many. */
static void many_marks_do_not_wait_for_a_step(void **state)
{
    struct journal *journal;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    for (int i = 0; i < 10000; i++)
        journal_mark(journal, &(struct mark){.kind = MARK_SEAL, .offset = i, .value_ms = i});
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.groups, 1);
    assert_true(held.marks >= 8192);
    sim_disk_end();
}

static void states_of_ops_are_durable_at_their_ticket(void **state)
{
    const struct journal_op_state done = {{7, 7}, JOURNAL_FATE_DONE, false, 0, 0,
                                          "sys1", "INC001",          ""};
    struct journal *journal;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    for (uint64_t i = 1; i <= 50; i++) {
        assert_int_equal(journal_op_state(journal, &done), i);
        if (i % 10 == 0) {
            journal_flush(journal);
            assert_int_equal(told.ticket, i);
        }
    }
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.states, 50);
    sim_disk_end();
}

/* A step of more than a frame takes: several frames, one group. */
static void a_large_group_goes_over_several_frames(void **state)
{
    struct journal *journal;
    uint32_t number = 0;
    struct journal_counters counters;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    one_step(journal, 10, &number, 15000);
    journal_flush(journal);
    journal_counters(journal, &counters);
    assert_true(counters.log.frames > 1);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.groups, 1);
    assert_int_equal(held.ops, 15000);
    assert_int_equal(told.ops, 15000);
    sim_disk_end();
}

/* The power goes at any call; what was told is there, and nothing is there in part. */
static void C7_what_was_committed_outlives_a_power_cut(void **state)
{
    uint64_t broken = 0, unfinished = 0;

    (void)state;
    for (uint64_t life = 1; life <= LIVES; life++) {
        struct journal *journal;
        uint32_t number = 0;
        int64_t to_ms = 0;

        sim_disk_begin(life);
        journal = begin();
        sim.crash_at = sim.calls + 5 + life % 50;
        for (int i = 0; i < 300 && atomic_load(&told.broken) == 0; i++) {
            to_ms += 10;
            if (journal_room(journal))
                one_step(journal, to_ms, &number, (int)(life + (uint64_t)i) % 7 == 0 ? 3 : 0);
            if (life % 10 == 0 && i == 3)
                one_step(journal, to_ms += 10, &number, 9000);
            journal_flush(journal);
        }
        journal_destroy(journal);
        broken += atomic_load(&told.broken);
        sim_disk_cut();
        read_disk();
        unfinished += held.unfinished;
        assert_true(held.ops >= told.ops);
        assert_memory_equal(held.op, told.op, told.ops * sizeof(told.op[0]));
        assert_true(held.to_ms >= told.to_ms);
        sim_disk_end();
    }
    assert_int_equal(broken, LIVES); /* each was told of the failure, once */
}

static void C9_after_a_failed_sync_nothing_is_committed(void **state)
{
    struct journal *journal;
    struct journal_counters counters;
    uint32_t number = 0;
    size_t ops;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    one_step(journal, 10, &number, 1);
    journal_flush(journal);
    ops = told.ops;
    sim.fault_errno = -EIO;
    sim.fault_for_ever = true;
    sim.fault_at = 1; /* all that come */
    one_step(journal, 20, &number, 2);
    journal_flush(journal);
    assert_int_equal(told.ops, ops);
    assert_int_equal(atomic_load(&told.broken), 1);
    assert_false(journal_room(journal));
    sim.fault_at = 0;
    one_step(journal, 30, &number, 2);
    journal_flush(journal);
    assert_int_equal(told.ops, ops);
    assert_int_equal(atomic_load(&told.broken), 1);
    journal_counters(journal, &counters);
    assert_true(counters.is_broken);
    journal_destroy(journal);
    sim_disk_end();
}

/* F6: a full disk pauses and goes on by itself. */
static void F6_a_full_disk_is_waited_for(void **state)
{
    struct journal *journal;
    struct journal_counters counters = {0};
    uint32_t number = 0;
    int64_t to_ms = 0;

    (void)state;
    sim_disk_begin(1);
    journal = begin();
    sim.bytes_max = 1 << 20; /* one segment, and no room for another */
    while (!counters.is_waiting_for_disk) {
        if (journal_room(journal))
            one_step(journal, to_ms += 10, &number, 500);
        journal_counters(journal, &counters);
        assert_true(number < OPS_MAX - 500);
    }
    assert_int_equal(atomic_load(&told.broken), 0);
    sim.bytes_max = 0;
    journal_flush(journal);
    assert_int_equal(told.ops, number);
    journal_destroy(journal);
    read_disk();
    assert_int_equal(held.ops, number);
    sim_disk_end();
}

/* Who was told of a group says when it is safe elsewhere: until then it stays. */
static void C5_nothing_goes_before_who_was_told_of_it_allows_it(void **state)
{
    struct journal_counters counters;
    struct journal *journal;
    uint32_t number = 0;
    int64_t at_ms = 0;

    (void)state;
    sim_disk_begin(11);
    journal = begin();
    do {
        one_step(journal, at_ms += 10, &number, 4);
        journal_flush(journal);
        journal_counters(journal, &counters);
    } while (counters.log.segments < 3);
    atomic_store(&keeps_all, true);
    journal_release_before(journal, counters.groups);
    do {
        journal_flush(journal);
        journal_counters(journal, &counters);
    } while (counters.release_failures == 0);
    assert_int_equal(counters.log.segments, 3);
    atomic_store(&keeps_all, false);
    one_step(journal, at_ms += 10, &number, 4);
    journal_flush(journal);
    journal_release_before(journal, counters.groups + 1);
    do {
        journal_flush(journal);
        journal_counters(journal, &counters);
    } while (counters.log.segments == 3);
    assert_int_equal(counters.release_failures, 1);
    journal_destroy(journal);
    sim_disk_end();
}

static _Atomic bool has_no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *self);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *self);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *self)
{
    return atomic_load(&has_no_threads) ? EAGAIN : __real_pthread_create(thread, attr, run, self);
}

/* The least that is free: one that is not given back is another one. */
static int next_descriptor(void)
{
    int fd = dup(STDOUT_FILENO);

    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static void all_is_given_back_at_the_end_and_without_a_thread(void **state)
{
    struct journal *journal = NULL;
    struct segment_log *log;
    struct error err = {""};
    uint32_t number = 0;
    int fd;

    (void)state;
    sim_disk_begin(31);
    fd = next_descriptor();
    log = open_log();
    atomic_store(&has_no_threads, true);
    assert_int_equal(journal_create(&config, log, &hooks, &journal, &err), -EAGAIN);
    atomic_store(&has_no_threads, false);
    assert_non_null(strstr(err.text, "the journal's thread cannot be started: "));
    assert_int_equal(next_descriptor(), fd);
    segment_log_destroy(log);
    journal = begin();
    one_step(journal, 10, &number, 1);
    assert_int_not_equal(next_descriptor(), fd);
    journal_destroy(journal);
    assert_int_equal(next_descriptor(), fd);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C3_nothing_is_told_before_it_is_durable),
        cmocka_unit_test(what_is_told_aside_closes_no_time),
        cmocka_unit_test(C1_nothing_to_say_writes_nothing),
        cmocka_unit_test(C1_an_idle_journal_writes_nothing),
        cmocka_unit_test(C1_a_group_closes_for_an_op_for_its_size_for_its_age_and_at_the_end),
        cmocka_unit_test(C1_whatever_moves_is_written),
        cmocka_unit_test(C6_what_an_image_rests_on_is_written),
        cmocka_unit_test(C3_what_has_passed_is_durable),
        cmocka_unit_test(C2_a_group_holds_the_marks_before_its_last_epoch),
        cmocka_unit_test(many_marks_do_not_wait_for_a_step),
        cmocka_unit_test(states_of_ops_are_durable_at_their_ticket),
        cmocka_unit_test(a_large_group_goes_over_several_frames),
        cmocka_unit_test(C7_what_was_committed_outlives_a_power_cut),
        cmocka_unit_test(C9_after_a_failed_sync_nothing_is_committed),
        cmocka_unit_test(F6_a_full_disk_is_waited_for),
        cmocka_unit_test(C5_nothing_goes_before_who_was_told_of_it_allows_it),
        cmocka_unit_test(all_is_given_back_at_the_end_and_without_a_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
