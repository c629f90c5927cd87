/* dead_ops.c - see dead_ops.h. */
#include "daemon/dead_ops.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/log.h"
#include "sinks/payload.h"

static bool read_hex(const char *text, size_t digits, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16)
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

int dead_ops_read_pick(const struct outbox *outbox, const struct admin_pick *pick,
                       struct outbox_pick *out, struct error *err)
{
    *out = (struct outbox_pick){.sink = -1};
    if (pick->sink != NULL) {
        out->sink = outbox != NULL ? outbox_sink_find(outbox, pick->sink) : -1;
        if (out->sink < 0) {
            error_set(err, "there is no sink named '%.64s'", pick->sink);
            return -ENOENT;
        }
    }
    if (pick->incident == NULL)
        return 0;
    out->has_incident = true;
    if (strlen(pick->incident) == 32 && read_hex(pick->incident, 16, &out->incident.hi) &&
        read_hex(pick->incident + 16, 16, &out->incident.lo))
        return 0;
    error_set(err, "'%.64s' is no incident id: it has 32 digits 0-9 and a-f", pick->incident);
    return -EINVAL;
}

/* New reference, NULL when memory is short. */
static json_t *row_as_json(const struct outbox *outbox, const struct outbox_dead_row *row)
{
    char incident[ID128_TEXT_BYTES];
    json_t *object = json_object();
    int rc = 0;

    id128_format(row->incident, incident);
    rc |= payload_set_text(object, "sink", outbox_sink_name(outbox, row->sink), 255);
    rc |= payload_set_text(object, "incident", incident, 255);
    rc |= payload_set_count(object, "number", row->number);
    rc |= payload_set_text(object, "kind", op_kind_name(row->kind), 255);
    rc |= payload_set_text(object, "priority", priority_name(row->priority), 255);
    rc |= payload_set_text(object, "title", row->title, 255);
    rc |= payload_set_time(object, "died_at", row->died_ms);
    rc |= payload_set_count(object, "attempts", row->attempts);
    rc |= payload_set_text(object, "cause", row->cause, 255);
    rc |= payload_set_text(object, "error", row->error, 255);
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

int dead_ops_list(struct outbox *outbox, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct outbox_dead_row *rows = calloc(DEAD_OPS_LISTED_MAX, sizeof(*rows));
    json_t *root = json_object(), *list = json_array(); /* ours */
    struct outbox_pick picked;
    size_t count = 0;
    int rc = dead_ops_read_pick(outbox, pick, &picked, err);

    if (rc != 0)
        goto out;
    rc = -ENOMEM;
    error_set(err, "out of memory");
    if (rows == NULL || json_object_set(root, "dead", list) != 0)
        goto out;
    if (outbox != NULL)
        count = outbox_dead(outbox, &picked, rows, DEAD_OPS_LISTED_MAX);
    for (size_t i = 0; i < count && i < DEAD_OPS_LISTED_MAX; i++)
        if (json_array_append_new(list, row_as_json(outbox, &rows[i])) != 0)
            goto out;
    if (payload_set_count(root, "count", count) != 0 ||
        json_dumpf(root, to, JSON_COMPACT | JSON_PRESERVE_ORDER) != 0)
        goto out;
    fputc('\n', to);
    rc = 0;
out:
    json_decref(list);
    json_decref(root);
    free(rows);
    return rc;
}

int dead_ops_redrive(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                     struct error *err)
{
    struct outbox_redriven redriven = {0};
    struct outbox_pick picked;
    int rc = dead_ops_read_pick(outbox, pick, &picked, err);

    if (rc != 0)
        return rc;
    if (picked.sink < 0 && !picked.has_incident && !pick->all) {
        error_set(err, "say which: sink=NAME, incident=ID, or all=1 for everything");
        return -EINVAL;
    }
    if (outbox != NULL)
        outbox_redrive(outbox, &picked, &redriven);
    log_event(LOG_INFO, "redriven", log_text("sink", pick->sink != NULL ? pick->sink : ""),
              log_text("incident", pick->incident != NULL ? pick->incident : ""),
              log_number("changes", (int64_t)redriven.redriven),
              log_number("busy", (int64_t)redriven.busy));
    fprintf(to, "{\"redriven\":%llu,\"busy\":%llu}\n", (unsigned long long)redriven.redriven,
            (unsigned long long)redriven.busy);
    return 0;
}
