/*
 * journal_trust.c - see journal_trust.h.
 *
 * One table holds both what became of an incident (sink 0: changes) and what a sink was told of it
 * (1 and up: ops): how many the journal has, how many have been told again, and whether there is an
 * end among them.
 */
#include "store/journal_trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/vector.h"

enum { SLOTS_MIN = 1024 };

struct standing {
    struct id128 incident;
    uint32_t sink;        /* 0: the incident itself; else 1 + its place in names */
    uint32_t before, now; /* changes, or the number of the last op */
    bool ended_before, ended_now;
    bool differs; /* of the incident itself; once all has been told again */
};

struct journal_trust {
    const struct segment_config *config;
    struct journal_trust_hooks hooks;
    struct journal_filter filter;
    struct journal_about about; /* the change read last */
    struct journal_span span;
    bool is_over; /* all has been told again */
    uint64_t count[JOURNAL_DIFFERENCES], listed;
    VECTOR_OF(char *) names; /* of sinks; owned */
    VECTOR_OF(struct standing) standings;
    size_t *slots; /* 1 + place in standings; 0: free */
    size_t slot_count;
};

/* ---- the table ---- */

static size_t *slot_of(const struct journal_trust *trust, struct id128 incident, uint32_t sink)
{
    size_t slot = hash_mix(incident.lo ^ incident.hi ^ sink) & (trust->slot_count - 1), at;

    for (; (at = trust->slots[slot]) != 0; slot = (slot + 1) & (trust->slot_count - 1)) {
        const struct standing *found = &trust->standings.at[at - 1];
        if (found->sink == sink && id128_equal(found->incident, incident))
            break;
    }
    return &trust->slots[slot];
}

static void renew(struct journal_trust *trust, size_t slot_count)
{
    free(trust->slots);
    trust->slot_count = slot_count;
    trust->slots = memory_alloc(slot_count * sizeof(*trust->slots));
    memset(trust->slots, 0, slot_count * sizeof(*trust->slots));
    for (size_t i = 0; i < trust->standings.count; i++)
        *slot_of(trust, trust->standings.at[i].incident, trust->standings.at[i].sink) = i + 1;
}

/* NULL: the journal knows nothing of it. */
static struct standing *find(const struct journal_trust *trust, struct id128 incident,
                             uint32_t sink)
{
    size_t at = *slot_of(trust, incident, sink);

    return at > 0 ? &trust->standings.at[at - 1] : NULL;
}

static struct standing *make(struct journal_trust *trust, struct id128 incident, uint32_t sink)
{
    struct standing *found = find(trust, incident, sink);

    if (found != NULL)
        return found;
    if (2 * (trust->standings.count + 1) > trust->slot_count)
        renew(trust, 2 * trust->slot_count);
    vector_add(&trust->standings) = (struct standing){.incident = incident, .sink = sink};
    *slot_of(trust, incident, sink) = trust->standings.count;
    return &trust->standings.at[trust->standings.count - 1];
}

/* 1 + the place of its name. */
static uint32_t sink_of(struct journal_trust *trust, const char *name)
{
    size_t bytes = strlen(name) + 1, i = 0;
    char *copy;

    while (i < trust->names.count && strcmp(trust->names.at[i], name) != 0)
        i++;
    if (i == trust->names.count) {
        copy = memory_alloc(bytes);
        memcpy(copy, name, bytes);
        vector_add(&trust->names) = copy;
    }
    return (uint32_t)i + 1;
}

/* ---- what the journal has ---- */

static void take(struct journal_trust *trust, const struct journal_record *record)
{
    struct standing *standing;

    if (record->kind == JOURNAL_CHANGE) {
        standing = make(trust, record->change.id, 0);
        standing->before++;
        standing->ended_before |= record->change.change == INCIDENT_CLOSED;
        trust->about = (struct journal_about){record->change.opened_ms, record->change.at_ms,
                                              record->change.priority};
    } else if (record->kind == JOURNAL_OP &&
               (trust->filter.is_told == NULL ||
                trust->filter.is_told(trust->filter.self, &trust->about, record->op.sink))) {
        standing = make(trust, record->op.incident, sink_of(trust, record->op.sink));
        if (record->op.number > standing->before)
            standing->before = record->op.number;
        standing->ended_before |= record->op.kind == OP_RESOLVE;
    }
}

/* Goes through the span; what is done with a record is `each`'s. */
static int read_groups(struct journal_trust *trust,
                       void (*each)(struct journal_trust *trust,
                                    const struct journal_record *record),
                       struct error *err)
{
    struct journal_reader *reader;
    struct journal_record record;
    uint64_t skip = trust->span.skip;
    int rc = journal_reader_create_span(trust->config, &trust->span, &reader, err);

