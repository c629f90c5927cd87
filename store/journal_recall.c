/*
 * journal_recall.c - see journal_recall.h.
 *
 * Ops are found by their ids in an open hash table of places, and know the op before them of the
 * same incident and sink; one whose end has come stays in the list as a gap until the list is
 * closed up, so that the order of making is kept.
 */
#include "store/journal_recall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "store/journal_recall_parts.h"

enum {
    GAPS_MIN = 1024,
    SPELL_SLACK_MS = 60000, /* a blind spell takes effect at a round behind its time */
};

static const char *name_keep(struct journal_recall *recall, const char *name)
{
    for (size_t i = 0; i < recall->names.count; i++)
        if (strcmp(recall->names.at[i], name) == 0)
            return recall->names.at[i];
    size_t bytes = strlen(name) + 1;
    char *copy = memory_alloc(bytes);
    memcpy(copy, name, bytes);
    return vector_add(&recall->names) = copy;
}

/* ---- time ---- */

/* From `from_ms` to `to_ms`, of what was not there or jumped as much as a silence may be. */
static int64_t elapsed(int64_t from_ms, int64_t to_ms)
{
    if (from_ms == INT64_MIN || to_ms <= from_ms)
        return 0;
    return (uint64_t)to_ms - (uint64_t)from_ms < JOURNAL_SILENCE_MS ? to_ms - from_ms
                                                                    : JOURNAL_SILENCE_MS;
}

static void pass_time(struct journal_recall *recall, int64_t ms)
{
    for (size_t i = 0; i < recall->sinks.count; i++)
        if (!recall->sinks.at[i].is_held)
            recall->sinks.at[i].active_ms += ms;
}

/* The clock of a step holds. Where no input moves there are no steps, and states alone tell how
 * time passes: what they told is not told again by the next step. */
static void clock_by_step(struct journal_recall *recall, int64_t n_ms)
{
    int64_t ms = elapsed(recall->sum.n_ms, n_ms);

    if (ms > recall->aside_ms)
        pass_time(recall, ms - recall->aside_ms);
    recall->aside_ms = 0;
    recall->state_ms = INT64_MIN;
}

static void clock_by_state(struct journal_recall *recall, int64_t at_ms)
{
    int64_t ms = elapsed(recall->state_ms, at_ms);

    if (recall->has_step)
        return;
    pass_time(recall, ms);
    recall->aside_ms += ms;
    recall->state_ms = at_ms;
}

static size_t sink_keep(struct journal_recall *recall, const char *name)
{
    for (size_t i = 0; i < recall->sinks.count; i++)
        if (recall->sinks.at[i].name == name)
            return i;
    vector_add(&recall->sinks) = (struct sink_clock){.name = name};
    return recall->sinks.count - 1;
}

/* What a state tells of its sink. */
static void sink_hear(struct sink_clock *sink, const struct journal_op_state *state)
{
    switch ((enum journal_fate)state->fate) {
    case JOURNAL_FATE_RETRY:
        sink->is_held = strcmp(state->reason, JOURNAL_REASON_HELD) == 0;
        break;
    case JOURNAL_FATE_MADE:
    case JOURNAL_FATE_DONE:
    case JOURNAL_FATE_DEAD:
        sink->is_held = false;
        break;
    case JOURNAL_FATE_OWED:
    case JOURNAL_FATE_INTENT:
    case JOURNAL_FATE_UNCERTAIN:
    case JOURNAL_FATE_TAKEN_IN:
    case JOURNAL_FATE_COUNT:
        break;
    }
}

/* ---- ops ---- */

/* A block of its own with one reference, of a view. */
static struct incident *incident_of(const struct incident *view)
{
    const char *const texts[] = {
        view->tenant, view->rule_id,  view->key,      view->title,    view->tier,   view->runbook,
        view->team,   view->why,      view->source,   view->resource, view->check,  view->message,
        view->host,   view->muted_by, view->acked_by, view->by,       view->comment};
    enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
    size_t bytes = sizeof(*view), fields = 0;

