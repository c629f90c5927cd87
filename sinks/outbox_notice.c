/*
 * outbox_notice.c - self-alerts that no rule can make, sent to the sinks that work.
 *
 *   sink-held       a sink refuses our credentials (O6)
 *   outbox-filling  80 % of the bound of O7 are in use, until less than 70 % are
 *   input-lost      nothing of the input can be read, as the daemon says
 *   ledger-mismatch tocsin's own counts do not add up, as the outbox or the daemon says
 *   memory-short    the memory budget is nearly used up (F7), as the daemon says
 *   clock-off       the clock that the run goes by is not that of its input (T6), as the daemon
 * says not-running     a start is refused (D4), as the daemon says that ends with it; the next one
 * that is not tells the end
 *
 * They are incidents of tenant @tocsin with an open and a resolve, but not of the engine:
 * what sinks answer is no function of records and marks, so it must not reach the incident
 * log or a rule (X1, X2), and at the bound, or with no input at all, the engine's time stands
 * still and it could tell nobody.
 * They are made here and go straight into the queues, before all that waits there.
 *
 * Each turn compares what is with what each sink was told. So a sink that was held itself
 * is told later, and one that cannot be told now is told when it can.
 *
 * A sink is often held until tocsin is started anew with another key: its spell goes on in the next
 * process, from what was noted of it. The note comes before the word, as with refusals.
 */
#include "sinks/outbox_queue.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"

/* What is the same for all spells of a condition. */
struct notice_kind {
    const char *check; /* also the rule's id */
    const char *message;
};

static const struct notice_kind sink_held = {
    "sink-held", "Nothing is delivered to this sink, and nothing is given up: one attempt in five "
                 "minutes asks whether the account works again. A changed key in tocsin's "
                 "configuration needs a restart."};
static const struct notice_kind outbox_filling = {
    "outbox-filling", "Sinks take less than comes in. When the outbox is full, input pauses until "
                      "they have taken some; nothing is dropped."};
static const struct notice_kind input_lost = {
    "input-lost", "Nothing is correlated and no time passes for rules until Kafka can be read "
                  "again; then it goes on where it stopped. What breaks meanwhile is not told."};

static const struct notice_kind ledger_mismatch = {
    "ledger-mismatch", "tocsin counted its own state twice and came to two results, which is a "
                       "mistake of tocsin: keep its data directory and its log, and report it. It "
                       "goes on."};

static const struct notice_kind memory_short = {
    "memory-short", "Partitions that are ahead of others wait, so that less is held. If it goes on "
                    "growing, an allocation fails, or the system ends the process; it then goes on "
                    "from its data directory. Give it more memory, or lower its bounds "
                    "(engine.alerts.max, max_keys of rules, outbox.bytes.max)."};

static const struct notice_kind clock_off = {
    "clock-off",
    "Records are capped at that clock, what has no time of its own is dated by it, and "
    "what is told when nothing comes goes by it. Set the machine's clock and start "
    "tocsin again: it goes on by the clock of its start, and with a data directory "
    "never by an earlier one than before. If the clock is right, that of all who "
    "stamp the records is not."};

static const struct notice_kind not_running = {
    "not-running",
    "Nothing is correlated, and nobody is told of anything, until tocsin runs again. "
    "What is said above names the way out, and so does its log."};

/* As notices of held sinks are: what becomes of their ends is asked for. */
static bool create_ends(struct outbox_notice *notice, size_t count)
{
    notice->told = calloc(count, sizeof(bool));
    notice->owes = calloc(count, sizeof(bool));
    notice->ends = calloc(count, sizeof(struct outbox_word));
    return notice->told != NULL && notice->owes != NULL && notice->ends != NULL;
}

static void destroy_ends(struct outbox_notice *notice)
{
    free(notice->told);
    free(notice->owes);
    free(notice->ends);
}

