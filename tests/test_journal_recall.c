/*
 * Aim: what a journal is asked for at a start is what was put into it: how far all was told,
 * partitions, marks, and of the ops those that have no end, in order; and what is told again is
 * held against it word for word. Method: groups are written with the journal's own encoder into a
 * log on a disk in memory, and read back; expected lists are kept beside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include "store/journal_compare.h"
#include "store/journal_recall.h"
#include "tests/sim_disk.h"

enum { MANY = 6000, MINUTE_MS = 60000 };

static const struct segment_config segments = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 4 << 20};
static const struct journal_span first_group = {.to = 1};

static struct segment_log *log_;
static struct journal_buffer group;

static void begin(void)
{
    const struct segment_end end = {.next_frame = 1};
    struct error err = {""};

    sim_disk_begin(1);
    if (segment_log_open(&segments, &end, &log_, &err) != 0)
        fail_msg("%s", err.text);
}

static void put(const struct journal_record *record)
{
    journal_put(&group, record);
}

static void head(int64_t from_ms, int64_t to_ms)
{
    put(&(struct journal_record){.kind = JOURNAL_GROUP,
                                 .group = {from_ms, to_ms, to_ms + 7, to_ms + 3, "tocsin x"}});
}

static void commit(uint32_t frame_kind)
{
    struct error err = {""};

    if (segment_log_append(log_, frame_kind, group.bytes.at, group.bytes.count, NULL, &err) != 0 ||
        segment_log_sync(log_, &err) != 0)
        fail_msg("%s", err.text);
    group.bytes.count = 0;
}

static void part(uint32_t number, int32_t partition)
{
    put(&(struct journal_record){.kind = JOURNAL_PART, .part = {number, partition, "alerts"}});
}

static void mark(enum mark_kind kind, uint16_t of, int64_t offset, int64_t value)
{
    put(&(struct journal_record){.kind = JOURNAL_MARK, .mark = {kind, of, offset, value}});
}

/* An incident of which the number is in everything. */
static struct incident view_of(uint64_t number, const char *title)
{
    struct incident inc;

    memset((void *)&inc, 0, sizeof(inc));
    inc.id = (struct id128){number, number};
    inc.at_ms = (int64_t)number;
    inc.tenant = "acme";
    inc.title = title;
    inc.rule_id = inc.key = inc.tier = inc.runbook = inc.team = inc.why = inc.source = "";
    inc.resource = inc.check = inc.message = inc.host = inc.muted_by = inc.fields = "";
    return inc;
}

static struct id128 op_id(uint64_t incident, uint32_t number)
{
    return (struct id128){incident, number};
}

/* A change with its op. */
static void change(uint64_t incident, uint32_t number, enum op_kind kind, const char *title)
{
    struct journal_record record = {.kind = JOURNAL_CHANGE};
    struct incident inc = view_of(incident, title);

    memcpy((void *)&record.change, (void *)&inc, sizeof(inc));
    put(&record);
    put(&(struct journal_record){
        .kind = JOURNAL_OP,
        .op = {op_id(incident, number), inc.id, number, (uint8_t)kind, "pager"}});
}

static void state(uint64_t incident, uint32_t number, enum journal_fate fate, const char *ticket)
{
    put(&(struct journal_record){.kind = JOURNAL_OP_STATE,
                                 .op_state = {.op = op_id(incident, number),
                                              .fate = (uint8_t)fate,
                                              .reference = ticket,
                                              .label = "",
                                              .reason = ""}});
}

static void state_at(uint64_t incident, enum journal_fate fate, int64_t at_ms, const char *reason)
{
    put(&(struct journal_record){.kind = JOURNAL_OP_STATE,
                                 .op_state = {.op = op_id(incident, 1),
                                              .fate = (uint8_t)fate,
                                              .at_ms = at_ms,
                                              .reference = "",
                                              .label = "",
                                              .reason = reason}});
}

/* A group of a step, committed as the clock stood at `n_ms`. */
static void step_at(int64_t n_ms)
{
    static int64_t to_ms;

    put(&(struct journal_record){.kind = JOURNAL_GROUP,
                                 .group = {to_ms, to_ms + 100, n_ms, n_ms, JOURNAL_ENGINE}});
    to_ms += 100;
}

/* A group of states alone. */
static void aside(void)
{
    put(&(struct journal_record){.kind = JOURNAL_GROUP,
                                 .group = {7, 7, INT64_MIN, INT64_MIN, JOURNAL_ENGINE}});
}

static void commit_whole(void)
{
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
}

static struct journal_recall *recall_(struct journal_summary *sum)
{
    struct journal_reader *reader;
    struct journal_recall *recall;
    enum segment_refusal why;
    struct error err = {""};

    if (journal_reader_create(&segments, &reader, &why, &err) != 0 ||
        journal_recall_create(reader, NULL, &recall, &err) != 0)
        fail_msg("%s", err.text);
    journal_reader_destroy(reader);
    journal_recall_summary(recall, sum);
    return recall;
}

static void end(void)
{
    segment_log_destroy(log_);
    journal_buffer_release(&group);
    sim_disk_end();
}

static void assert_mark(const struct journal_summary *sum, size_t at, enum mark_kind kind,
                        uint16_t of, int64_t offset, int64_t value)
{
    assert_true(at < sum->mark_count);
    assert_int_equal(sum->marks[at].kind, kind);
    assert_int_equal(sum->marks[at].part, of);
    assert_int_equal(sum->marks[at].offset, offset);
    assert_int_equal(sum->marks[at].value_ms, value);
}