    if (view->field_count > 0) {
        struct text last = incident_field(view, view->field_count - 1u, true);
        fields = (size_t)(last.at + last.len - view->fields);
    }
    for (int i = 0; i < TEXTS; i++)
        bytes += strlen(texts[i]) + 1;
    bytes += fields + 1;
    struct incident *inc = incident_alloc(bytes);
    char *to = (char *)(inc + 1);
    memcpy((void *)inc, (const void *)view, sizeof(*inc));
    const char **const places[TEXTS] = {
        &inc->tenant, &inc->rule_id,  &inc->key,      &inc->title,    &inc->tier,   &inc->runbook,
        &inc->team,   &inc->why,      &inc->source,   &inc->resource, &inc->check,  &inc->message,
        &inc->host,   &inc->muted_by, &inc->acked_by, &inc->by,       &inc->comment};
    for (int i = 0; i < TEXTS; i++) {
        size_t length = strlen(texts[i]) + 1;
        memcpy(to, texts[i], length);
        *places[i] = to;
        to += length;
    }
    if (fields > 0)
        memcpy(to, view->fields, fields);
    to[fields] = '\0';
    inc->fields = to;
    inc->block_bytes = (uint32_t)bytes;
    atomic_init(&inc->refs, 1);
    return inc;
}

static struct id128 chain_id(const struct journal_recalled_op *op)
{
    struct id128 id = op->incident->id;

    /* Names of sinks are kept once, so their address stands for them. */
    id.lo ^= hash_mix((uint64_t)(uintptr_t)op->sink);
    return id;
}

static size_t *slot_of(const struct journal_recall *recall, struct id128 id)
{
    size_t slot = hash_mix(id.lo ^ id.hi) & (recall->slot_count - 1), at;

    while ((at = recall->by_id.slots[slot]) != 0 &&
           !id128_equal(recall->entries.at[at - 1].op.id, id))
        slot = (slot + 1) & (recall->slot_count - 1);
    return &recall->by_id.slots[slot];
}

static size_t *chain_slot_of(const struct journal_recall *recall, struct id128 chain)
{
    size_t slot = hash_mix(chain.lo ^ chain.hi) & (recall->slot_count - 1), at;

    while ((at = recall->by_chain.slots[slot]) != 0 &&
           !id128_equal(recall->entries.at[at - 1].chain, chain))
        slot = (slot + 1) & (recall->slot_count - 1);
    return &recall->by_chain.slots[slot];
}

/* The entry at `at` is the last of its chain. */
static void entry_link(struct journal_recall *recall, size_t at)
{
    struct entry *entry = &recall->entries.at[at];
    size_t *last = chain_slot_of(recall, entry->chain);
    size_t *by_id = slot_of(recall, entry->op.id);

    entry->before = *last;
    *last = at + 1;
    entry->has_twin = *by_id != 0 && !recall->entries.at[*by_id - 1].is_gap;
    *by_id = at + 1;
}

static void table_renew(struct journal_recall *recall, size_t slot_count)
{
    size_t kept = 0, bytes = slot_count * sizeof(size_t);

    free(recall->by_id.slots);
    free(recall->by_chain.slots);
    recall->slot_count = slot_count;
    recall->by_id.slots = memory_alloc(bytes);
    recall->by_chain.slots = memory_alloc(bytes);
    memset(recall->by_id.slots, 0, bytes);
    memset(recall->by_chain.slots, 0, bytes);
    for (size_t i = 0; i < recall->entries.count; i++)
        if (!recall->entries.at[i].is_gap)
            recall->entries.at[kept++] = recall->entries.at[i];
    recall->entries.count = kept;
    recall->gaps = 0;
    for (size_t i = 0; i < kept; i++)
        entry_link(recall, i);
}

/* Room for one more, at most half full; gaps are closed when they are as many as the rest. */
static void table_room(struct journal_recall *recall)
{
    if (recall->slot_count == 0)
        table_renew(recall, 1024);
    else if (recall->gaps > GAPS_MIN && 2 * recall->gaps > recall->entries.count)
        table_renew(recall, recall->slot_count);
    else if (2 * (recall->entries.count + 1) > recall->slot_count)
        table_renew(recall, 2 * recall->slot_count);
}