bool outbox_notices_create(struct outbox_core *core)
{
    /* One more than needed: calloc(0) may return NULL. */
    size_t count = core->queue_count + 1;
    bool is_made;

    core->fill_notice.told = calloc(count, sizeof(bool));
    core->input_notice.told = calloc(count, sizeof(bool));
    core->ledger_notice.told = calloc(count, sizeof(bool));
    core->memory_notice.told = calloc(count, sizeof(bool));
    core->clock_notice.told = calloc(count, sizeof(bool));
    core->refusal_notice =
        (struct outbox_notice){.told = calloc(count, sizeof(bool)),
                               .words = calloc(count, sizeof(struct outbox_word)),
                               .hearings = calloc(count, sizeof(struct outbox_hearing)),
                               .is_of_reason = true};
    is_made = core->fill_notice.told != NULL && core->input_notice.told != NULL &&
              core->ledger_notice.told != NULL && core->memory_notice.told != NULL &&
              core->clock_notice.told != NULL && core->refusal_notice.told != NULL &&
              core->refusal_notice.words != NULL && core->refusal_notice.hearings != NULL;
    for (size_t i = 0; i < core->queue_count; i++)
        is_made = create_ends(&core->queues[i].held_notice, count) && is_made;
    return is_made;
}

void outbox_notices_destroy(struct outbox_core *core)
{
    free(core->fill_notice.told);
    free(core->input_notice.told);
    free(core->ledger_notice.told);
    free(core->memory_notice.told);
    free(core->clock_notice.told);
    free(core->refusal_notice.told);
    free(core->refusal_notice.words);
    free(core->refusal_notice.hearings);
    free(core->endings);
    for (size_t i = 0; i < core->queue_count; i++)
        destroy_ends(&core->queues[i].held_notice);
    for (size_t i = 0; i < core->gone_count; i++)
        destroy_ends(&core->gone[i].notice);
    free(core->gone);
}

/* ---- ops ---- */

static struct id128 hash_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of the text, in which each | becomes a zero byte. */
static struct id128 hash_text(const char *format, ...)
{
    char text[1024];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length >= (int)sizeof(text))
        length = (int)sizeof(text) - 1;
    for (int i = 0; i < length; i++)
        if (text[i] == '|')
            text[i] = '\0';
    return hash128(text, (size_t)length, 0);
}

static struct id128 incident_id(const struct outbox_notice *notice, const struct notice_kind *kind,
                                const char *key)
{
    return notice->is_of_reason
               ? hash_text("@tocsin|%s|%s|outbox|%s", kind->check, key, notice->why)
               : hash_text("@tocsin|%s|%s|outbox|%" PRId64, kind->check, key, notice->since_ms);
}

static void make_key(const char *subject, char key[NOTICE_TEXT_BYTES])
{
    snprintf(key, NOTICE_TEXT_BYTES, "tenant=@tocsin resource=%s", subject);
}

static struct incident *make_incident(const struct outbox_notice *notice,
                                      const struct notice_kind *kind, const char *subject,
                                      enum op_kind op)
{
    char key[NOTICE_TEXT_BYTES];
    struct incident *incident;
    const char *texts[6] = {key, notice->title, notice->why, subject, kind->check, kind->message};
    size_t bytes = sizeof(*incident);
    char *to;

    make_key(subject, key);
    for (size_t i = 0; i < 6; i++)
        bytes += strlen(texts[i]) + 1;
    incident = incident_alloc(bytes);
    to = (char *)(incident + 1);
    for (size_t i = 0; i < 6; i++) {
        size_t length = strlen(texts[i]) + 1;
        memcpy(to, texts[i], length);
        texts[i] = to;
        to += length;
    }
    incident->id = incident_id(notice, kind, texts[0]);
    incident->change = op == OP_OPEN ? INCIDENT_OPENED : INCIDENT_CLOSED;
    incident->cause = op == OP_OPEN ? CAUSE_RULE : CAUSE_CLEARED;
    incident->at_ms = op == OP_OPEN ? notice->since_ms : host_wall_ms();
    incident->opened_ms = incident->first_ts_ms = notice->since_ms;
    incident->change_number = op == OP_OPEN ? 1 : 2;
    incident->severity = SEVERITY_CRITICAL;
    incident->priority = PRIORITY_P1; /* passes every sink's limit, and is tried for ever */
    incident->event_count = incident->alert_count = 1;
    incident->open_count = op == OP_OPEN;
    incident->tenant = "@tocsin";
    incident->rule_id = texts[4];
    incident->key = texts[0];
    incident->title = texts[1];
    incident->why = texts[2];
    incident->source = "tocsin";
    incident->resource = texts[3];
    incident->check = texts[4];
    incident->message = texts[5];
    incident->tier = incident->runbook = incident->team = incident->host = "";
    incident->muted_by = incident->acked_by = incident->by = incident->comment = "";
    return incident;
}

