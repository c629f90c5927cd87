/*
 * Aim: what is put into a group is what is got out of it, for every kind and every border of its
 * numbers; and no bytes, cut or changed anywhere, are read as more than they hold. Method: random
 * records of all kinds with a printed seed, and all cuts and many flips of what they make, under
 * the address sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "store/journal_format.h"

enum { RECORDS = 4000 };

static uint64_t state;

static uint64_t random64(void)
{
    state += 0x9e3779b97f4a7c15u;
    return hash_mix(state);
}

/* Small, large and border values alike. */
static uint64_t number(uint64_t max)
{
    uint64_t value = random64() >> random64() % 64;

    if (random64() % 8 == 0)
        return max;
    return max == UINT64_MAX ? value : value % (max + 1);
}

static int64_t any_int(void)
{
    static const int64_t borders[] = {INT64_MIN, INT64_MAX, -1, 0};

    return random64() % 4 == 0 ? borders[random64() % 4] : (int64_t)number(UINT64_MAX);
}

static struct id128 any_id(void)
{
    return (struct id128){random64(), random64()};
}

/* One of a few texts that live for the whole run. */
static const char *any_text(void)
{
    static char texts[16][400];

    if (texts[1][0] == '\0')
        for (int i = 1; i < 16; i++)
            for (int at = 0; at < (i < 15 ? 3 * i : 399); at++)
                texts[i][at] = (char)(1 + hash_mix((uint64_t)(100 * i + at)) % 255);
    return texts[random64() % 16];
}

static void any_change(struct incident *inc)
{
    static char fields[64];
    uint32_t lens[2] = {4, (uint32_t)(random64() % 20)};

    *inc = (struct incident){.id = any_id(),
                             .change = (enum incident_change)number(INCIDENT_CLOSED),
                             .cause = (enum incident_cause)number(INCIDENT_CAUSE_COUNT - 1),
                             .at_ms = any_int(),
                             .opened_ms = any_int(),
                             .first_ts_ms = any_int(),
                             .change_number = (uint32_t)number(UINT32_MAX),
                             .severity = (uint8_t)number(SEVERITY_COUNT - 1),
                             .priority = (uint8_t)number(PRIORITY_P5),
                             .event_count = number(UINT64_MAX),
                             .alert_count = (uint32_t)number(UINT32_MAX),
                             .open_count = (uint32_t)number(UINT32_MAX),
                             .is_forgotten = random64() % 2,
                             .field_count = random64() % 2,
                             .tenant = any_text(),
                             .rule_id = any_text(),
                             .key = any_text(),
                             .title = any_text(),
                             .tier = any_text(),
                             .runbook = any_text(),
                             .team = any_text(),
                             .why = any_text(),
                             .source = any_text(),
                             .resource = any_text(),
                             .check = any_text(),
                             .message = any_text(),
                             .host = any_text(),
                             .muted_by = any_text(),
                             .acked_by = any_text(),
                             .by = any_text(),
                             .comment = any_text(),
                             .fields = fields};
    memcpy(fields, &lens[0], 4);
    memcpy(fields + 4, "host", 4);
    memcpy(fields + 8, &lens[1], 4);
    memset(fields + 12, 'x', lens[1]);
}

static void any_record(struct journal_record *out, enum journal_kind kind)
{
    memset(out, 0, sizeof(*out));
    out->kind = kind;
    switch (kind) {
    case JOURNAL_GROUP:
        out->group = (struct journal_group){any_int(), any_int(), any_int(), any_int(), any_text()};
        break;
    case JOURNAL_PART:
        out->part = (struct journal_part){(uint32_t)number(UINT16_MAX),
                                          (int32_t)(uint32_t)random64(), any_text()};
        break;
    case JOURNAL_POSITION:
        out->position =
            (struct journal_position){(uint32_t)number(UINT16_MAX), any_int(), any_int()};
        break;
    case JOURNAL_MARK:
        out->mark = (struct mark){(enum mark_kind)number(MARK_KIND_COUNT - 1),
                                  (uint16_t)number(UINT16_MAX), any_int(), any_int()};
        break;
    case JOURNAL_CHANGE:
        any_change(&out->change);
        break;
    case JOURNAL_OP:
        out->op = (struct journal_op){any_id(), any_id(), (uint32_t)number(UINT32_MAX),
                                      (uint8_t)number(OP_RESOLVE), any_text()};
        break;
    case JOURNAL_OP_STATE:
        out->op_state =
            (struct journal_op_state){any_id(),       (uint8_t)number(JOURNAL_FATE_COUNT - 1),
                                      number(1) != 0, any_int(),
                                      any_int(),      any_text(),
                                      any_text(),     any_text()};
        break;
    case JOURNAL_COUNTS:
        out->counts.count = (uint32_t)number(JOURNAL_COUNTS_MAX);
        for (uint32_t i = 0; i < out->counts.count; i++)
            out->counts.value[i] = number(UINT64_MAX);
        break;
    case JOURNAL_RULES:
        out->rules = (struct journal_rules){any_int(), any_id(), any_id()};
        break;
    case JOURNAL_MEMBER:
        out->member = (struct journal_member){
            any_id(),   any_int(),  any_text(), any_text(),
            any_text(), any_text(), any_text(), (uint8_t)number(SEVERITY_COUNT - 1)};
        break;
    case JOURNAL_KIND_COUNT:
        break;
    }
}