static void fate_set(struct journal_recall *recall, struct entry *entry, uint8_t fate)
{
    recall->sum.ops_by_fate[entry->op.fate]--;
    recall->sum.ops_by_fate[fate]++;
    entry->op.fate = fate;
}

static void entry_forget(struct journal_recall *recall, struct entry *entry)
{
    incident_unref(entry->op.incident);
    entry->op.incident = NULL;
    entry->is_gap = true;
    recall->gaps++;
}

/* The op before `entry` that is not forgotten; NULL: there is none. */
static struct entry *entry_before(struct journal_recall *recall, const struct entry *entry)
{
    for (size_t at = entry->before; at != 0; at = recall->entries.at[at - 1].before)
        if (!recall->entries.at[at - 1].is_gap)
            return &recall->entries.at[at - 1];
    return NULL;
}

static int take_op(struct journal_recall *recall, const struct journal_op *op, struct error *err)
{
    struct entry made = {.op = {.id = op->id, .number = op->number, .kind = op->kind}};

    if (recall->last == NULL || !id128_equal(recall->last->id, op->incident)) {
        error_set(err, "an op belongs to no change before it");
        return -EBADMSG;
    }
    table_room(recall);
    made.op.incident = incident_ref(recall->last);
    made.op.sink = name_keep(recall, op->sink);
    made.sink = sink_keep(recall, made.op.sink);
    made.since_ms = recall->sinks.at[made.sink].active_ms;
    made.chain = chain_id(&made.op);
    vector_add(&recall->entries) = made;
    entry_link(recall, recall->entries.count - 1);
    recall->sum.ops_made++;
    recall->sum.ops_by_fate[JOURNAL_FATE_OWED]++;
    return 0;
}

/* What the sink has overtakes all before: it told of the incident as it then was (O8). */
static void overtake(struct journal_recall *recall, const struct entry *entry)
{
    struct entry *before;

    while ((before = entry_before(recall, entry)) != NULL)
        entry_forget(recall, before);
}

/* It went into the op before it, which tells it, or both have nothing to tell any more (O4). */
static void go_into(struct journal_recall *recall, struct entry *entry)
{
    struct entry *before = entry_before(recall, entry);

    if (before != NULL && before->op.fate != JOURNAL_FATE_DONE &&
        before->op.fate != JOURNAL_FATE_DEAD) {
        incident_unref(before->op.incident);
        before->op.incident = incident_ref(entry->op.incident);
    }
    entry_forget(recall, entry);
}

/* Its ticket is all that is still asked for. */
static void words_forget(struct entry *entry)
{
    struct incident bare;

    memset((void *)&bare, 0, sizeof(bare));
    bare.id = entry->op.incident->id;
    bare.acked_by = bare.by = bare.comment = "";
    bare.tenant = bare.rule_id = bare.key = bare.title = bare.tier = bare.runbook = bare.team =
        bare.why = bare.source = bare.resource = bare.check = bare.message = bare.host =
            bare.muted_by = bare.fields = "";
    incident_unref(entry->op.incident);
    entry->op.incident = incident_of(&bare);
}

/* The op that a state is told of; NULL: it is forgotten. Of several of one id it is the first that
 * has no end yet, as they are told in order; a dead one if it is sent again; and the last one where
 * it went into another, for that happens as it is made. */
static struct entry *entry_meant(struct journal_recall *recall,
                                 const struct journal_op_state *state)
{
    size_t at = recall->slot_count > 0 ? *slot_of(recall, state->op) : 0;
    struct entry *meant = at > 0 ? &recall->entries.at[at - 1] : NULL;

    if (meant == NULL || !meant->has_twin || state->fate == JOURNAL_FATE_TAKEN_IN)
        return meant;
    for (at = meant->before; at != 0; at = recall->entries.at[at - 1].before) {
        struct entry *entry = &recall->entries.at[at - 1];
        bool has_end = entry->op.fate == JOURNAL_FATE_DONE ||
                       (entry->op.fate == JOURNAL_FATE_DEAD && state->fate != JOURNAL_FATE_OWED);
        if (!entry->is_gap && !has_end && id128_equal(entry->op.id, state->op))
            meant = entry;
    }
    return meant;
}