static void partitions_and_marks_are_known_again(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    head(0, 100);
    part(0, 3);
    mark(MARK_JOIN, 0, 40, INT64_MIN);
    mark(MARK_BEGIN, 0, 0, 20);
    mark(MARK_SEAL, 0, 41, 50);
    put(&(struct journal_record){.kind = JOURNAL_POSITION, .position = {0, 40, 45}});
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    head(100, 200);
    mark(MARK_SEAL, 0, 41, 60); /* it stood still: one is enough */
    mark(MARK_SEAL, 0, 44, 70);
    part(1, 4);
    mark(MARK_JOIN, 1, 5, 90); /* late: sealed to where it joined */
    mark(MARK_CAP, 0, 46, 95);
    put(&(struct journal_record){.kind = JOURNAL_POSITION, .position = {0, 44, 47}});
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    head(200, 200); /* states of ops alone say nothing of time */
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    head(200, 300); /* not finished: it never counted */
    mark(MARK_SEAL, 1, 50, 99);
    commit(JOURNAL_FRAME_FIRST);
    recall = recall_(&sum);
    assert_int_equal(sum.to_ms, 200);
    assert_int_equal(sum.n_ms, 207);
    assert_int_equal(sum.r_ms, 203);
    assert_int_equal(sum.groups, 3);
    assert_string_equal(sum.engine, "tocsin x");
    assert_string_equal(sum.other_engine, "tocsin x");
    assert_int_equal(sum.part_count, 2);
    assert_string_equal(sum.parts[0].topic, "alerts");
    assert_int_equal(sum.parts[0].partition, 3);
    assert_int_equal(sum.parts[0].start_offset, 40);
    assert_int_equal(sum.parts[0].read, 47);
    assert_int_equal(sum.parts[1].start_offset, 5);
    assert_int_equal(sum.parts[1].read, 5);
    assert_int_equal(sum.mark_count, 5);
    assert_mark(&sum, 0, MARK_BEGIN, 0, 0, 20);
    assert_mark(&sum, 1, MARK_SEAL, 0, 41, 60);
    assert_mark(&sum, 2, MARK_SEAL, 0, 44, 70);
    assert_mark(&sum, 3, MARK_SEAL, 1, 5, 90);
    assert_mark(&sum, 4, MARK_CAP, 0, 46, 95);
    journal_recall_destroy(recall);
    end();
}

/* Settings are put in force when all has been told again, and a partition has been read further by
 * then: what was made of it meanwhile stands before them in the journal, and holds behind them. */
static void X5_how_it_is_read_comes_before_what_holds_later(void **unused)
{
    static const struct mark want[] = {{MARK_SEAL, 0, 17, 50},  {MARK_INPUT, 0, 17, 7},
                                       {MARK_SEAL, 0, 87, 65},  {MARK_INPUT, 1, 4, 7},
                                       {MARK_SEAL, 1, 25, 60},  {MARK_INPUT, 0, 90, 8},
                                       {MARK_SEAL, 0, 99, 120}, {MARK_SEAL, 1, 40, 130}};
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    head(0, 100);
    part(0, 3);
    part(1, 4);
    mark(MARK_SEAL, 0, 17, 50);
    mark(MARK_SEAL, 0, 87, 55);
    mark(MARK_SEAL, 1, 25, 60);
    mark(MARK_INPUT, 0, 17, 7);
    mark(MARK_INPUT, 1, 4, 7);
    mark(MARK_SEAL, 0, 87, 65); /* the one before stands elsewhere by now */
    put(&(struct journal_record){.kind = JOURNAL_POSITION, .position = {0, 17, 87}});
    put(&(struct journal_record){.kind = JOURNAL_POSITION, .position = {1, 4, 25}});
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    head(100, 200);
    mark(MARK_SEAL, 0, 99, 120);
    mark(MARK_INPUT, 0, 90, 8);
    mark(MARK_SEAL, 1, 40, 130);
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.mark_count, sizeof(want) / sizeof(want[0]));
    for (size_t part = 0; part < 2; part++) { /* partitions know nothing of each other's */
        size_t at = 0;
        for (size_t i = 0; i < sum.mark_count; i++) {
            if (sum.marks[i].part != part)
                continue;
            while (want[at].part != part)
                at++;
            assert_mark(&sum, i, want[at].kind, (uint16_t)part, want[at].offset, want[at].value_ms);
            at++;
        }
    }
    journal_recall_destroy(recall);
    end();
}

