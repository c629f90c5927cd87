/*
 * journal_recall_bytes.c - what the journal knows as bytes, for a snapshot, and back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "store/journal_recall_parts.h"

/* Sums, how old each op is, and behind that records of the journal that come to the rest. */
struct saved {
    uint32_t version, pad;
    int64_t to_ms, n_ms, r_ms;
    uint64_t groups, changes, ops_made, opened, closed, leaves;
    uint64_t ops_by_fate[JOURNAL_FATE_COUNT];
    char engine[ENGINE_BYTES], other_engine[ENGINE_BYTES];
    uint64_t op_count;
    uint64_t forgotten;
};

struct saved_op {
    int64_t age_ms;
    uint64_t attempts;
};

/* Version 1 ended before op_count, and said of no op how old it is: it is as if made then. Version
 * 2 ended before forgotten, and its last change is that of its last op: behind those of the ops
 * stand incidents that are open. */
enum {
    SAVED_VERSION = 3,
    SAVED_BYTES_1 = offsetof(struct saved, op_count),
    SAVED_BYTES_2 = offsetof(struct saved, forgotten)
};
#define SAVED_AGE_MAX_MS (INT64_C(1) << 41) /* seventy years */

static void parts_save(const struct journal_recall *recall, struct journal_buffer *to)
{
    for (size_t i = 0; i < recall->parts.count; i++) {
        const struct journal_recalled_part *part = &recall->parts.at[i];
        struct mark mark = {.kind = MARK_JOIN,
                            .part = (uint16_t)i,
                            .offset = part->start_offset,
                            .value_ms = INT64_MIN};
        journal_put(to,
                    &(struct journal_record){.kind = JOURNAL_PART,
                                             .part = {(uint32_t)i, part->partition, part->topic}});
        if (part->start_offset == INT64_MIN)
            continue;
        /* Left before it joined: what stays is that it had. */
        for (int twice = 0; twice < 2; twice++) {
            bool leaves = part->left_ms != INT64_MIN && twice == (part->has_left ? 1 : 0);
            mark.kind = leaves ? MARK_LEAVE : MARK_JOIN;
            mark.value_ms = leaves ? part->left_ms : INT64_MIN;
            journal_put(to, &(struct journal_record){.kind = JOURNAL_MARK, .mark = mark});
        }
        journal_put(to,
                    &(struct journal_record){.kind = JOURNAL_POSITION,
                                             .position = {(uint32_t)i, part->read, part->read}});
    }
}

static void change_save(const struct incident *incident, struct journal_buffer *to)
{
    struct journal_record change = {.kind = JOURNAL_CHANGE};

    memcpy((void *)&change.change, (const void *)incident, sizeof(change.change));
    journal_put(to, &change);
}

static void op_save(const struct journal_recalled_op *op, struct journal_buffer *to)
{
    change_save(op->incident, to);
    journal_put(to, &(struct journal_record){
                        .kind = JOURNAL_OP,
                        .op = {op->id, op->incident->id, op->number, op->kind, op->sink}});
    if (op->fate != JOURNAL_FATE_OWED || op->may_exist)
        journal_put(to, &(struct journal_record){.kind = JOURNAL_OP_STATE,
                                                 .op_state = {.op = op->id,
                                                              .fate = op->fate,
                                                              .may_exist = op->may_exist,
                                                              .not_before_ms = op->not_before_ms,
                                                              .reference = op->reference,
                                                              .label = op->label,
                                                              .reason = JOURNAL_REASON_FOUND}});
}

static void bytes_save(const void *from, size_t bytes, struct journal_buffer *to)
{
    vector_reserve(&to->bytes, bytes);
    memcpy(to->bytes.at + to->bytes.count, from, bytes);
    to->bytes.count += bytes;
}

static void ages_save(const struct journal_recall *recall, struct journal_buffer *to)
{
    for (size_t i = 0; i < recall->entries.count; i++) {
        const struct entry *entry = &recall->entries.at[i];
        struct saved_op op = {recall->sinks.at[entry->sink].active_ms - entry->since_ms,
                              entry->op.attempts};
        if (!entry->is_gap)
            bytes_save(&op, sizeof(op), to);
    }
}

void journal_recall_save(const struct journal_recall *recall, struct journal_buffer *to)
{
    const struct journal_summary *sum = &recall->sum;
    struct saved saved = {.version = SAVED_VERSION,
                          .to_ms = sum->to_ms,
                          .n_ms = sum->n_ms,
                          .r_ms = sum->r_ms,
                          .groups = sum->groups,
                          .changes = sum->changes,
                          .ops_made = sum->ops_made,
                          .opened = sum->opened,
                          .closed = sum->closed,
                          .leaves = sum->leaves,
                          .op_count = recall->entries.count - recall->gaps,
                          .forgotten = recall->forgotten};

    memcpy(saved.ops_by_fate, sum->ops_by_fate, sizeof(saved.ops_by_fate));
    memcpy(saved.engine, recall->engine, sizeof(saved.engine));
    memcpy(saved.other_engine, recall->other_engine, sizeof(saved.other_engine));
    bytes_save(&saved, sizeof(saved), to);
    ages_save(recall, to);
    parts_save(recall, to);
    for (size_t i = 0; i < recall->marks.count; i++)
        journal_put(to,
                    &(struct journal_record){.kind = JOURNAL_MARK, .mark = recall->marks.at[i]});
    for (size_t i = 0; i < recall->rules.count; i++)
        journal_put(to,
                    &(struct journal_record){.kind = JOURNAL_RULES, .rules = recall->rules.at[i]});
    for (size_t i = 0; i < recall->entries.count; i++)
        if (!recall->entries.at[i].is_gap)
            op_save(&recall->entries.at[i].op, to);
    for (size_t i = 0; i < recall->open.at.count; i++)
        change_save(recall->open.at.at[i], to);
    if (recall->counts.count > 0)
        journal_put(to, &(struct journal_record){.kind = JOURNAL_COUNTS, .counts = recall->counts});
}