static void take_state(struct journal_recall *recall, const struct journal_op_state *state)
{
    struct entry *entry = entry_meant(recall, state);
    bool was_found = strcmp(state->reason, JOURNAL_REASON_FOUND) == 0;

    if (entry == NULL || entry->is_gap)
        return;
    sink_hear(&recall->sinks.at[entry->sink], state);
    if ((state->fate == JOURNAL_FATE_RETRY || state->fate == JOURNAL_FATE_MADE) && !was_found)
        entry->op.attempts++;
    if (state->fate == JOURNAL_FATE_OWED && !was_found) /* by hand: it has all its time again */
        entry->since_ms = recall->sinks.at[entry->sink].active_ms;
    fate_set(recall, entry, state->fate);
    entry->op.may_exist = state->may_exist;
    entry->op.not_before_ms = state->not_before_ms;
    snprintf(entry->op.reference, sizeof(entry->op.reference), "%s", state->reference);
    snprintf(entry->op.label, sizeof(entry->op.label), "%s", state->label);
    if (state->fate == JOURNAL_FATE_TAKEN_IN) {
        go_into(recall, entry);
    } else if (state->fate == JOURNAL_FATE_DONE) {
        overtake(recall, entry);
        if (state->reference[0] == '\0' || entry->op.kind == OP_RESOLVE)
            entry_forget(recall, entry);
        else
            words_forget(entry);
    }
}

/* ---- partitions and marks ---- */

static int take_part(struct journal_recall *recall, const struct journal_part *part,
                     struct error *err)
{
    if (part->part != recall->parts.count) {
        error_set(err, "partition %u comes after %zu others", part->part, recall->parts.count);
        return -EBADMSG;
    }
    vector_add(&recall->parts) =
        (struct journal_recalled_part){.topic = name_keep(recall, part->topic),
                                       .partition = part->partition,
                                       .start_offset = INT64_MIN,
                                       .read = INT64_MIN,
                                       .left_ms = INT64_MIN};
    vector_add(&recall->seal_at) = 0;
    return 0;
}

static bool is_of_part(enum mark_kind kind)
{
    return kind != MARK_BEGIN && kind != MARK_SWITCH;
}

static void take_input(struct journal_recall *recall, const struct mark *mark)
{
    size_t count = recall->marks.count, at = mark_input_place(recall->marks.at, count, mark);

    vector_add(&recall->marks) = *mark;
    memmove(recall->marks.at + at + 1, recall->marks.at + at, (count - at) * sizeof(*mark));
    recall->marks.at[at] = *mark;
    for (size_t i = 0; i < recall->parts.count; i++)
        if (recall->seal_at.at[i] > at)
            recall->seal_at.at[i]++;
}

