/*
 * incident_list.c - see incident_list.h.
 *
 * An incident's last change says what became of it, its first one who muted it; whether that ended
 * lies between them.
 */
#include "daemon/incident_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "base/severity.h"
#include "base/slab.h"
#include "daemon/plain.h"
#include "daemon/units.h"

enum { SLOTS = 32768, ID_SHOWN = 8 };
_Static_assert(SLOTS > 2 * INCIDENT_LIST_MAX, "half of the slots stay empty");
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "a power of two");

struct listed {
    struct incident *opened, *last; /* its first and its last change; references */
    int64_t unmuted_ms;             /* the first change that nothing muted; INT64_MAX: none */
};

struct incident_list {
    struct listed *at; /* in the order of openings */
    size_t count;
    uint32_t slot[SLOTS]; /* place in `at`, plus one; found by id, open addressing */
    uint64_t opened, closed, muted;
    uint64_t of_priority[PRIORITY_P5 + 1];
};

/* Its slot, or the empty one where it would be. */
static uint32_t *slot_of(struct incident_list *list, struct id128 id)
{
    for (uint64_t i = id.lo;; i++) {
        uint32_t *slot = &list->slot[i & (SLOTS - 1)];
        if (*slot == 0 || id128_equal(list->at[*slot - 1].opened->id, id))
            return slot;
    }
}

struct incident_list *incident_list_create(void)
{
    struct incident_list *list = calloc(1, sizeof(*list));

    if (list != NULL)
        list->at = calloc(INCIDENT_LIST_MAX, sizeof(*list->at));
    if (list != NULL && list->at != NULL)
        return list;
    free(list);
    return NULL;
}

void incident_list_destroy(struct incident_list *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++) {
        incident_unref(list->at[i].opened);
        incident_unref(list->at[i].last);
    }
    free(list->at);
    free(list);
}

static void keep(struct incident_list *list, uint32_t *slot, struct incident *incident)
{
    struct listed *listed = &list->at[list->count++];

    *slot = (uint32_t)list->count;
    *listed = (struct listed){incident_ref(incident), incident_ref(incident),
                              incident->muted_by[0] != '\0' ? INT64_MAX : incident->at_ms};
}

void incident_list_told(struct incident_list *list, struct incident *incident)
{
    uint32_t *slot = slot_of(list, incident->id);
    struct listed *listed = *slot != 0 ? &list->at[*slot - 1] : NULL;

    list->closed += incident->change == INCIDENT_CLOSED;
    if (incident->change == INCIDENT_OPENED) {
        list->opened++;
        list->muted += incident->muted_by[0] != '\0';
        list->of_priority[incident->priority]++;
        if (listed == NULL && list->count < INCIDENT_LIST_MAX)
            keep(list, slot, incident);
    } else if (listed != NULL) {
        if (listed->unmuted_ms == INT64_MAX && incident->change == INCIDENT_UPDATED &&
            incident->muted_by[0] == '\0')
            listed->unmuted_ms = incident->at_ms;
        incident_unref(listed->last);
        listed->last = incident_ref(incident);
    }
}

/* ---- for people ---- */

static void print_end(const struct incident *last, FILE *to)
{
    char span[UNIT_TEXT_BYTES];

    if (last->change == INCIDENT_CLOSED)
        fprintf(to, "closed after %s, %s", unit_format_span(last->at_ms - last->opened_ms, span),
                incident_cause_name(last->cause));
    else
        fputs(last->is_forgotten ? "open, and no longer watched" : "open at the end", to);
}

static void print_listed(const struct listed *listed, FILE *to)
{
    const struct incident *opened = listed->opened, *last = listed->last;
    char id[ID128_TEXT_BYTES], time[UNIT_TEXT_BYTES];

    id128_format(opened->id, id);
    fprintf(to, "%s  %.*s  %s  %s: ", unit_format_time(opened->opened_ms, time), ID_SHOWN, id,
            priority_name((enum priority)opened->priority), opened->rule_id);
    plain_print(opened->title, to);
    fputs("\n  ", to);
    plain_print(opened->key, to);
    fprintf(to, "; %s; %" PRIu32 " alert%s; ", severity_name((enum severity)last->severity),
            last->alert_count, plural(last->alert_count));
    print_end(last, to);
    if (opened->muted_by[0] != '\0') {
        fprintf(to, "; muted by %s", opened->muted_by);
        if (listed->unmuted_ms != INT64_MAX)
            fprintf(to, " until %s", unit_format_time(listed->unmuted_ms, time));
    }
    fputc('\n', to);
}

static void print_sums(const struct incident_list *list, FILE *to)
{
    const char *before = "; ";

    fprintf(to, "%" PRIu64 " incident%s", list->opened, plural(list->opened));
    if (list->opened > list->closed)
        fprintf(to, ", %" PRIu64 " of them open at the end", list->opened - list->closed);
    if (list->muted > 0)
        fprintf(to, "; %" PRIu64 " opened muted", list->muted);
    for (int p = PRIORITY_P1; p <= PRIORITY_P5; p++)
        if (list->of_priority[p] > 0) {
            fprintf(to, "%s%s %" PRIu64, before, priority_name((enum priority)p),
                    list->of_priority[p]);
            before = ", ";
        }
    fputc('\n', to);
}

void incident_list_print(const struct incident_list *list, const struct engine_rule_counters *rules,
                         size_t rule_count, FILE *to)
{
    for (size_t i = 0; i < list->count; i++)
        print_listed(&list->at[i], to);
    if (list->opened > list->count)
        fprintf(to, "and %" PRIu64 " more; the incident log has all of them\n",
                list->opened - list->count);
    print_sums(list, to);
    for (size_t i = 0; i < rule_count; i++) {
        if (rules[i].opened == 0)
            continue;
        fprintf(to, "  %-34s %" PRIu64, rules[i].rule_id, rules[i].opened);
        if (rules[i].open > 0)
            fprintf(to, ", %" PRIu64 " open at the end", rules[i].open);
        fputc('\n', to);
    }
}