/* What the records counted on their way is said by the sums. */
static void sums_set(struct journal_recall *recall, const struct saved *saved)
{
    struct journal_summary *sum = &recall->sum;

    sum->to_ms = saved->to_ms;
    sum->n_ms = saved->n_ms;
    sum->r_ms = saved->r_ms;
    sum->groups = saved->groups;
    sum->changes = saved->changes;
    sum->ops_made = saved->ops_made;
    sum->opened = saved->opened;
    sum->closed = saved->closed;
    sum->leaves = saved->leaves;
    recall->forgotten = saved->forgotten;
    memcpy(sum->ops_by_fate, saved->ops_by_fate, sizeof(sum->ops_by_fate));
    snprintf(recall->engine, sizeof(recall->engine), "%.*s", ENGINE_BYTES - 1, saved->engine);
    snprintf(recall->other_engine, sizeof(recall->other_engine), "%.*s", ENGINE_BYTES - 1,
             saved->other_engine);
}

/* The sums at the beginning of `cursor`; what follows them is `ages`. */
static int sums_load(struct journal_cursor *cursor, struct saved *to, const char **ages,
                     struct error *err)
{
    size_t bytes = (size_t)(cursor->end - cursor->at), known = sizeof(*to);

    memset(to, 0, sizeof(*to));
    if (bytes >= sizeof(to->version))
        memcpy(&to->version, cursor->at, sizeof(to->version));
    if (to->version < SAVED_VERSION)
        known = to->version == 1 ? SAVED_BYTES_1 : SAVED_BYTES_2;
    if (to->version < 1 || to->version > SAVED_VERSION || bytes < known) {
        error_set(err, "what the journal knew is of no version that is known");
        return -EBADMSG;
    }
    memcpy(to, cursor->at, known);
    *ages = cursor->at + known;
    if (to->op_count > (bytes - known) / sizeof(struct saved_op)) {
        error_set(err, "what the journal knew ends within the ages of its ops");
        return -EBADMSG;
    }
    cursor->at = *ages + to->op_count * sizeof(struct saved_op);
    return 0;
}

/* The op that was taken last, number `index` of them, is as old as was saved. */
static int age_load(struct journal_recall *recall, const struct saved *saved, const char *ages,
                    uint64_t index, struct error *err)
{
    struct entry *entry = &recall->entries.at[recall->entries.count - 1];
    struct saved_op op;

    if (saved->version == 1)
        return 0;
    if (index >= saved->op_count) {
        error_set(err, "there are more than %" PRIu64 " ops, which have an age", saved->op_count);
        return -EBADMSG;
    }
    memcpy(&op, ages + index * sizeof(op), sizeof(op));
    if (op.age_ms < 0 || op.age_ms > SAVED_AGE_MAX_MS || op.attempts > UINT32_MAX) {
        error_set(err, "op %" PRIu64 " has an age or a count of attempts that none has", index);
        return -EBADMSG;
    }
    entry->since_ms = recall->sinks.at[entry->sink].active_ms - op.age_ms;
    entry->op.attempts = (uint32_t)op.attempts;
    return 0;
}

int journal_recall_load(const void *at, size_t bytes, struct journal_recall **out,
                        struct error *err)
{
    struct journal_recall *recall = journal_recall_begin();
    struct journal_cursor cursor = {at, (const char *)at + bytes, true};
    struct journal_record record;
    struct saved saved;
    const char *ages = NULL;
    uint64_t ops = 0, changes = 0;
    int rc;

    if (recall == NULL) {
        error_set(err, "out of memory for what the journal knew");
        return -ENOMEM;
    }
    rc = sums_load(&cursor, &saved, &ages, err);
    while (rc == 0 && (rc = journal_get(&cursor, &record, err)) == 1) {
        if (record.kind == JOURNAL_CHANGE)
            recall->is_told_again = saved.version == 1 || changes++ < saved.op_count;
        rc = journal_recall_take(recall, &record, err);
        if (rc == 0 && record.kind == JOURNAL_OP)
            rc = age_load(recall, &saved, ages, ops++, err);
    }
    if (rc != 0) {
        journal_recall_destroy(recall);
        return rc;
    }
    recall->is_told_again = false;
    sums_set(recall, &saved);
    journal_recall_list(recall);
    *out = recall;
    return 0;
}