static void what_has_no_end_is_owed(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    head(0, 100);
    change(1, 1, OP_OPEN, "one");
    change(2, 1, OP_OPEN, "two");
    change(1, 2, OP_UPDATE, "one grew");
    change(3, 1, OP_OPEN, "three");
    change(3, 2, OP_UPDATE, "three grew");
    change(3, 3, OP_UPDATE, "three grew more");
    change(4, 1, OP_OPEN, "four");
    change(4, 2, OP_RESOLVE, "four over");
    change(5, 1, OP_OPEN, "five");
    state(1, 2, JOURNAL_FATE_TAKEN_IN, "");
    state(1, 1, JOURNAL_FATE_DONE, "");
    state(3, 2, JOURNAL_FATE_TAKEN_IN, ""); /* what is owed tells the newest */
    state(3, 3, JOURNAL_FATE_TAKEN_IN, "");
    state(4, 1, JOURNAL_FATE_TAKEN_IN, ""); /* came and went */
    state(4, 2, JOURNAL_FATE_TAKEN_IN, "");
    state(5, 1, JOURNAL_FATE_INTENT, "");
    put(&(struct journal_record){.kind = JOURNAL_OP_STATE,
                                 .op_state = {.op = op_id(2, 1),
                                              .fate = JOURNAL_FATE_RETRY,
                                              .may_exist = true,
                                              .not_before_ms = 123456,
                                              .reference = "",
                                              .label = "",
                                              .reason = "HTTP 503"}});
    state(99, 1, JOURNAL_FATE_DONE, ""); /* not ours */
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 3);
    assert_int_equal(sum.ops[0].incident->id.lo, 2);
    assert_int_equal(sum.ops[0].fate, JOURNAL_FATE_RETRY);
    assert_true(sum.ops[0].may_exist);
    assert_int_equal(sum.ops[0].not_before_ms, 123456);
    assert_string_equal(sum.ops[0].sink, "pager");
    assert_string_equal(sum.ops[0].incident->title, "two");
    assert_int_equal(sum.ops[1].incident->id.lo, 3);
    assert_int_equal(sum.ops[1].fate, JOURNAL_FATE_OWED);
    assert_false(sum.ops[1].may_exist);
    assert_int_equal(sum.ops[1].number, 1);
    assert_string_equal(sum.ops[1].incident->title, "three grew more");
    assert_int_equal(sum.ops[2].incident->id.lo, 5);
    assert_int_equal(sum.ops[2].fate, JOURNAL_FATE_INTENT);
    assert_int_equal(sum.ops_owed, 3);
    assert_int_equal(sum.ops_dead, 0);
    assert_int_equal(sum.ops_made, 9);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_DONE], 1);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_TAKEN_IN], 5);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_INTENT], 1);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_RETRY], 1);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_OWED], 1);
    journal_recall_destroy(recall);
    end();
}

/* O8: what is done overtakes what was given up before it; a person's word makes it owed. */
static void a_later_op_overtakes_a_dead_one(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    head(0, 100);
    change(1, 1, OP_OPEN, "one");
    change(1, 2, OP_UPDATE, "one grew");
    change(2, 1, OP_OPEN, "two");
    change(3, 1, OP_OPEN, "three");
    state(1, 1, JOURNAL_FATE_DEAD, "");
    state(2, 1, JOURNAL_FATE_DEAD, "");
    state(3, 1, JOURNAL_FATE_DEAD, "");
    state(1, 2, JOURNAL_FATE_DONE, "");
    state(2, 1, JOURNAL_FATE_OWED, "");
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 2);
    assert_int_equal(sum.ops[0].incident->id.lo, 2);
    assert_int_equal(sum.ops[0].fate, JOURNAL_FATE_OWED);
    assert_int_equal(sum.ops[1].incident->id.lo, 3);
    assert_int_equal(sum.ops[1].fate, JOURNAL_FATE_DEAD);
    assert_int_equal(sum.ops_owed, 1);
    assert_int_equal(sum.ops_dead, 1);
    journal_recall_destroy(recall);
    end();
}

/* An incident that opens again under its old id, as a record was read again, has ops of the ids
 * that there were: what is told of one is told of the first that has no end. */
static void ops_of_an_incident_that_opened_again_are_told_apart(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    head(0, 100);
    for (int life = 0; life < 2; life++) {
        change(1, 1, OP_OPEN, life == 0 ? "one" : "one again");
        change(1, 2, OP_RESOLVE, life == 0 ? "one ended" : "one ended again");
    }
    state(1, 1, JOURNAL_FATE_INTENT, "");
    state(1, 1, JOURNAL_FATE_DONE, "");
    state(1, 2, JOURNAL_FATE_DEAD, "");
    state(1, 1, JOURNAL_FATE_RETRY, "");
    state(1, 2, JOURNAL_FATE_OWED, ""); /* the dead one is sent again */
    change(2, 1, OP_OPEN, "two");
    change(2, 2, OP_RESOLVE, "two ended");
    change(2, 1, OP_OPEN, "two again");
    change(2, 2, OP_UPDATE, "two again grew");
    state(2, 2, JOURNAL_FATE_TAKEN_IN, "");
    state(2, 1, JOURNAL_FATE_DONE, "");
    state(2, 2, JOURNAL_FATE_INTENT, "");
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 5);
    assert_string_equal(sum.ops[0].incident->title, "one ended");
    assert_int_equal(sum.ops[0].fate, JOURNAL_FATE_OWED);
    assert_string_equal(sum.ops[1].incident->title, "one again");
    assert_int_equal(sum.ops[1].fate, JOURNAL_FATE_RETRY);
    assert_string_equal(sum.ops[2].incident->title, "one ended again");
    assert_int_equal(sum.ops[2].fate, JOURNAL_FATE_OWED);
    assert_string_equal(sum.ops[3].incident->title, "two ended");
    assert_int_equal(sum.ops[3].fate, JOURNAL_FATE_INTENT);
    assert_string_equal(sum.ops[4].incident->title, "two again grew");
    assert_int_equal(sum.ops[4].number, 1);
    assert_int_equal(sum.ops[4].fate, JOURNAL_FATE_OWED);
    journal_recall_destroy(recall);
    end();
}

