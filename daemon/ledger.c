/* ledger.c - see ledger.h. */
#include "daemon/ledger.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/json_print.h"

/* A field of the counters, and the group that it is printed in. */
struct entry {
    const char *group; /* NULL: the same as above */
    const char *name;
    size_t offset;
};

#define AT(field) offsetof(struct engine_counters, field)

static const struct entry entries[] = {
    {"input", "records", AT(records)},
    {NULL, "record_bytes", AT(record_bytes)},
    {NULL, "redelivered", AT(redelivered)},
    {NULL, "gaps", AT(gaps)},
    {"events", "events", AT(events)},
    {NULL, "derived", AT(derived)},
    {NULL, "rejected_parse", AT(rejected[REJECT_PARSE])},
    {NULL, "rejected_size", AT(rejected[REJECT_SIZE])},
    {NULL, "rejected_depth", AT(rejected[REJECT_DEPTH])},
    {NULL, "rejected_utf8", AT(rejected[REJECT_UTF8])},
    {NULL, "rejected_schema", AT(rejected[REJECT_SCHEMA])},
    {NULL, "rejected_tenant", AT(rejected[REJECT_TENANT])},
    {NULL, "rejected_quota", AT(rejected[REJECT_QUOTA])},
    {NULL, "rejected_crash", AT(rejected[REJECT_CRASH])},
    {NULL, "duplicate", AT(duplicate)},
    {NULL, "unmatched", AT(unmatched)},
    {NULL, "routed", AT(routed)},
    {NULL, "dropped", AT(dropped)},
    {NULL, "in_bins", AT(in_bins)},
    {NULL, "left", AT(left)},
    {"times", "time_clamped", AT(time_clamped)},
    {NULL, "late", AT(late)},
    {NULL, "late_by_seal", AT(late_by_seal)},
    {NULL, "capped", AT(capped)},
    {NULL, "undated", AT(undated)},
    {"enrich", "errors", AT(enrich_errors)},
    {"alerts", "alerts", AT(alerts)},
    {NULL, "opened", AT(alerts_opened)},
    {NULL, "refired", AT(alerts_refired)},
    {NULL, "cleared", AT(alerts_cleared)},
    {NULL, "expired", AT(alerts_expired)},
    {NULL, "evicted", AT(alerts_evicted)},
    {NULL, "flap_begun", AT(flap_begun)},
    {NULL, "flap_ended", AT(flap_ended)},
    {NULL, "flap_folded", AT(flap_folded)},
    {"touches", "touches", AT(touches)},
    {NULL, "correlated", AT(correlated)},
    {NULL, "expired", AT(expired)},
    {NULL, "evicted", AT(evicted)},
    {NULL, "retired", AT(retired)},
    {NULL, "pending", AT(pending)},
    {NULL, "keys", AT(keys)},
    {NULL, "keys_evicted", AT(keys_evicted)},
    {"incidents", "opened", AT(opened)},
    {NULL, "closed", AT(closed)},
    {NULL, "open", AT(open)},
    {NULL, "lost", AT(lost)},
    {NULL, "updates", AT(updates)},
    {NULL, "muted", AT(muted)},
    {NULL, "unmuted", AT(unmuted)},
    {NULL, "withheld", AT(withheld)},
    {NULL, "announced", AT(announced)},
    {NULL, "suppressed_silence", AT(suppressed_silence)},
    {NULL, "suppressed_maintenance", AT(suppressed_maintenance)},
    {NULL, "suppressed_inhibited", AT(suppressed_inhibited)},
    {NULL, "ops", AT(ops)},
};

static uint64_t value_of(const struct ledger *ledger, const struct entry *entry)
{
    return *(const uint64_t *)(const void *)((const char *)&ledger->engine + entry->offset);
}

