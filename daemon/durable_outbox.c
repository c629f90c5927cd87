/*
 * durable_outbox.c - the outbox behind the journal: what becomes of an op is written down before
 * anything rests on it, and a start hands on what the run before owed. See durable.h.
 */
#include "daemon/durable_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/unit.h"
#include "sinks/sink.h"

enum { FULL_WAIT_NS = 1000000 };

static const enum journal_fate fates[OP_STATE_COUNT] = {
    [OP_PENDING] = JOURNAL_FATE_OWED, [OP_INTENT] = JOURNAL_FATE_INTENT,
    [OP_RETRY] = JOURNAL_FATE_RETRY,  [OP_UNCERTAIN] = JOURNAL_FATE_UNCERTAIN,
    [OP_MADE] = JOURNAL_FATE_MADE,    [OP_DONE] = JOURNAL_FATE_DONE,
    [OP_DEAD] = JOURNAL_FATE_DEAD,    [OP_SUPERSEDED] = JOURNAL_FATE_TAKEN_IN,
};

static enum op_state state_of(uint8_t fate)
{
    for (int i = 0; i < OP_STATE_COUNT; i++)
        if (fates[i] == fate)
            return (enum op_state)i;
    return OP_PENDING;
}

/* A chain that was woken and one that failed wait both: only what differs after a restart is
 * written down. The commit of an op is its INTENT where repeats are folded (O1). */
static bool is_worth_it(const struct outbox_move *move)
{
    switch (move->state) {
    case OP_INTENT:
        return move->gate != NULL;
    case OP_PENDING:
        return move->is_redriven;
    case OP_UNCERTAIN: /* followed by RETRY */
        return false;
    case OP_RETRY:
    case OP_MADE:
    case OP_DONE:
    case OP_DEAD:
    case OP_SUPERSEDED:
    case OP_STATE_COUNT:
        break;
    }
    return true;
}

static const char *reason_of(const struct outbox_move *move)
{
    if (move->is_found)
        return JOURNAL_REASON_FOUND;
    if (move->is_held)
        return JOURNAL_REASON_HELD;
    return move->cause != NULL ? move->cause : "";
}

static bool on_moved(void *self, const struct outbox_move *move)
{
    struct durable *durable = self;
    const struct journal_op_state record = {.op = move->op,
                                            .fate = (uint8_t)fates[move->state],
                                            .may_exist = move->may_exist,
                                            .not_before_ms = move->not_before_ms,
                                            .at_ms = host_wall_ms(),
                                            .reference = move->remote->ref,
                                            .label = move->remote->label,
                                            .reason = reason_of(move)};
    uint64_t ticket;

    if (!is_worth_it(move))
        return false;
    pthread_mutex_lock(&durable->gates_lock);
    ticket = journal_op_state(durable->journal, &record);
    if (move->gate != NULL)
        vector_add(&durable->gates) = (struct gate){ticket, move->gate};
    pthread_mutex_unlock(&durable->gates_lock);
    return move->gate != NULL;
}

/* What is durable may leave. */
void durable_open_gates(struct durable *durable, uint64_t ticket)
{
    size_t count = 0;

    pthread_mutex_lock(&durable->gates_lock);
    while (count < durable->gates.count && durable->gates.at[count].ticket <= ticket)
        outbox_permit(durable->outbox, durable->gates.at[count++].gate);
    durable->gates.count -= count;
    if (count > 0)
        memmove(durable->gates.at, durable->gates.at + count,
                durable->gates.count * sizeof(durable->gates.at[0]));
    pthread_mutex_unlock(&durable->gates_lock);
}

/* The sink's index, and whether it folds repeats; -1: it is not configured any more. */
static int sink_of(const struct outbox_config *config, const char *name, bool *folds,
                   struct error *err)
{
    for (size_t i = 0; i < config->sink_count; i++) {
        struct sink *sink = NULL;
        if (strcmp(config->sinks[i].name, name) != 0)
            continue;
        if (sink_create(&config->sinks[i], false, &sink, err) != 0)
            return -1;
        *folds = !sink_classes[sink_class_of(sink)].keeps_intent;
        sink_destroy(sink);
        return (int)i;
    }
    return -1;
}

/* S3: what another owner had not finished, as far as is known, it may have sent since; and what
 * stood in the journal where it was lost, the run before may have. */
static bool may_be_sent(const struct durable *durable)
{
    return durable->doubt_ms > 0 ||
           (durable->options.unit != NULL && unit_taken_over_ms(durable->options.unit) > 0);
}

static void resume(struct durable *durable, const struct journal_recalled_op *known, int sink,
                   bool folds)
{
    enum op_state state = state_of(known->fate);
    bool is_in_doubt = may_be_sent(durable) && (state == OP_PENDING || state == OP_RETRY);
    struct outbox_resumed *to = &durable->resumed[durable->resumed_count++];

    *to = (struct outbox_resumed){.op = {.id = known->id,
                                         .number = known->number,
                                         .sink = (uint16_t)sink,
                                         .kind = known->kind},
                                  .incident = known->incident->id,
                                  .state = state == OP_PENDING && (folds || is_in_doubt) ? OP_INTENT
                                                                                         : state,
                                  .may_exist = known->may_exist || is_in_doubt,
                                  .attempts = known->attempts,
                                  .age_ms = known->age_ms,
                                  .not_before_ms = known->not_before_ms};
    if (state != OP_DONE)
        to->op.incident = incident_ref(known->incident);
    snprintf(to->remote.ref, sizeof(to->remote.ref), "%.*s", SINK_REF_BYTES - 1, known->reference);
    snprintf(to->remote.label, sizeof(to->remote.label), "%.*s", SINK_LABEL_BYTES - 1,
             known->label);
}

int durable_fill_outbox(struct durable *durable, struct outbox_config *config, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    const char *name = "";
    bool folds = false;
    int sink = -1;

    config->taken_over_ms = durable->doubt_ms;
    config->moved = on_moved;
    config->moved_self = durable;
    durable->resumed = calloc(past->op_count + 1, sizeof(*durable->resumed));
    if (durable->resumed == NULL) {
        error_set(err, "out of memory for %zu ops of the journal", past->op_count);
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; i < past->op_count; i++) {
        if (strcmp(past->ops[i].sink, name) != 0)
            sink = sink_of(config, past->ops[i].sink, &folds, err);
        name = past->ops[i].sink;
        if (sink >= 0)
            resume(durable, &past->ops[i], sink, folds);
        else
            durable->foreign_ops++;
    }
    config->resumed = durable->resumed;
    config->resumed_count = durable->resumed_count;
    return EXIT_OK;
}

/* The outbox takes it, however long that lasts; false at the end of the run: the journal has it. */
bool durable_hand_over(struct durable *durable, const struct op *op)
{
    const struct host *h = host();

    while (!outbox_submit(durable->outbox, op)) {
        if (atomic_load_explicit(&durable->is_stopping, memory_order_relaxed))
            return false;
        h->waker_sleep(h->self, durable->waker, FULL_WAIT_NS);
    }
    return true;
}