static void steps_from_to(int64_t from_min, int64_t to_min)
{
    for (int64_t n = from_min; n < to_min; n++) {
        step_at((n + 1) * MINUTE_MS);
        commit_whole();
    }
}

static void assert_ages(const struct journal_summary *sum, const int64_t *minutes, size_t count)
{
    assert_int_equal(sum->op_count, count);
    for (size_t i = 0; i < count; i++)
        if (sum->ops[i].age_ms != minutes[i] * MINUTE_MS)
            fail_msg("op %zu is %" PRId64 " ms old, not %" PRId64 " minutes", i, sum->ops[i].age_ms,
                     minutes[i]);
}

/* The first op is of minute 0, the second of minute 60. */
static void O5_the_age_of_an_op_is_how_long_it_could_be_tried(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    step_at(0);
    change(1, 1, OP_OPEN, "one");
    commit_whole();
    steps_from_to(0, 60);
    step_at(60 * MINUTE_MS);
    change(2, 1, OP_OPEN, "two");
    commit_whole();
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){60, 0}, 2);
    journal_recall_destroy(recall);
    /* Held for half an hour: nothing grows older, and does again once one is taken. */
    step_at(60 * MINUTE_MS);
    state_at(2, JOURNAL_FATE_RETRY, 60 * MINUTE_MS, JOURNAL_REASON_HELD);
    commit_whole();
    steps_from_to(60, 90);
    aside();
    state_at(2, JOURNAL_FATE_RETRY, 90 * MINUTE_MS, "");
    commit_whole();
    steps_from_to(90, 100);
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){70, 10}, 2);
    journal_recall_destroy(recall);
    /* Two days without anybody, whose clock is ten years ahead then, and went back again. */
    steps_from_to(2980, 2985);
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){84, 24}, 2);
    journal_recall_destroy(recall);
    steps_from_to(10 * 365 * 1440, 10 * 365 * 1440 + 1);
    steps_from_to(2985, 2990);
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){98, 38}, 2);
    journal_recall_destroy(recall);
    /* Nothing is read: what is told of ops says how time passes, and what it said is not said
     * again. */
    for (int64_t n = 0; n <= 20; n++) {
        aside();
        state_at(1, JOURNAL_FATE_RETRY, (2990 + n) * MINUTE_MS, "");
        commit_whole();
    }
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){118, 58}, 2);
    journal_recall_destroy(recall);
    steps_from_to(3009, 3015);
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){123, 63}, 2);
    journal_recall_destroy(recall);
    /* Sent again by hand. */
    aside();
    state_at(1, JOURNAL_FATE_DEAD, 0, "not taken within retry_hours");
    state_at(1, JOURNAL_FATE_OWED, 0, "");
    commit_whole();
    steps_from_to(3015, 3020);
    recall = recall_(&sum);
    assert_ages(&sum, (const int64_t[]){5, 68}, 2);
    journal_recall_destroy(recall);
    end();
}

static void O1_an_op_keeps_count_of_the_attempts_that_failed(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    step_at(0);
    for (uint64_t i = 1; i <= 4; i++)
        change(i, 1, OP_OPEN, "it");
    commit_whole();
    aside();
    for (int i = 0; i < 3; i++) {
        state_at(1, JOURNAL_FATE_RETRY, 0, "");
        state_at(2, JOURNAL_FATE_INTENT, 0, "");
        state_at(2, JOURNAL_FATE_RETRY, 0, JOURNAL_REASON_HELD);
        state_at(3, JOURNAL_FATE_RETRY, 0, i == 0 ? "" : JOURNAL_REASON_FOUND);
    }
    state_at(2, JOURNAL_FATE_DEAD, 0, "refused by the sink");
    commit_whole();
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 4);
    assert_int_equal(sum.ops[0].attempts, 3);
    assert_int_equal(sum.ops[1].attempts, 3);
    assert_int_equal(sum.ops[1].fate, JOURNAL_FATE_DEAD);
    assert_int_equal(sum.ops[2].attempts, 1);
    assert_int_equal(sum.ops[3].attempts, 0);
    journal_recall_destroy(recall);
    end();
}

/* The ticket of an incident is known until its end is told. */
static void tickets_of_open_incidents_are_kept(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    head(0, 100);
    change(1, 1, OP_OPEN, "one");
    change(2, 1, OP_OPEN, "two");
    state(1, 1, JOURNAL_FATE_DONE, "sys1");
    state(2, 1, JOURNAL_FATE_DONE, "sys2");
    change(1, 2, OP_UPDATE, "one grew");
    state(1, 2, JOURNAL_FATE_DONE, "sys1");
    change(2, 2, OP_RESOLVE, "two over");
    state(2, 2, JOURNAL_FATE_DONE, "sys2");
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 1);
    assert_int_equal(sum.ops[0].number, 2);
    assert_int_equal(sum.ops[0].fate, JOURNAL_FATE_DONE);
    assert_string_equal(sum.ops[0].reference, "sys1");
    assert_int_equal(sum.ops_owed + sum.ops_dead, 0); /* nothing is to be told */
    journal_recall_destroy(recall);
    end();
}