static int take_mark(struct journal_recall *recall, const struct mark *mark, struct error *err)
{
    struct journal_recalled_part *part;
    size_t *seal;

    if (!is_of_part(mark->kind)) {
        vector_add(&recall->marks) = *mark;
        return 0;
    }
    if (mark->part >= recall->parts.count) {
        error_set(err, "a mark is of partition %u, and there are %zu", mark->part,
                  recall->parts.count);
        return -EBADMSG;
    }
    part = &recall->parts.at[mark->part];
    seal = &recall->seal_at.at[mark->part];
    if (mark->kind == MARK_LEAVE) {
        recall->sum.leaves++;
        part->has_left = true;
        part->left_ms = mark->value_ms;
        return 0;
    }
    if (mark->kind == MARK_JOIN) {
        part->has_left = false;
        if (part->start_offset == INT64_MIN)
            part->start_offset = part->read = mark->offset;
        if (recall->rules.count > 0) /* it is read by what is in force */
            take_input(recall,
                       &(struct mark){.kind = MARK_INPUT,
                                      .part = mark->part,
                                      .offset = mark->offset,
                                      .value_ms = mark_input_value(
                                          recall->rules.at[recall->rules.count - 1].settings)});
        if (mark->value_ms == INT64_MIN) /* from the start: nothing had been closed */
            return 0;
        vector_add(&recall->marks) = (struct mark){.kind = MARK_SEAL,
                                                   .part = mark->part,
                                                   .offset = mark->offset,
                                                   .value_ms = mark->value_ms};
        *seal = recall->marks.count;
        return 0;
    }
    if (mark->kind == MARK_INPUT) {
        take_input(recall, mark);
        return 0;
    }
    if (mark->kind == MARK_SEAL && *seal != 0 &&
        recall->marks.at[*seal - 1].offset == mark->offset) {
        if (mark->value_ms > recall->marks.at[*seal - 1].value_ms)
            recall->marks.at[*seal - 1].value_ms = mark->value_ms;
        return 0;
    }
    vector_add(&recall->marks) = *mark;
    if (mark->kind == MARK_SEAL)
        *seal = recall->marks.count;
    return 0;
}

static int take_position(struct journal_recall *recall, const struct journal_position *position,
                         struct error *err)
{
    if (position->part >= recall->parts.count) {
        error_set(err, "a position is of partition %u, and there are %zu", position->part,
                  recall->parts.count);
        return -EBADMSG;
    }
    if (position->read > recall->parts.at[position->part].read)
        recall->parts.at[position->part].read = position->read;
    return 0;
}

/* ---- all ---- */

static void take_change(struct journal_recall *recall, const struct incident *change)
{
    incident_unref(recall->last);
    recall->last = incident_of(change);
    recall->sum.changes++;
    recall->sum.opened += change->change == INCIDENT_OPENED;
    recall->sum.closed += change->change == INCIDENT_CLOSED;
    if (recall->is_told_again)
        return;
    recall->forgotten += change->is_forgotten;
    journal_open_take(&recall->open, recall->last);
}

int journal_recall_take(struct journal_recall *recall, const struct journal_record *record,
                        struct error *err)
{
    switch (record->kind) {
    case JOURNAL_GROUP:
        recall->sum.groups++;
        recall->has_step = journal_group_has_step(&record->group);
        if (recall->has_step) {
            clock_by_step(recall, record->group.n_ms);
            recall->sum.to_ms = record->group.to_ms;
            recall->sum.n_ms = record->group.n_ms;
            recall->sum.r_ms = record->group.r_ms;
        }
        snprintf(recall->engine, sizeof(recall->engine), "%s", record->group.engine);
        if (recall->other_engine[0] == '\0' && strcmp(recall->engine, JOURNAL_ENGINE) != 0)
            snprintf(recall->other_engine, sizeof(recall->other_engine), "%s", recall->engine);
        return 0;
    case JOURNAL_PART:
        return recall->has_parts ? 0 : take_part(recall, &record->part, err);
    case JOURNAL_POSITION:
        return take_position(recall, &record->position, err);
    case JOURNAL_MARK:
        return take_mark(recall, &record->mark, err);
    case JOURNAL_CHANGE:
        take_change(recall, &record->change);
        return 0;
    case JOURNAL_OP:
        return take_op(recall, &record->op, err);
    case JOURNAL_OP_STATE:
        clock_by_state(recall, record->op_state.at_ms);
        take_state(recall, &record->op_state);
        return 0;
    case JOURNAL_COUNTS:
        recall->counts = record->counts;
        return 0;
    case JOURNAL_RULES:
        vector_add(&recall->rules) = record->rules;
        return 0;
    case JOURNAL_MEMBER:
    case JOURNAL_KIND_COUNT:
        break;
    }
    return 0;
}

/* The next record; what is damaged ends the log where its loss is accepted. */
static int next(struct journal_reader *reader, struct error *lost, struct journal_record *record,
                struct error *err)
{
    int rc = journal_reader_next(reader, record, NULL, err);