    if (rc != 0)
        return rc;
    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1) {
        if (skip > 0 && journal_record_is_told(&record))
            skip--;
        else
            each(trust, &record);
    }
    journal_reader_destroy(reader);
    return rc < 0 ? rc : 0;
}

int journal_trust_create(const struct segment_config *config, const struct journal_span *span,
                         const struct journal_filter *filter,
                         const struct journal_trust_hooks *hooks, struct journal_trust **out,
                         struct error *err)
{
    struct journal_trust *trust = calloc(1, sizeof(*trust));
    int rc;

    if (trust == NULL) {
        error_set(err, "%s: out of memory", config->folder);
        return -ENOMEM;
    }
    trust->config = config;
    trust->span = *span;
    trust->hooks = *hooks;
    if (filter != NULL)
        trust->filter = *filter;
    renew(trust, SLOTS_MIN);
    rc = read_groups(trust, take, err);
    if (rc != 0) {
        journal_trust_destroy(trust);
        return rc;
    }
    *out = trust;
    return 0;
}

void journal_trust_destroy(struct journal_trust *trust)
{
    if (trust == NULL)
        return;
    for (size_t i = 0; i < trust->names.count; i++)
        free(trust->names.at[i]);
    free(trust->names.at);
    free(trust->standings.at);
    free(trust->slots);
    free(trust);
}

/* ---- what is told ---- */

static void list(struct journal_trust *trust, const struct incident *incident,
                 enum journal_difference what)
{
    trust->count[what]++;
    if (trust->listed++ < JOURNAL_LISTED_MAX)
        trust->hooks.differs(trust->hooks.self, incident, what);
}

bool journal_trust_change(struct journal_trust *trust, const struct incident *incident)
{
    struct standing *standing = find(trust, incident->id, 0);
    bool ends = incident->change == INCIDENT_CLOSED;

    if (standing == NULL) {
        if (!trust->is_over && incident->change == INCIDENT_OPENED)
            list(trust, incident, JOURNAL_FRESH);
        return true;
    }
    standing->now++;
    standing->ended_now |= ends;
    return !standing->ended_before && (trust->is_over || ends);
}

bool journal_trust_op(struct journal_trust *trust, struct id128 incident, enum op_kind kind,
                      const char *sink, uint32_t *number)
{
    const struct standing *of = find(trust, incident, 0);
    const uint32_t at = sink_of(trust, sink);
    struct standing *standing;
    bool ends = kind == OP_RESOLVE, is_closed;

    if (of == NULL)
        return true;
    is_closed = of->ended_before;
    standing = find(trust, incident, at);
    if (standing == NULL && trust->is_over)
        return !is_closed; /* this sink was told nothing, so there is nothing to repeat */
    if (standing == NULL) {
        standing = make(trust, incident, at);
        standing->ended_before = true; /* and it stays so */
    }
    if (!trust->is_over) {
        standing->now = *number;
        standing->ended_now |= ends;
    }
    if (is_closed || standing->ended_before || kind == OP_OPEN || (!trust->is_over && !ends))
        return false;
    *number = ++standing->before;
    standing->ended_before = ends;
    return true;
}

/* ---- the end ---- */

/* Lists an incident of the journal, at its first change, if it differs. */
static void list_record(struct journal_trust *trust, const struct journal_record *record)
{
    const struct standing *standing;

    if (record->kind != JOURNAL_CHANGE || record->change.change != INCIDENT_OPENED)
        return;
    standing = find(trust, record->change.id, 0);
    if (standing != NULL && standing->differs)
        list(trust, &record->change, standing->now == 0 ? JOURNAL_GONE : JOURNAL_OTHER);
}

/* Keeps what is of incidents that differ: all others go on as the engine tells them. */
static void forget_equals(struct journal_trust *trust)
{
    size_t kept = 0;

    for (size_t i = 0; i < trust->standings.count; i++)
        if (find(trust, trust->standings.at[i].incident, 0)->differs)
            trust->standings.at[i].differs = true;
    for (size_t i = 0; i < trust->standings.count; i++)
        if (trust->standings.at[i].differs)
            trust->standings.at[kept++] = trust->standings.at[i];
    trust->standings.count = kept;
    renew(trust, trust->slot_count);
}

int journal_trust_end(struct journal_trust *trust, uint64_t count[JOURNAL_DIFFERENCES],
                      struct error *err)
{
    bool differ = false;
    int rc = 0;

    for (size_t i = 0; i < trust->standings.count; i++) {
        const struct standing *of = &trust->standings.at[i];
        if (of->before == of->now && of->ended_before == of->ended_now)
            continue;
        find(trust, of->incident, 0)->differs = true;
        differ = true;
    }
    trust->is_over = true;
    if (differ)
        rc = read_groups(trust, list_record, err);
    forget_equals(trust);
    memcpy(count, trust->count, sizeof(trust->count));
    return rc;
}