static void many_ops_keep_their_order(void **unused)
{
    struct journal_summary sum;
    struct journal_recall *recall;
    size_t at = 0;

    (void)unused;
    begin();
    for (uint64_t i = 1; i <= MANY; i++) {
        head((int64_t)i - 1, (int64_t)i);
        change(i, 1, OP_OPEN, "t");
        if (i > 50 && i % 7 != 0)
            state(i - 50, 1, JOURNAL_FATE_DONE, "");
        commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    }
    recall = recall_(&sum);
    for (uint64_t i = 1; i <= MANY; i++) {
        if (i + 50 <= MANY && (i + 50) % 7 != 0)
            continue;
        assert_true(at < sum.op_count);
        assert_int_equal(sum.ops[at].incident->id.lo, i);
        at++;
    }
    assert_int_equal(at, sum.op_count);
    journal_recall_destroy(recall);
    end();
}

/* C7: the same again, in order, nothing less and nothing more. */
static void what_differs_is_said(void **unused)
{
    struct journal_compare *compare;
    struct incident one = view_of(1, "one"), other = view_of(1, "another");
    struct op op = {.id = op_id(1, 1), .number = 1, .kind = OP_OPEN, .incident = &one};
    struct error err = {""};

    (void)unused;
    begin();
    head(0, 100);
    change(1, 1, OP_OPEN, "one");
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    head(100, 200);
    change(2, 1, OP_OPEN, "two");
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    assert_int_equal(journal_compare_create(&segments, &first_group, NULL, &compare, &err), 0);
    assert_false(journal_compare_end(compare, &err));
    assert_non_null(strstr(err.text, "and now there is none"));
    assert_false(journal_compare_change(compare, &other, &err));
    assert_non_null(strstr(err.text, "with other words or counts"));
    assert_false(journal_compare_op(compare, &op, "pager", &err));
    assert_non_null(strstr(err.text, "and now there is op 1 (open)"));
    assert_true(journal_compare_change(compare, &one, &err));
    assert_false(journal_compare_end(compare, &err));
    assert_false(journal_compare_op(compare, &op, "ticket", &err));
    assert_true(journal_compare_op(compare, &op, "pager", &err));
    assert_true(journal_compare_end(compare, &err)); /* the second group is another run's */
    assert_false(journal_compare_change(compare, &one, &err));
    assert_non_null(strstr(err.text, "the journal knows nothing of change"));
    journal_compare_destroy(compare);
    end();
}

static void assert_same(const struct journal_summary *a, const struct journal_summary *b)
{
    assert_int_equal(a->to_ms, b->to_ms);
    assert_int_equal(a->n_ms, b->n_ms);
    assert_int_equal(a->r_ms, b->r_ms);
    assert_int_equal(a->groups, b->groups);
    assert_int_equal(a->changes, b->changes);
    assert_int_equal(a->ops_made, b->ops_made);
    assert_int_equal(a->opened, b->opened);
    assert_int_equal(a->closed, b->closed);
    assert_int_equal(a->leaves, b->leaves);
    assert_memory_equal(a->ops_by_fate, b->ops_by_fate, sizeof(a->ops_by_fate));
    assert_string_equal(a->engine, b->engine);
    assert_string_equal(a->other_engine, b->other_engine);
    assert_int_equal(a->part_count, b->part_count);
    for (size_t i = 0; i < a->part_count; i++) {
        assert_string_equal(a->parts[i].topic, b->parts[i].topic);
        assert_int_equal(a->parts[i].partition, b->parts[i].partition);
        assert_int_equal(a->parts[i].start_offset, b->parts[i].start_offset);
        assert_int_equal(a->parts[i].read, b->parts[i].read);
        assert_int_equal(a->parts[i].has_left, b->parts[i].has_left);
        assert_int_equal(a->parts[i].left_ms, b->parts[i].left_ms);
    }
    assert_int_equal(a->mark_count, b->mark_count);
    for (size_t i = 0; i < a->mark_count; i++)
        assert_mark(a, i, b->marks[i].kind, b->marks[i].part, b->marks[i].offset,
                    b->marks[i].value_ms);
    assert_int_equal(a->rules_count, b->rules_count);
    assert_int_equal(a->counts->count, b->counts->count);
    assert_memory_equal(a->counts->value, b->counts->value, a->counts->count * sizeof(uint64_t));
    assert_int_equal(a->op_count, b->op_count);
    for (size_t i = 0; i < a->op_count; i++) {
        assert_true(id128_equal(a->ops[i].id, b->ops[i].id));
        assert_true(id128_equal(a->ops[i].incident->id, b->ops[i].incident->id));
        assert_string_equal(a->ops[i].incident->title, b->ops[i].incident->title);
        assert_int_equal(a->ops[i].number, b->ops[i].number);
        assert_int_equal(a->ops[i].kind, b->ops[i].kind);
        assert_int_equal(a->ops[i].fate, b->ops[i].fate);
        assert_int_equal(a->ops[i].may_exist, b->ops[i].may_exist);
        assert_string_equal(a->ops[i].sink, b->ops[i].sink);
        assert_string_equal(a->ops[i].reference, b->ops[i].reference);
        assert_int_equal(a->ops[i].age_ms, b->ops[i].age_ms);
        assert_int_equal(a->ops[i].attempts, b->ops[i].attempts);
    }
}