static void same_change(const struct incident *a, const struct incident *b)
{
    const char *const texts[2][14] = {
        {a->tenant, a->rule_id, a->key, a->title, a->tier, a->runbook, a->team, a->why, a->source,
         a->resource, a->check, a->message, a->host, a->muted_by},
        {b->tenant, b->rule_id, b->key, b->title, b->tier, b->runbook, b->team, b->why, b->source,
         b->resource, b->check, b->message, b->host, b->muted_by}};

    for (int i = 0; i < 14; i++)
        assert_string_equal(texts[0][i], texts[1][i]);
    assert_true(id128_equal(a->id, b->id));
    assert_int_equal(a->change, b->change);
    assert_int_equal(a->cause, b->cause);
    assert_true(a->at_ms == b->at_ms && a->opened_ms == b->opened_ms);
    assert_true(a->first_ts_ms == b->first_ts_ms);
    assert_int_equal(a->change_number, b->change_number);
    assert_int_equal(a->severity, b->severity);
    assert_int_equal(a->priority, b->priority);
    assert_true(a->event_count == b->event_count);
    assert_int_equal(a->alert_count, b->alert_count);
    assert_int_equal(a->open_count, b->open_count);
    assert_int_equal(a->is_forgotten, b->is_forgotten);
    assert_int_equal(a->field_count, b->field_count);
    for (unsigned i = 0; i < a->field_count; i++)
        for (int value = 0; value < 2; value++) {
            struct text x = incident_field(a, i, value), y = incident_field(b, i, value);
            assert_int_equal(x.len, y.len);
            assert_memory_equal(x.at, y.at, x.len);
        }
}

static void same(const struct journal_record *a, const struct journal_record *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case JOURNAL_GROUP:
        assert_true(a->group.from_ms == b->group.from_ms && a->group.to_ms == b->group.to_ms);
        assert_true(a->group.n_ms == b->group.n_ms && a->group.r_ms == b->group.r_ms);
        assert_string_equal(a->group.engine, b->group.engine);
        break;
    case JOURNAL_PART:
        assert_int_equal(a->part.part, b->part.part);
        assert_int_equal(a->part.partition, b->part.partition);
        assert_string_equal(a->part.topic, b->part.topic);
        break;
    case JOURNAL_POSITION:
        assert_int_equal(a->position.part, b->position.part);
        assert_true(a->position.low == b->position.low && a->position.read == b->position.read);
        break;
    case JOURNAL_MARK:
        assert_int_equal(a->mark.kind, b->mark.kind);
        assert_int_equal(a->mark.part, b->mark.part);
        assert_true(a->mark.offset == b->mark.offset && a->mark.value_ms == b->mark.value_ms);
        break;
    case JOURNAL_CHANGE:
        same_change(&a->change, &b->change);
        break;
    case JOURNAL_OP:
        assert_true(id128_equal(a->op.id, b->op.id));
        assert_true(id128_equal(a->op.incident, b->op.incident));
        assert_int_equal(a->op.number, b->op.number);
        assert_int_equal(a->op.kind, b->op.kind);
        assert_string_equal(a->op.sink, b->op.sink);
        break;
    case JOURNAL_OP_STATE:
        assert_true(id128_equal(a->op_state.op, b->op_state.op));
        assert_int_equal(a->op_state.fate, b->op_state.fate);
        assert_int_equal(a->op_state.may_exist, b->op_state.may_exist);
        assert_true(a->op_state.not_before_ms == b->op_state.not_before_ms);
        assert_true(a->op_state.at_ms == b->op_state.at_ms);
        assert_string_equal(a->op_state.reference, b->op_state.reference);
        assert_string_equal(a->op_state.label, b->op_state.label);
        assert_string_equal(a->op_state.reason, b->op_state.reason);
        break;
    case JOURNAL_COUNTS:
        assert_int_equal(a->counts.count, b->counts.count);
        assert_memory_equal(a->counts.value, b->counts.value, 8 * a->counts.count);
        break;
    case JOURNAL_RULES:
        assert_true(a->rules.from_ms == b->rules.from_ms);
        assert_true(id128_equal(a->rules.set, b->rules.set));
        assert_true(id128_equal(a->rules.settings, b->rules.settings));
        break;
    case JOURNAL_MEMBER:
        assert_true(id128_equal(a->member.incident, b->member.incident));
        assert_true(a->member.at_ms == b->member.at_ms);
        assert_string_equal(a->member.source, b->member.source);
        assert_string_equal(a->member.resource, b->member.resource);
        assert_string_equal(a->member.check, b->member.check);
        assert_string_equal(a->member.dedup_key, b->member.dedup_key);
        assert_string_equal(a->member.host, b->member.host);
        assert_int_equal(a->member.severity, b->member.severity);
        break;
    case JOURNAL_KIND_COUNT:
        fail();
    }
}

