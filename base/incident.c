/* incident.c - names and reference counts of what leaves the correlation. See incident.h. */
#include "base/incident.h"

#include <stdlib.h>
#include <string.h>
#include "base/mark.h"
#include "base/slab.h"

static const char *const change_names[] = {"opened", "updated", "closed"};
static const char *const cause_names[INCIDENT_CAUSE_COUNT] = {
    "rule",  "severity", "grew",    "quiet",   "cleared",      "fewer",
    "value", "unlisted", "evicted", "unmuted", "acknowledged", "by-hand"};
static const char *const priority_names[] = {"", "P1", "P2", "P3", "P4", "P5"};
static const char *const op_names[] = {"open", "update", "ack", "resolve"};
static const char *const mark_names[MARK_KIND_COUNT] = {
    "seal",  "cap",  "blind-begin", "blind-end", "join",       "leave",   "switch",
    "crash", "shed", "begin",       "input",     "away-begin", "away-end"};

const char *incident_change_name(enum incident_change change)
{
    return (unsigned)change < 3 ? change_names[change] : "unknown";
}

const char *incident_cause_name(enum incident_cause cause)
{
    return (unsigned)cause < INCIDENT_CAUSE_COUNT ? cause_names[cause] : "unknown";
}

const char *priority_name(enum priority priority)
{
    return (unsigned)priority < 6 ? priority_names[priority] : "";
}

const char *op_kind_name(enum op_kind kind)
{
    return (unsigned)kind < 4 ? op_names[kind] : "unknown";
}

const char *mark_kind_name(enum mark_kind kind)
{
    return (unsigned)kind < MARK_KIND_COUNT ? mark_names[kind] : "unknown";
}

struct text incident_field(const struct incident *incident, unsigned i, bool wants_value)
{
    const char *at = incident->fields;
    struct text text = {"", 0};

    for (unsigned skip = 2 * i + wants_value + 1; skip > 0; skip--) {
        memcpy(&text.len, at, sizeof(text.len));
        text.at = at + sizeof(text.len);
        at = text.at + text.len;
    }
    return text;
}

/* Of all blocks: one change of an incident adds to it once and takes from it once, which is little
 * beside what else is done for a change. */
static _Atomic uint64_t bytes_held;

struct incident *incident_alloc(size_t bytes)
{
    struct incident *incident = memory_alloc(bytes);

    memset((void *)incident, 0, sizeof(*incident));
    incident->block_bytes = (uint32_t)bytes;
    atomic_init(&incident->refs, 1);
    /* relaxed: a figure, nothing is published with it. */
    atomic_fetch_add_explicit(&bytes_held, bytes, memory_order_relaxed);
    return incident;
}

uint64_t incident_bytes_held(void)
{
    return atomic_load_explicit(&bytes_held, memory_order_relaxed);
}

struct incident *incident_ref(struct incident *incident)
{
    /* relaxed: whoever takes a reference holds one already, nothing is published. */
    if (incident != NULL)
        atomic_fetch_add_explicit(&incident->refs, 1, memory_order_relaxed);
    return incident;
}

void incident_unref(struct incident *incident)
{
    /* D, both ends: the last owner's free comes after every other owner's last read. */
    if (incident == NULL ||
        atomic_fetch_sub_explicit(&incident->refs, 1, memory_order_acq_rel) != 1)
        return;
    atomic_fetch_sub_explicit(&bytes_held, incident->block_bytes, memory_order_relaxed);
    free(incident);
}

void id128_format(struct id128 id, char to[ID128_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < 16; i++) {
        to[i] = digits[(id.hi >> (60 - 4 * i)) & 15];
        to[16 + i] = digits[(id.lo >> (60 - 4 * i)) & 15];
    }
    to[32] = '\0';
}

bool id128_parse(const char *text, struct id128 *out)
{
    uint64_t half[2] = {0, 0};

    if (text == NULL || strlen(text) != ID128_TEXT_BYTES - 1)
        return false;
    for (int i = 0; i < ID128_TEXT_BYTES - 1; i++) {
        char c = text[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && (c < 'a' || c > 'f'))
            return false;
        half[i / 16] = half[i / 16] << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *out = (struct id128){half[0], half[1]};
    return true;
}