/* Groups with a bit of everything; those behind the first speak of what the first began. */
static void commit_many(uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) {
        head((int64_t)n * 100, (int64_t)n * 100 + 100);
        if (n < 3) {
            part((uint32_t)n, (int32_t)n + 5);
            mark(MARK_JOIN, (uint16_t)n, 10, n == 0 ? INT64_MIN : (int64_t)n * 100);
        }
        if (n == 0)
            mark(MARK_BEGIN, 0, 0, 0);
        if (n == 6)
            mark(MARK_LEAVE, 1, 13, 600);
        if (n == 7)
            mark(MARK_LEAVE, 2, 13, 700);
        if (n == 8)
            mark(MARK_JOIN, 2, 14, 800);
        if (n % 4 == 3)
            mark(MARK_BLIND_BEGIN, 0, (int64_t)n + 10, (int64_t)n * 100);
        mark(MARK_SEAL, 0, (int64_t)(n / 2) + 10, (int64_t)n * 100 + 50);
        put(&(struct journal_record){.kind = JOURNAL_RULES,
                                     .rules = {(int64_t)n * 100, {n / 2, 1}, {n / 6, 2}}});
        put(&(struct journal_record){.kind = JOURNAL_POSITION,
                                     .position = {0, (int64_t)n + 10, (int64_t)n + 12}});
        change(n, 1, OP_OPEN, "opened");
        change(n, 2, OP_UPDATE, "grown");
        if (n > 1) {
            state(n - 1, 1, JOURNAL_FATE_DONE, n % 3 == 0 ? "INC7" : "");
            state(n - 2, 2, n % 5 == 0 ? JOURNAL_FATE_DEAD : JOURNAL_FATE_RETRY, "");
        }
        struct journal_record counts = {.kind = JOURNAL_COUNTS, .counts = {.count = 2}};
        counts.counts.value[0] = n;
        counts.counts.value[1] = 3 * n;
        put(&counts);
        commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    }
}

static struct journal_recall *from_bytes(const struct journal_recall *recall)
{
    struct journal_buffer bytes = {.bytes = {.at = NULL}};
    struct journal_recall *again;
    struct error err = {""};

    journal_recall_save(recall, &bytes);
    if (journal_recall_load(bytes.bytes.at, bytes.bytes.count, &again, &err) != 0)
        fail_msg("%s", err.text);
    journal_buffer_release(&bytes);
    return again;
}

/* C6: what is known by a place, as bytes, and the journal from there on come to the same as all of
 * the journal. */
static void what_was_known_and_the_rest_are_all(void **unused)
{
    enum { GROUPS = 14 };
    struct journal_summary all, half, rest;
    struct journal_reader *reader;
    struct journal_recall *whole, *some, *again;
    struct journal_place place;
    enum segment_refusal why;
    struct error err = {""};

    (void)unused;
    for (uint64_t cut = 0; cut <= GROUPS; cut++) {
        begin();
        commit_many(0, GROUPS);
        whole = recall_(&all);
        const struct journal_span span = {.to = cut};
        assert_int_equal(journal_reader_create_span(&segments, &span, &reader, &err), 0);
        some = journal_recall_begin();
        assert_int_equal(journal_recall_read(some, reader, NULL, &err), 0);
        place = journal_reader_place(reader);
        assert_int_equal(place.frame, cut);
        journal_reader_destroy(reader);
        again = from_bytes(some);
        journal_recall_summary(some, &half);
        journal_recall_summary(again, &rest);
        assert_same(&rest, &half);
        assert_int_equal(journal_reader_create(&segments, &reader, &why, &err), 0);
        journal_reader_skip(reader, &place);
        assert_int_equal(journal_recall_read(again, reader, NULL, &err), 0);
        assert_true(journal_reader_has_skipped(reader));
        journal_reader_destroy(reader);
        journal_recall_summary(again, &rest);
        assert_same(&rest, &all);
        place.crc++; /* a journal that went otherwise */
        assert_int_equal(journal_reader_create(&segments, &reader, &why, &err), 0);
        journal_reader_skip(reader, &place);
        journal_recall_destroy(again);
        again = journal_recall_begin();
        journal_recall_read(again, reader, NULL, &err);
        assert_int_equal(journal_reader_has_skipped(reader), cut == 0);
        journal_reader_destroy(reader);
        journal_recall_destroy(again);
        journal_recall_destroy(some);
        journal_recall_destroy(whole);
        end();
    }
}

static void what_nobody_asks_for_is_forgotten(void **unused)
{
    const struct journal_kept_part parts[] = {{0, 15}};
    struct journal_summary sum;
    struct journal_recall *recall;

    (void)unused;
    begin();
    commit_many(0, 14);
    recall = recall_(&sum);
    assert_int_equal(sum.rules_count, 14);
    journal_recall_forget(recall, 60000 + 1050, parts, 1);
    journal_recall_summary(recall, &sum);
    /* Seals of partition 0 at 15 and 16, each with the last value; of the spells those not long
     * before; of the partitions that are not read, nothing. */
    assert_int_equal(sum.mark_count, 4);
    assert_mark(&sum, 0, MARK_BEGIN, 0, 0, 0);
    assert_mark(&sum, 1, MARK_SEAL, 0, 15, 1150);
    assert_mark(&sum, 2, MARK_BLIND_BEGIN, 0, 21, 1100);
    assert_mark(&sum, 3, MARK_SEAL, 0, 16, 1350);
    /* Sets are for people, too, for two hours. */
    assert_int_equal(sum.rules_count, 14);
    assert_int_equal(sum.rules[3].set.hi, 1);
    journal_recall_forget(recall, JOURNAL_RULES_KEPT_MS + 1350, parts, 1);
    journal_recall_summary(recall, &sum);
    /* When settings began is known still (0, 600, 1200); of the sets only the one in force. */
    assert_int_equal(sum.rules_count, 4);
    assert_int_equal(sum.rules[0].from_ms, 0);
    assert_int_equal(sum.rules[1].from_ms, 600);
    assert_int_equal(sum.rules[2].from_ms, 1200);
    assert_int_equal(sum.rules[3].from_ms, 1300);
    for (int i = 0; i < 4; i++)
        assert_int_equal(sum.rules[i].set.hi, 6);
    journal_recall_destroy(recall);
    end();
}

