/* waiting_ops.c - see waiting_ops.h. */
#include "daemon/waiting_ops.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include "daemon/op_list.h"
#include "sinks/payload.h"

/* New reference, NULL when memory is short. */
static json_t *row_as_json(const struct outbox *outbox, const struct outbox_waiting_row *row)
{
    json_t *object = json_object();
    int rc = 0;

    rc |= payload_set_text(object, "sink", outbox_sink_name(outbox, row->sink), 255);
    rc |= payload_set_text(object, "kind", op_kind_name(row->kind), 255);
    rc |= payload_set_count(object, "number", row->number);
    rc |= payload_set_count(object, "attempts", row->attempts);
    rc |= payload_set_text(object, "reason", row->reason, 255);
    rc |= payload_set_count(object, "delay_ms", row->delay_ms);
    rc |= payload_set_text(object, "error", row->error, 255);
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

struct rows {
    const struct outbox *outbox;
    const struct outbox_waiting_row *row;
};

static json_t *row_at(const void *self, size_t index)
{
    const struct rows *rows = self;

    return row_as_json(rows->outbox, &rows->row[index]);
}

int waiting_ops_list(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                     struct error *err)
{
    struct outbox_waiting_row *rows = calloc(WAITING_OPS_LISTED_MAX, sizeof(*rows));
    struct outbox_pick picked;
    size_t count = 0;
    int rc = op_list_read_pick(outbox, pick, &picked, err);

    if (rc == 0 && !picked.has_incident) {
        error_set(err, "say of which incident: incident=ID");
        rc = -EINVAL;
    } else if (rc == 0 && rows == NULL) {
        error_set(err, "out of memory");
        rc = -ENOMEM;
    }
    if (rc == 0 && outbox != NULL)
        count = outbox_waits(outbox, picked.incident, rows, WAITING_OPS_LISTED_MAX);
    if (rc == 0)
        rc = op_list_write("waiting", count, WAITING_OPS_LISTED_MAX, row_at,
                           &(struct rows){outbox, rows}, to, err);
    free(rows);
    return rc;
}