/* Adds a sentence to what *err holds already. */
static void differ(struct error *err, bool *holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void differ(struct error *err, bool *holds, const char *format, ...)
{
    size_t used = *holds ? 0 : strlen(err->text);
    va_list arguments;

    *holds = false;
    if (used > 0 && used + 2 < sizeof(err->text)) {
        memcpy(err->text + used, "; ", 3);
        used += 2;
    }
    va_start(arguments, format);
    vsnprintf(err->text + used, sizeof(err->text) - used, format, arguments);
    va_end(arguments);
}

static void check_parts(const struct ledger *ledger, struct error *err, bool *holds)
{
    for (size_t i = 0; i < ledger->part_count; i++) {
        const struct engine_part_counters *part = &ledger->parts[i];
        uint64_t moved = (uint64_t)(part->read_offset - part->start_offset);
        uint64_t known = part->records + part->gaps;
        if (ledger->gaps_expected ? moved < known : moved != known)
            differ(err, holds,
                   "L1 does not hold for %s/%" PRId32 ": read - start is %" PRIu64
                   ", records + gaps is %" PRIu64,
                   part->topic, part->partition, moved, known);
    }
}

bool ledger_check(const struct ledger *ledger, struct error *err)
{
    const struct engine_counters *c = &ledger->engine;
    uint64_t in, out = 0;
    bool holds = true;

    check_parts(ledger, err, &holds);
    for (int reason = 0; reason < REJECT_REASON_COUNT; reason++)
        out += c->rejected[reason];
    in = c->events + c->derived;
    out += c->dropped + c->duplicate + c->unmatched + c->routed + c->in_bins + c->left;
    if (in != out)
        differ(err, &holds,
               "L2 does not hold: events + derived is %" PRIu64
               ", rejected + dropped + duplicate + unmatched + routed + in_bins + left is %" PRIu64,
               in, out);
    out = c->correlated + c->expired + c->evicted + c->retired + c->pending;
    if (c->touches != out)
        differ(err, &holds,
               "L3 does not hold: touches is %" PRIu64
               ", correlated + expired + evicted + retired + pending is %" PRIu64,
               c->touches, out);
    if (c->opened != c->closed + c->open)
        differ(err, &holds, "L4 does not hold: opened is %" PRIu64 ", closed + open is %" PRIu64,
               c->opened, c->closed + c->open);
    out =
        c->announced + c->suppressed_silence + c->suppressed_maintenance + c->suppressed_inhibited;
    if (c->opened == c->closed + c->open && (c->untold == 0 ? c->opened != out : c->opened < out))
        differ(err, &holds,
               "L4 does not hold: opened is %" PRIu64
               ", announced + suppressed by silence, maintenance and inhibition is %" PRIu64,
               c->opened, out);
    return holds;
}

void ledger_print_text(const struct ledger *ledger, FILE *to)
{
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        fprintf(to, "%-10s %-22s %12" PRIu64 "\n", entries[i].group != NULL ? entries[i].group : "",
                entries[i].name, value_of(ledger, &entries[i]));
    for (size_t i = 0; i < ledger->part_count; i++) {
        const struct engine_part_counters *part = &ledger->parts[i];
        fprintf(to,
                "%-10s %s/%" PRId32 " start %" PRId64 " read %" PRId64 " records %" PRIu64
                " rejected %" PRIu64 " gaps %" PRIu64 "\n",
                i == 0 ? "partitions" : "", part->topic, part->partition, part->start_offset,
                part->read_offset, part->records, part->rejected, part->gaps);
    }
    for (size_t i = 0, shown = 0; i < ledger->part_count; i++)
        if (ledger->parts[i].shed > 0)
            fprintf(to, "%-10s %s/%" PRId32 " shed %" PRIu64 " spells %" PRIu64 "\n",
                    shown++ == 0 ? "shedding" : "", ledger->parts[i].topic,
                    ledger->parts[i].partition, ledger->parts[i].shed,
                    ledger->parts[i].shed_spells);
    for (size_t i = 0; i < ledger->quota_count; i++)
        fprintf(to, "%-10s %s rejected_quota %" PRIu64 "\n", i == 0 ? "tenants" : "",
                ledger->quotas[i].tenant, ledger->quotas[i].refused);
}

/* Returns owned; NULL when memory is short. */
static json_t *tenants_json(const struct ledger *ledger)
{
    json_t *tenants = json_array();

    for (size_t i = 0; i < ledger->quota_count; i++)
        json_array_append_new(tenants,
                              json_pack("{s:s,s:I}", "tenant", ledger->quotas[i].tenant,
                                        "rejected_quota", (json_int_t)ledger->quotas[i].refused));
    return tenants;
}

bool ledger_print_json(const struct ledger *ledger, FILE *to)
{
    json_t *root = json_object(), *group = NULL, *parts = json_array(); /* all ours */

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        if (entries[i].group != NULL) {
            group = json_object();
            json_object_set_new(root, entries[i].group, group); /* stolen; borrowed below */
        }
        json_object_set_new(group, entries[i].name,
                            json_integer((json_int_t)value_of(ledger, &entries[i])));
    }
    for (size_t i = 0; i < ledger->part_count; i++) {
        const struct engine_part_counters *part = &ledger->parts[i];
        json_t *row =
            json_pack("{s:s,s:i,s:I,s:I,s:I,s:I,s:I}", "topic", part->topic, "partition",
                      (int)part->partition, "start", (json_int_t)part->start_offset, "read",
                      (json_int_t)part->read_offset, "records", (json_int_t)part->records,
                      "rejected", (json_int_t)part->rejected, "gaps", (json_int_t)part->gaps);
        if (part->shed > 0)
            json_object_set_new(row, "shed", json_integer((json_int_t)part->shed));
        json_array_append_new(parts, row); /* stolen */
    }
    json_object_set_new(root, "partitions", parts); /* stolen */
    if (ledger->quota_count > 0)
        json_object_set_new(root, "tenants", tenants_json(ledger));
    return json_print(root, JSON_INDENT(2), to);
}