/* What version 1 lacked: how many ops there are, and of each its age and attempts (C12). */
static void C12_what_was_known_before_ages_were_is_read(void **unused)
{
    enum { BYTES_1 = 272, AGE = 16 };
    struct journal_buffer bytes = {.bytes = {.at = NULL}};
    struct journal_summary sum, old;
    struct journal_recall *recall, *again;
    struct error err = {""};
    size_t more;

    (void)unused;
    begin();
    commit_many(0, 14);
    recall = recall_(&sum);
    journal_recall_save(recall, &bytes);
    more = 2 * sizeof(uint64_t) + sum.op_count * AGE; /* and what version 3 has more */
    memmove(bytes.bytes.at + BYTES_1, bytes.bytes.at + BYTES_1 + more,
            bytes.bytes.count - BYTES_1 - more);
    bytes.bytes.at[0] = 1;
    if (journal_recall_load(bytes.bytes.at, bytes.bytes.count - more, &again, &err) != 0)
        fail_msg("%s", err.text);
    journal_recall_summary(again, &old);
    assert_int_equal(old.op_count, sum.op_count);
    assert_int_equal(old.to_ms, sum.to_ms);
    for (size_t i = 0; i < old.op_count; i++) {
        assert_true(id128_equal(old.ops[i].id, sum.ops[i].id));
        assert_int_equal(old.ops[i].fate, sum.ops[i].fate);
        assert_int_equal(old.ops[i].age_ms, 0);
    }
    journal_buffer_release(&bytes);
    journal_recall_destroy(again);
    journal_recall_destroy(recall);
    end();
}

/* A change of an incident, whose title says which it is. */
static void life(uint64_t incident, enum incident_change what, bool is_forgotten, const char *title)
{
    struct journal_record record = {.kind = JOURNAL_CHANGE};
    struct incident inc = view_of(incident, title);

    inc.change = what;
    inc.is_forgotten = is_forgotten;
    memcpy((void *)&record.change, (void *)&inc, sizeof(inc));
    put(&record);
}

/* Those of `title` by number, "" for one that is not open; each is there once. */
static void assert_open(const struct journal_summary *sum, char title[][24], size_t incidents)
{
    size_t open = 0;

    for (size_t i = 0; i < incidents; i++)
        open += title[i][0] != '\0';
    assert_int_equal(sum->open_count, open);
    for (size_t i = 0; i < sum->open_count; i++) {
        uint64_t number = sum->open[i]->id.lo;
        assert_true(number < incidents);
        assert_string_equal(sum->open[i]->title, title[number]);
        title[number][0] = '\0';
    }
}

/* Against a list by number: incidents open, change, close, are given up and come again, and what is
 * known is saved and gone on from now and then. */
static void what_is_open_is_known_by_its_last_change(void **unused)
{
    enum { INCIDENTS = 700, ROUNDS = 40, STEPS = 200 };
    static char title[INCIDENTS][24];
    struct journal_recall *recall = journal_recall_begin(), *again;
    struct journal_place place = {0, 0};
    struct journal_reader *reader;
    struct journal_summary sum;
    enum segment_refusal why;
    struct error err = {""};
    uint64_t dice = 17;

    (void)unused;
    memset(title, 0, sizeof(title));
    begin();
    for (int round = 0; round < ROUNDS; round++) {
        char copy[INCIDENTS][24];
        head(round, round + 1);
        for (int i = 0; i < STEPS; i++) {
            dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            uint64_t number = (dice >> 33) % INCIDENTS, what = (dice >> 20) % 5;
            bool is_open = title[number][0] != '\0';
            bool is_over = is_open && what < (round < ROUNDS / 2 ? 1 : 3);
            snprintf(title[number], sizeof(title[number]), "%d %d", round, i);
            life(number,
                 !is_open              ? INCIDENT_OPENED
                 : is_over && what > 0 ? INCIDENT_CLOSED
                                       : INCIDENT_UPDATED,
                 is_over && what == 0, title[number]);
            if (is_over)
                title[number][0] = '\0';
        }
        commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
        assert_int_equal(journal_reader_create(&segments, &reader, &why, &err), 0);
        journal_reader_skip(reader, &place);
        assert_int_equal(journal_recall_read(recall, reader, NULL, &err), 0);
        place = journal_reader_place(reader);
        journal_reader_destroy(reader);
        again = from_bytes(recall);
        memcpy(copy, title, sizeof(copy));
        journal_recall_summary(recall, &sum);
        assert_true(sum.knows_open);
        assert_open(&sum, copy, INCIDENTS);
        memcpy(copy, title, sizeof(copy));
        journal_recall_summary(again, &sum);
        assert_true(sum.knows_open);
        assert_open(&sum, copy, INCIDENTS);
        journal_recall_destroy(recall);
        recall = again;
    }
    journal_recall_destroy(recall);
    end();
}