/* Gives one sink the op, `word` of which is told what becomes of it. `may_exist`: a former process
 * told it the same. False when it cannot be now. */
static bool tell(struct outbox_queue *queue, const struct outbox_notice *notice,
                 const struct notice_kind *kind, const char *subject, enum op_kind op_kind,
                 struct outbox_word *word, bool may_exist)
{
    struct outbox_core *core = queue->core;
    struct op op = {.number = op_kind == OP_OPEN ? 1 : 2,
                    .sink = (uint16_t)(queue - core->queues),
                    .kind = (uint8_t)op_kind};
    char incident[ID128_TEXT_BYTES];
    struct outbox_op *copy;

    if (queue->notices_waiting >= NOTICES_MAX)
        return false;
    op.incident = make_incident(notice, kind, subject, op_kind);
    id128_format(op.incident->id, incident);
    op.id = hash_text("%s|%s|%" PRIu32, incident, queue->sink->name, op.number);
    copy = outbox_op_create(&op);
    if (copy == NULL) {
        incident_unref(op.incident);
        return false;
    }
    copy->account = ACCOUNT_NOTICE;
    copy->is_notice = true;
    copy->word = word;
    copy->may_exist = copy->is_begun = may_exist;
    copy->wants_find = may_exist && sink_has_tickets(queue->sink);
    queue->notices_waiting++;
    queue->counters.notices++;
    outbox_core_take(core, copy);
    return true;
}

/* ---- conditions ---- */

static void begin(struct outbox_notice *notice)
{
    int64_t now_ms = host_wall_ms();

    notice->is_active = true;
    notice->since_ms = now_ms > notice->since_ms ? now_ms : notice->since_ms + 1;
}

/* Opens it at one sink. What a former process may have told it of keeps its begin, which is in what
 * the sink shows. */
static bool open_at(struct outbox_queue *queue, const struct outbox_notice *notice,
                    const struct notice_kind *kind, const char *subject)
{
    size_t sink = (size_t)(queue - queue->core->queues);
    struct outbox_word *word = notice->words != NULL ? &notice->words[sink] : NULL;
    const struct outbox_hearing *hearing =
        notice->hearings != NULL ? &notice->hearings[sink] : NULL;
    struct outbox_notice again;

    if (hearing == NULL || hearing->heard == OUTBOX_HEARD_NOTHING)
        return tell(queue, notice, kind, subject, OP_OPEN, word, false);
    if (hearing->heard == OUTBOX_HEARD_IT)
        return false;
    again = *notice;
    again.since_ms = hearing->since_ms;
    return tell(queue, &again, kind, subject, OP_OPEN, word, true);
}

/* Makes what each sink was told the same as what is. A spell ends only when all that were
 * told of it have been told so. */
static void spread(struct outbox_core *core, struct outbox_notice *notice,
                   const struct notice_kind *kind, const char *subject)
{
    for (size_t i = 0; i < core->queue_count; i++) {
        struct outbox_queue *queue = &core->queues[i];
        if (notice->told[i] == notice->is_active)
            continue;
        if (notice->is_active && (queue->is_held || !sink_settings(queue->sink)->self_alerts))
            continue;
        if (notice->is_active ? open_at(queue, notice, kind, subject)
                              : tell(queue, notice, kind, subject, OP_RESOLVE,
                                     notice->ends != NULL ? &notice->ends[i] : NULL, false))
            notice->told[i] = notice->is_active;
        if (notice->owes != NULL && notice->told[i])
            notice->owes[i] = true;
    }
}