    if (rc >= 0 || lost == NULL || journal_reader_refusal(reader) != SEGMENT_REFUSED_DAMAGED)
        return rc;
    error_set(lost, "%s", err->text);
    journal_reader_accept_loss(reader);
    return journal_reader_next(reader, record, NULL, err);
}

struct journal_recall *journal_recall_begin(void)
{
    struct journal_recall *recall = calloc(1, sizeof(*recall));

    if (recall == NULL)
        return NULL;
    recall->sum.to_ms = recall->sum.r_ms = recall->sum.n_ms = recall->state_ms = INT64_MIN;
    recall->has_step = true;
    return recall;
}

void journal_recall_list(struct journal_recall *recall)
{
    recall->ops.count = 0;
    for (size_t i = 0; i < recall->entries.count; i++) {
        struct entry *entry = &recall->entries.at[i];
        if (entry->is_gap)
            continue;
        entry->op.age_ms = recall->sinks.at[entry->sink].active_ms - entry->since_ms;
        vector_add(&recall->ops) = entry->op;
    }
}

int journal_recall_read(struct journal_recall *recall, struct journal_reader *reader,
                        struct error *lost, struct error *err)
{
    struct journal_record record;
    int rc;

    while ((rc = next(reader, lost, &record, err)) == 1) {
        rc = journal_recall_take(recall, &record, err);
        if (rc != 0)
            return rc;
    }
    journal_recall_list(recall);
    return rc;
}

static int create(struct journal_reader *reader, const struct journal_summary *later,
                  struct error *lost, struct journal_recall **out, struct error *err)
{
    struct journal_recall *recall = journal_recall_begin();
    int rc = 0;

    if (recall == NULL) {
        error_set(err, "out of memory for what the journal knows");
        return -ENOMEM;
    }
    for (uint32_t i = 0; rc == 0 && later != NULL && i < later->part_count; i++)
        rc = take_part(recall,
                       &(struct journal_part){i, later->parts[i].partition, later->parts[i].topic},
                       err);
    recall->has_parts = later != NULL;
    if (rc == 0)
        rc = journal_recall_read(recall, reader, lost, err);
    if (rc != 0) {
        journal_recall_destroy(recall);
        return rc;
    }
    *out = recall;
    return 0;
}

int journal_recall_create(struct journal_reader *reader, struct error *lost,
                          struct journal_recall **out, struct error *err)
{
    return create(reader, NULL, lost, out, err);
}

int journal_recall_create_late(struct journal_reader *reader, const struct journal_summary *later,
                               struct journal_recall **out, struct error *err)
{
    return create(reader, later, NULL, out, err);
}

void journal_recall_forget_open(struct journal_recall *recall)
{
    journal_open_release(&recall->open);
}

void journal_recall_destroy(struct journal_recall *recall)
{
    if (recall == NULL)
        return;
    incident_unref(recall->last);
    for (size_t i = 0; i < recall->entries.count; i++)
        incident_unref(recall->entries.at[i].op.incident);
    for (size_t i = 0; i < recall->names.count; i++)
        free(recall->names.at[i]);
    free(recall->names.at);
    free(recall->parts.at);
    free(recall->seal_at.at);
    free(recall->marks.at);
    free(recall->rules.at);
    free(recall->entries.at);
    free(recall->ops.at);
    free(recall->sinks.at);
    free(recall->by_id.slots);
    free(recall->by_chain.slots);
    journal_open_release(&recall->open);
    free(recall);
}

static void count_ops(struct journal_summary *sum)
{
    for (size_t i = 0; i < sum->op_count; i++) {
        uint8_t fate = sum->ops[i].fate;
        sum->ops_dead += fate == JOURNAL_FATE_DEAD;
        sum->ops_owed += fate != JOURNAL_FATE_DEAD && fate != JOURNAL_FATE_DONE;
    }
}