/* What version 2 lacked: the incidents that are open. It had those of ops, which may be over. */
static void C12_what_was_known_before_open_incidents_were_is_read(void **unused)
{
    enum { BYTES_2 = 280 };
    struct journal_buffer bytes = {.bytes = {.at = NULL}};
    struct journal_summary sum;
    struct journal_recall *recall, *again;
    struct error err = {""};

    (void)unused;
    begin();
    head(0, 100);
    change(1, 1, OP_OPEN, "one"); /* its page is owed, and it is over */
    life(1, INCIDENT_CLOSED, false, "one");
    change(2, 1, OP_OPEN, "two");
    life(2, INCIDENT_UPDATED, false, "two grew");
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 2);
    assert_int_equal(sum.open_count, 1);
    assert_string_equal(sum.open[0]->title, "two grew");
    journal_recall_save(recall, &bytes);
    life(2, INCIDENT_UPDATED, false, "two grew");
    memmove(bytes.bytes.at + BYTES_2, bytes.bytes.at + BYTES_2 + sizeof(uint64_t),
            bytes.bytes.count - BYTES_2 - sizeof(uint64_t));
    bytes.bytes.at[0] = 2;
    if (journal_recall_load(bytes.bytes.at,
                            bytes.bytes.count - sizeof(uint64_t) - group.bytes.count, &again,
                            &err) != 0)
        fail_msg("%s", err.text);
    group.bytes.count = 0;
    journal_recall_summary(again, &sum);
    assert_int_equal(sum.op_count, 2);
    assert_int_equal(sum.open_count, 0);
    assert_false(sum.knows_open);
    journal_buffer_release(&bytes);
    journal_recall_destroy(again);
    again = from_bytes(recall);
    journal_recall_summary(again, &sum);
    assert_int_equal(sum.open_count, 1);
    assert_string_equal(sum.open[0]->title, "two grew");
    assert_true(sum.knows_open);
    journal_recall_destroy(again);
    journal_recall_destroy(recall);
    end();
}

static void bytes_that_are_none_are_refused(void **unused)
{
    struct journal_buffer bytes = {.bytes = {.at = NULL}};
    struct journal_summary sum;
    struct journal_recall *recall, *again;
    struct error err;

    (void)unused;
    begin();
    commit_many(0, 5);
    recall = recall_(&sum);
    journal_recall_save(recall, &bytes);
    for (size_t cut = 0; cut < 300; cut++) /* inside of the sums, and a bit behind */
        if (journal_recall_load(bytes.bytes.at, cut, &again, &err) == 0)
            journal_recall_destroy(again); /* cut between two records */
        else
            assert_true(strlen(err.text) > 10);
    assert_true(journal_recall_load(bytes.bytes.at, 100, &again, &err) < 0);
    bytes.bytes.at[0]++; /* the version */
    assert_true(journal_recall_load(bytes.bytes.at, bytes.bytes.count, &again, &err) < 0);
    assert_non_null(strstr(err.text, "version"));
    journal_buffer_release(&bytes);
    journal_recall_destroy(recall);
    end();
}

/* A frame that is whole and says what none can is damage, with its place. */
static void a_group_that_makes_no_sense_is_refused(void **unused)
{
    static const char nonsense[] = "nonsense";
    struct journal_reader *reader;
    struct journal_recall *recall;
    enum segment_refusal why;
    struct error err = {""};

    (void)unused;
    for (int i = 0; i < 4; i++) {
        begin();
        if (i == 0) {
            assert_int_equal(segment_log_append(log_, 3, nonsense, 8, NULL, &err), 0);
            assert_int_equal(segment_log_sync(log_, &err), 0);
        } else {
            head(0, 100);
            if (i == 1)
                mark(MARK_SEAL, 5, 1, 1); /* of no partition */
            else if (i == 2)
                part(3, 1); /* a number too far */
            else
                put(&(struct journal_record){
                    .kind = JOURNAL_OP,
                    .op = {op_id(1, 1), {1, 1}, 1, OP_OPEN, "pager"}}); /* of no change */
            commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
        }
        assert_int_equal(journal_reader_create(&segments, &reader, &why, &err), 0);
        assert_true(journal_recall_create(reader, NULL, &recall, &err) < 0);
        if (i == 0)
            assert_non_null(strstr(err.text, "data/journal/0000000000000001.seg: byte 4096: "));
        assert_true(strlen(err.text) > 20);
        journal_reader_destroy(reader);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_and_marks_are_known_again),
        cmocka_unit_test(X5_how_it_is_read_comes_before_what_holds_later),
        cmocka_unit_test(what_has_no_end_is_owed),
        cmocka_unit_test(a_later_op_overtakes_a_dead_one),
        cmocka_unit_test(ops_of_an_incident_that_opened_again_are_told_apart),
        cmocka_unit_test(O5_the_age_of_an_op_is_how_long_it_could_be_tried),
        cmocka_unit_test(O1_an_op_keeps_count_of_the_attempts_that_failed),
        cmocka_unit_test(tickets_of_open_incidents_are_kept),
        cmocka_unit_test(many_ops_keep_their_order),
        cmocka_unit_test(what_was_known_and_the_rest_are_all),
        cmocka_unit_test(what_nobody_asks_for_is_forgotten),
        cmocka_unit_test(what_is_open_is_known_by_its_last_change),
        cmocka_unit_test(C12_what_was_known_before_open_incidents_were_is_read),
        cmocka_unit_test(C12_what_was_known_before_ages_were_is_read),
        cmocka_unit_test(bytes_that_are_none_are_refused),
        cmocka_unit_test(what_differs_is_said),
        cmocka_unit_test(a_group_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