static void every_record_comes_back_as_it_was(void **unused)
{
    struct journal_record record, got;
    struct error err = {""};

    (void)unused;
    for (int i = 0; i < RECORDS; i++) {
        struct journal_buffer buffer = {0};
        struct journal_cursor cursor;
        struct journal_record head;
        enum journal_kind kind =
            (enum journal_kind)(JOURNAL_PART + random64() % (JOURNAL_KIND_COUNT - JOURNAL_PART));

        any_record(&head, JOURNAL_GROUP);
        any_record(&record, kind);
        journal_put(&buffer, &head);
        journal_put(&buffer, &record);
        cursor =
            (struct journal_cursor){buffer.bytes.at, buffer.bytes.at + buffer.bytes.count, false};
        assert_int_equal(journal_get(&cursor, &got, &err), 1);
        same(&head, &got);
        if (journal_get(&cursor, &got, &err) != 1)
            fail_msg("%s: %s", journal_kind_name(kind), err.text);
        same(&record, &got);
        assert_int_equal(journal_get(&cursor, &got, &err), 0);
        journal_buffer_release(&buffer);
    }
}

/* The bytes lie at the very end of a block, so that a read beyond them is seen. */
static int read_all(const char *bytes, size_t count, struct error *err)
{
    char *copy = malloc(count > 0 ? count : 1);
    struct journal_cursor cursor = {copy, copy + count, false};
    struct journal_record got;
    int rc;

    assert_non_null(copy);
    memcpy(copy, bytes, count);
    while ((rc = journal_get(&cursor, &got, err)) == 1)
        if (got.kind == JOURNAL_CHANGE)
            for (unsigned i = 0; i < got.change.field_count; i++)
                assert_true(incident_field(&got.change, i, true).len <= count);
    free(copy);
    return rc;
}

static void no_bytes_are_read_as_more_than_they_hold(void **unused)
{
    (void)unused;
    for (int round = 0; round < 60; round++) {
        struct journal_buffer buffer = {0};
        struct journal_record record;
        struct error err = {""};
        size_t head = 0, count;

        any_record(&record, JOURNAL_GROUP);
        journal_put(&buffer, &record);
        head = buffer.bytes.count;
        any_record(&record, (enum journal_kind)(JOURNAL_PART + round % (JOURNAL_KIND_COUNT - 2)));
        journal_put(&buffer, &record);
        count = buffer.bytes.count;
        assert_int_equal(read_all(buffer.bytes.at, count, &err), 0);
        for (size_t cut = 0; cut < count; cut++) {
            err.text[0] = '\0';
            assert_int_equal(read_all(buffer.bytes.at, cut, &err), cut == head ? 0 : -EBADMSG);
            assert_true((err.text[0] == '\0') == (cut == head));
        }
        for (int flips = 0; flips < 300; flips++) {
            size_t at = random64() % count;
            char before = buffer.bytes.at[at];
            buffer.bytes.at[at] = (char)random64();
            int rc = read_all(buffer.bytes.at, count, &err);
            assert_true(rc == 0 || rc == -EBADMSG);
            buffer.bytes.at[at] = before;
        }
        journal_buffer_release(&buffer);
    }
}

