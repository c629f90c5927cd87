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

enum { MANY = 6000 };

static const struct segment_config segments = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 4 << 20};

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
    state(99, 1, JOURNAL_FATE_DONE, ""); /* not ours */
    commit(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
    recall = recall_(&sum);
    assert_int_equal(sum.op_count, 3);
    assert_int_equal(sum.ops[0].incident->id.lo, 2);
    assert_int_equal(sum.ops[0].fate, JOURNAL_FATE_OWED);
    assert_string_equal(sum.ops[0].sink, "pager");
    assert_string_equal(sum.ops[0].incident->title, "two");
    assert_int_equal(sum.ops[1].incident->id.lo, 3);
    assert_int_equal(sum.ops[1].number, 1);
    assert_string_equal(sum.ops[1].incident->title, "three grew more");
    assert_int_equal(sum.ops[2].incident->id.lo, 5);
    assert_int_equal(sum.ops[2].fate, JOURNAL_FATE_INTENT);
    assert_int_equal(sum.ops_made, 9);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_DONE], 1);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_TAKEN_IN], 5);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_INTENT], 1);
    assert_int_equal(sum.ops_by_fate[JOURNAL_FATE_OWED], 2);
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
    assert_int_equal(journal_compare_create(&segments, 1, NULL, &compare, &err), 0);
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
        cmocka_unit_test(what_has_no_end_is_owed),
        cmocka_unit_test(a_later_op_overtakes_a_dead_one),
        cmocka_unit_test(tickets_of_open_incidents_are_kept),
        cmocka_unit_test(many_ops_keep_their_order),
        cmocka_unit_test(what_differs_is_said),
        cmocka_unit_test(a_group_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