void journal_recall_summary(const struct journal_recall *recall, struct journal_summary *out)
{
    *out = recall->sum;
    out->parts = recall->parts.at;
    out->part_count = recall->parts.count;
    out->marks = recall->marks.at;
    out->mark_count = recall->marks.count;
    out->counts = &recall->counts;
    out->rules = recall->rules.at;
    out->rules_count = recall->rules.count;
    out->ops = recall->ops.at;
    out->op_count = recall->ops.count;
    out->open = recall->open.at.at;
    out->open_count = recall->open.at.count;
    out->knows_open =
        recall->sum.opened == recall->sum.closed + recall->forgotten + out->open_count;
    out->engine = recall->engine;
    out->other_engine = recall->other_engine;
    count_ops(out);
}

/* ---- what is not needed any more ---- */

static bool mark_is_needed(const struct mark *mark, int64_t at_ms, const int64_t *from)
{
    switch (mark->kind) {
    case MARK_BEGIN:
        return true;
    case MARK_SWITCH:
    case MARK_BLIND_BEGIN:
    case MARK_BLIND_END:
    case MARK_AWAY_BEGIN:
    case MARK_AWAY_END:
        return mark->value_ms >= at_ms - SPELL_SLACK_MS;
    case MARK_CRASH:
        return mark->offset >= from[mark->part] || mark->value_ms >= at_ms - SPELL_SLACK_MS;
    case MARK_SEAL:
    case MARK_CAP:
    case MARK_JOIN:
    case MARK_LEAVE:
    case MARK_SHED:
    case MARK_INPUT: /* but the last of them, see marks_forget() */
    case MARK_KIND_COUNT:
        break;
    }
    return mark->offset >= from[mark->part];
}

static void marks_forget(struct journal_recall *recall, int64_t at_ms, const int64_t *from)
{
    size_t kept = 0;
    size_t *input = memory_alloc((recall->parts.count + 1) * sizeof(*input));

    for (size_t i = 0; i < recall->parts.count; i++)
        recall->seal_at.at[i] = input[i] = 0;
    for (size_t i = 0; i < recall->marks.count; i++) {
        const struct mark *mark = &recall->marks.at[i];
        if (mark->kind == MARK_INPUT && mark->offset < from[mark->part] &&
            from[mark->part] != INT64_MAX)
            input[mark->part] = i + 1; /* by which it is read where it is read on */
    }
    for (size_t i = 0; i < recall->marks.count; i++) {
        const struct mark mark = recall->marks.at[i];
        if (!mark_is_needed(&mark, at_ms, from) &&
            !(mark.kind == MARK_INPUT && input[mark.part] == i + 1))
            continue;
        recall->marks.at[kept++] = mark;
        if (mark.kind == MARK_SEAL)
            recall->seal_at.at[mark.part] = kept;
    }
    recall->marks.count = kept;
    free(input);
}

static void rules_forget(struct journal_recall *recall, int64_t at_ms)
{
    const int64_t from_ms = at_ms - JOURNAL_RULES_KEPT_MS;
    size_t in_force = 0, kept = 0; /* then */

    while (in_force + 1 < recall->rules.count && recall->rules.at[in_force + 1].from_ms < from_ms)
        in_force++;
    for (size_t i = 0; i < recall->rules.count; i++) {
        struct journal_rules rules = recall->rules.at[i];
        bool is_new =
            kept == 0 || !id128_equal(recall->rules.at[kept - 1].settings, rules.settings);
        if (i < in_force && !is_new)
            continue;
        if (i < in_force)
            rules.set = recall->rules.at[in_force].set; /* its own is asked for by nobody */
        recall->rules.at[kept++] = rules;
    }
    recall->rules.count = kept;
}

void journal_recall_forget(struct journal_recall *recall, int64_t at_ms,
                           const struct journal_kept_part *parts, size_t part_count)
{
    int64_t *from = memory_alloc((recall->parts.count + 1) * sizeof(*from));

    for (size_t i = 0; i < recall->parts.count; i++)
        from[i] = INT64_MAX; /* it is read by nobody, or anew from where it then joins */
    for (size_t i = 0; i < part_count; i++)
        if (parts[i].part < recall->parts.count)
            from[parts[i].part] = parts[i].offset;
    marks_forget(recall, at_ms, from);
    rules_forget(recall, at_ms);
    free(from);
}