/* All that were told of the last spell have been told of its end. */
static bool is_settled(const struct outbox_core *core, const struct outbox_notice *notice)
{
    for (size_t i = 0; i < core->queue_count; i++)
        if (notice->told[i])
            return false;
    return true;
}

/* ---- sinks that are held ---- */

static void name_hold(struct outbox_notice *notice, const char *sink)
{
    snprintf(notice->title, sizeof(notice->title),
             "tocsin cannot page: sink %.64s refuses its credentials", sink);
}

/* Ends of the spell before that are under way still: nobody asks about them any more. */
static void forget_ends(struct outbox_core *core, struct outbox_notice *notice, const char *sink)
{
    char key[NOTICE_TEXT_BYTES];
    struct outbox_chain *chain;

    make_key(sink, key);
    for (size_t i = 0; i < core->queue_count; i++) {
        chain = outbox_chain_find(&core->queues[i], incident_id(notice, &sink_held, key));
        for (struct outbox_op *op = chain != NULL ? chain->first : NULL; op != NULL; op = op->next)
            op->word = NULL;
        atomic_store_explicit(&notice->ends[i].is_over, false, memory_order_relaxed);
        notice->owes[i] = false;
    }
}

/* Whether a sink has been told of it and has not its end. */
static bool is_owed(const struct outbox_core *core, const struct outbox_notice *notice)
{
    for (size_t i = 0; i < core->queue_count; i++)
        if (notice->owes[i] && (notice->told[i] || !atomic_load_explicit(&notice->ends[i].is_over,
                                                                         memory_order_relaxed)))
            return true;
    return false;
}

int64_t outbox_hold_since_ms(const struct outbox_queue *queue)
{
    const struct outbox_notice *notice = &queue->held_notice;

    return notice->is_active || is_owed(queue->core, notice) ? notice->since_ms : 0;
}

static void look_at_hold(struct outbox_core *core, struct outbox_queue *queue)
{
    struct outbox_notice *notice = &queue->held_notice;

    if (queue->is_held) {
        notice->is_former = false;
        if (!notice->is_active && is_settled(core, notice)) {
            forget_ends(core, notice, queue->sink->name);
            begin(notice);
            name_hold(notice, queue->sink->name);
            snprintf(notice->why, sizeof(notice->why), "%s", queue->counters.last_error);
        }
    } else if (notice->is_former) {
        return; /* as far as anybody knows it goes on */
    } else {
        notice->is_active = false;
    }
    if (!notice->is_active || !core->notes_holds || queue->held_noted_ms == notice->since_ms)
        spread(core, notice, &sink_held, queue->sink->name);
}

/* Its spell of a former process: whoever listens to self-alerts was told, but for itself. */
static void take_hold(struct outbox_core *core, struct outbox_notice *notice,
                      const struct outbox_hold *hold)
{
    notice->since_ms = hold->since_ms;
    name_hold(notice, hold->sink);
    snprintf(notice->why, sizeof(notice->why), "%s", hold->why);
    notice->is_active = notice->is_former = true;
    for (size_t i = 0; i < core->queue_count; i++) {
        const struct outbox_queue *queue = &core->queues[i];
        notice->told[i] = notice->owes[i] =
            &queue->held_notice != notice && sink_settings(queue->sink)->self_alerts;
    }
}

