/* dead_ops.c - see dead_ops.h. */
#include "daemon/dead_ops.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include "daemon/log.h"
#include "daemon/op_list.h"
#include "sinks/payload.h"

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

struct rows {
    const struct outbox *outbox;
    const struct outbox_dead_row *row;
};

static json_t *row_at(const void *self, size_t index)
{
    const struct rows *rows = self;

    return row_as_json(rows->outbox, &rows->row[index]);
}

int dead_ops_list(struct outbox *outbox, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct outbox_dead_row *rows = calloc(DEAD_OPS_LISTED_MAX, sizeof(*rows));
    struct outbox_pick picked;
    size_t count = 0;
    int rc = op_list_read_pick(outbox, pick, &picked, err);

    if (rc == 0 && rows == NULL) {
        error_set(err, "out of memory");
        rc = -ENOMEM;
    }
    if (rc == 0 && outbox != NULL)
        count = outbox_dead(outbox, &picked, rows, DEAD_OPS_LISTED_MAX);
    if (rc == 0)
        rc = op_list_write("dead", count, DEAD_OPS_LISTED_MAX, row_at, &(struct rows){outbox, rows},
                           to, err);
    free(rows);
    return rc;
}

int dead_ops_redrive(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                     struct error *err)
{
    struct outbox_redriven redriven = {0};
    struct outbox_pick picked;
    int rc = op_list_read_pick(outbox, pick, &picked, err);

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