static void a_group_has_one_head(void **unused)
{
    struct journal_buffer buffer = {0};
    struct journal_record record;
    struct error err = {""};

    (void)unused;
    assert_int_equal(read_all("", 0, &err), -EBADMSG);
    any_record(&record, JOURNAL_MARK);
    journal_put(&buffer, &record);
    assert_int_equal(read_all(buffer.bytes.at, buffer.bytes.count, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "no head"));
    buffer.bytes.count = 0;
    any_record(&record, JOURNAL_GROUP);
    journal_put(&buffer, &record);
    journal_put(&buffer, &record);
    assert_int_equal(read_all(buffer.bytes.at, buffer.bytes.count, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "two heads"));
    journal_buffer_release(&buffer);
}

/* A number that means nothing is not read as another one. */
static void a_number_beyond_its_bound_is_refused(void **unused)
{
    const struct journal_record records[] = {
        {.kind = JOURNAL_OP, .op = {.number = 1, .kind = OP_RESOLVE + 1, .sink = "s"}},
        {.kind = JOURNAL_OP_STATE,
         .op_state = {.fate = JOURNAL_FATE_COUNT, .reference = "", .label = "", .reason = ""}},
        {.kind = JOURNAL_PART, .part = {.part = UINT16_MAX + 1, .topic = "t"}},
        {.kind = JOURNAL_POSITION, .position = {.part = UINT16_MAX + 1}},
        {.kind = JOURNAL_MARK, .mark = {.kind = MARK_KIND_COUNT}},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct journal_buffer buffer = {0};
        struct journal_record got;
        struct error err = {""};
        struct journal_cursor cursor;
        journal_put(&buffer, &records[i]);
        cursor =
            (struct journal_cursor){buffer.bytes.at, buffer.bytes.at + buffer.bytes.count, true};
        assert_int_equal(journal_get(&cursor, &got, &err), -EBADMSG);
        assert_non_null(strstr(err.text, records[i].kind == JOURNAL_MARK
                                             ? "a newer tocsin wrote it"
                                             : "a number is too large"));
        journal_buffer_release(&buffer);
    }
}

/* The last byte of a varint of five has room for more than 32 bits. */
static void a_partition_beyond_its_bound_is_refused(void **unused)
{
    static const int32_t bounds[] = {INT32_MAX, INT32_MIN};

    (void)unused;
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const struct journal_record record = {.kind = JOURNAL_PART,
                                              .part = {.partition = bounds[i], .topic = "t"}};
        struct journal_buffer buffer = {0};
        struct journal_record got;
        struct journal_cursor cursor;
        struct error err = {""};
        journal_put(&buffer, &record);
        cursor =
            (struct journal_cursor){buffer.bytes.at, buffer.bytes.at + buffer.bytes.count, true};
        assert_int_equal(journal_get(&cursor, &got, &err), 1);
        assert_int_equal(got.part.partition, bounds[i]);
        char *last = buffer.bytes.at + buffer.bytes.count - 4; /* before length, "t" and its end */
        assert_int_equal(*last, 0x0f);
        *last = 0x1f;
        cursor.at = buffer.bytes.at;
        assert_int_equal(journal_get(&cursor, &got, &err), -EBADMSG);
        assert_non_null(strstr(err.text, "a number is too large"));
        journal_buffer_release(&buffer);
    }
}

/* The zero byte behind it is another record's. */
static void a_text_ends_inside_of_its_record(void **unused)
{
    const struct journal_record record = {.kind = JOURNAL_PART, .part = {.topic = "topic"}};
    struct journal_buffer buffer = {0};
    struct journal_record got;
    struct journal_cursor cursor;
    struct error err = {""};
    uint32_t bytes;

    (void)unused;
    journal_put(&buffer, &record);
    memcpy(&bytes, buffer.bytes.at + 1, sizeof(bytes));
    bytes--;
    memcpy(buffer.bytes.at + 1, &bytes, sizeof(bytes));
    cursor = (struct journal_cursor){buffer.bytes.at, buffer.bytes.at + buffer.bytes.count, true};
    assert_int_equal(journal_get(&cursor, &got, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "a text is cut off"));
    journal_buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_beyond_its_bound_is_refused),
        cmocka_unit_test(a_partition_beyond_its_bound_is_refused),
        cmocka_unit_test(a_text_ends_inside_of_its_record),
        cmocka_unit_test(every_record_comes_back_as_it_was),
        cmocka_unit_test(no_bytes_are_read_as_more_than_they_hold),
        cmocka_unit_test(a_group_has_one_head),
    };
    const char *seed = getenv("JOURNAL_SEED");

    if (seed != NULL)
        state = strtoull(seed, NULL, 10);
    else
        host()->random(host()->self, &state, sizeof(state));
    printf("JOURNAL_SEED=%" PRIu64 "\n", state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