bool outbox_core_take_holds(struct outbox_core *core, const struct outbox_hold *list, size_t count,
                            bool notes_holds)
{
    /* One more than needed: calloc(0) may return NULL. */
    core->gone = calloc(count + 1, sizeof(core->gone[0]));
    if (core->gone == NULL)
        return false;
    core->notes_holds = notes_holds;
    core->gone_count = count;
    for (size_t i = 0; i < count; i++) {
        struct outbox_gone *gone = &core->gone[i];
        struct outbox_notice *notice = &gone->notice;
        if (!create_ends(notice, core->queue_count + 1))
            return false;
        for (size_t sink = 0; sink < core->queue_count; sink++)
            if (strcmp(core->queues[sink].sink->name, list[i].sink) == 0) {
                notice = &core->queues[sink].held_notice;
                core->queues[sink].held_noted_ms = list[i].since_ms;
            }
        snprintf(gone->sink, sizeof(gone->sink), "%s", notice == &gone->notice ? list[i].sink : "");
        take_hold(core, notice, &list[i]);
    }
    return true;
}

void outbox_core_note_hold(struct outbox_core *core, size_t sink, int64_t since_ms)
{
    if (since_ms != 0)
        core->queues[sink].held_noted_ms = since_ms;
}

bool outbox_core_hold_over(const struct outbox_core *core, size_t index)
{
    return atomic_load_explicit(&core->gone[index].is_over, memory_order_relaxed);
}

/* Nothing goes to a sink that is not there any more: with a start that runs it is over. */
static void end_gone(struct outbox_core *core)
{
    for (size_t i = 0; core->ends_refusals && i < core->gone_count; i++) {
        struct outbox_gone *gone = &core->gone[i];
        if (gone->sink[0] == '\0')
            continue;
        gone->notice.is_active = false;
        spread(core, &gone->notice, &sink_held, gone->sink);
        atomic_store_explicit(&gone->is_over, !is_owed(core, &gone->notice), memory_order_relaxed);
    }
}

/* ---- what others say ---- */

static double fill_of(const struct outbox_core *core)
{
    double by_ops = (double)core->waiting_count / (double)core->ops_max;
    double by_bytes = (double)core->waiting_bytes / (double)core->bytes_max;

    return by_ops > by_bytes ? by_ops : by_bytes;
}

static void describe_fill(const struct outbox_core *core, struct outbox_notice *notice, double fill)
{
    const struct outbox_queue *worst = &core->queues[0];

    for (size_t i = 1; i < core->queue_count; i++)
        if (core->queues[i].counters.waiting > worst->counters.waiting)
            worst = &core->queues[i];
    snprintf(notice->title, sizeof(notice->title),
             "tocsin falls behind: its outbox is %.0f %% full, most of it for sink %.64s",
             100 * fill, worst->sink->name);
    snprintf(notice->why, sizeof(notice->why),
             "%zu of %zu changes and %" PRIu64 " of %" PRIu64 " MiB wait; for %.64s %" PRIu64
             ": %s",
             core->waiting_count, core->ops_max, core->waiting_bytes >> 20, core->bytes_max >> 20,
             worst->sink->name, worst->counters.waiting,
             worst->counters.last_error[0] != '\0' ? worst->counters.last_error : "it is slow");
}

static void look_at_fill(struct outbox_core *core)
{
    struct outbox_notice *notice = &core->fill_notice;
    double fill = fill_of(core);

    if (fill >= OUTBOX_FILLING && !notice->is_active && is_settled(core, notice)) {
        begin(notice);
        describe_fill(core, notice, fill);
    } else if (fill < OUTBOX_DRAINED) {
        notice->is_active = false;
    }
    spread(core, notice, &outbox_filling, "outbox");
}

void outbox_core_tell_input(struct outbox_core *core, const char *why)
{
    snprintf(core->input_why, sizeof(core->input_why), "%s", why);
}

/* One that others tell of: it lasts while there is something to say. */
static void look_at_told(struct outbox_core *core, struct outbox_notice *notice,
                         const struct notice_kind *kind, const char *subject, const char *title,
                         const char *why)
{
    if (why[0] != '\0' && !notice->is_active && is_settled(core, notice)) {
        begin(notice);
        snprintf(notice->title, sizeof(notice->title), "%s", title);
        snprintf(notice->why, sizeof(notice->why), "%s", why);
    } else if (why[0] == '\0') {
        notice->is_active = false;
    }
    spread(core, notice, kind, subject);
}

void outbox_core_tell_memory(struct outbox_core *core, const char *why)
{
    snprintf(core->memory_why, sizeof(core->memory_why), "%s", why);
}

void outbox_core_tell_clock(struct outbox_core *core, const char *why)
{
    snprintf(core->clock_why, sizeof(core->clock_why), "%s", why);
}

void outbox_core_tell_ledger(struct outbox_core *core, const char *why)
{
    snprintf(core->ledger_why, sizeof(core->ledger_why), "%s", why);
}

void outbox_core_take_hearings(struct outbox_core *core, const struct outbox_hearing *hearings)
{
    for (size_t i = 0; i < core->queue_count; i++)
        core->refusal_notice.hearings[i] = hearings[i];
}

void outbox_core_tell_refusal(struct outbox_core *core, const char *why)
{
    snprintf(core->refusal_why, sizeof(core->refusal_why), "%s", why);
}

bool outbox_core_refusal_told(const struct outbox_core *core, size_t sink)
{
    return atomic_load_explicit(&core->refusal_notice.words[sink].has_left, memory_order_relaxed);
}

bool outbox_core_refusal_confirmed(const struct outbox_core *core, size_t sink)
{
    return atomic_load_explicit(&core->refusal_notice.words[sink].is_done, memory_order_relaxed);
}

bool outbox_core_take_refusals(struct outbox_core *core, const struct outbox_refusal *list,
                               size_t count)
{
    /* One more than needed: calloc(0) may return NULL. */
    core->endings = calloc(count + 1, sizeof(core->endings[0]));
    if (core->endings == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        core->endings[i].refusal = list[i];
    core->ending_count = count;
    return true;
}

void outbox_core_end_refusals(struct outbox_core *core)
{
    core->ends_refusals = true;
}

bool outbox_core_refusal_ended(const struct outbox_core *core, size_t index)
{
    return atomic_load_explicit(&core->endings[index].word.is_over, memory_order_relaxed);
}

static const char not_running_title[] =
    "tocsin is not running: it cannot go on from its data directory";

/* Whoever was told of one hears of its end as of the same incident: its id is that of the reason.
 * A sink that is held, or has as many self-alerts waiting as it may, hears of it later. */
static void end_refusals(struct outbox_core *core)
{
    for (size_t i = 0; core->ends_refusals && i < core->ending_count; i++) {
        struct outbox_ending *ending = &core->endings[i];
        struct outbox_queue *queue = &core->queues[ending->refusal.sink];
        struct outbox_notice notice = {.since_ms = ending->refusal.since_ms, .is_of_reason = true};
        if (ending->is_taken || queue->is_held)
            continue;
        snprintf(notice.title, sizeof(notice.title), "%s", not_running_title);
        snprintf(notice.why, sizeof(notice.why), "%s", ending->refusal.why);
        ending->is_taken =
            tell(queue, &notice, &not_running, "data.dir", OP_RESOLVE, &ending->word, false);
    }
}

void outbox_notices_look(struct outbox_core *core)
{
    for (size_t i = 0; i < core->queue_count; i++)
        look_at_hold(core, &core->queues[i]);
    if (core->queue_count > 0) {
        look_at_fill(core);
        look_at_told(core, &core->input_notice, &input_lost, "input",
                     "tocsin is blind: nothing of its input can be read", core->input_why);
        /* It has no end: what was counted wrongly stays so until the next start. */
        look_at_told(core, &core->ledger_notice, &ledger_mismatch, "ledger",
                     "tocsin's own counts do not add up: its state may be wrong", core->ledger_why);
        look_at_told(core, &core->memory_notice, &memory_short, "memory",
                     "tocsin has nearly used up its memory budget", core->memory_why);
        look_at_told(core, &core->clock_notice, &clock_off, "clock",
                     "tocsin goes by another clock than its input", core->clock_why);
        look_at_told(core, &core->refusal_notice, &not_running, "data.dir", not_running_title,
                     core->refusal_why);
        end_refusals(core);
        end_gone(core);
    }
}
