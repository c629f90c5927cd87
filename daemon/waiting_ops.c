/* waiting_ops.c - see waiting_ops.h. */
#include "daemon/waiting_ops.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include "daemon/dead_ops.h"
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

int waiting_ops_list(struct outbox *outbox, const struct admin_pick *pick, FILE *to,
                     struct error *err)
{
    struct outbox_waiting_row *rows = calloc(WAITING_OPS_LISTED_MAX, sizeof(*rows));
    json_t *root = json_object(), *list = json_array(); /* ours */
    struct outbox_pick picked;
    size_t count = 0;
    int rc = dead_ops_read_pick(outbox, pick, &picked, err);

    if (rc == 0 && !picked.has_incident) {
        error_set(err, "say of which incident: incident=ID");
        rc = -EINVAL;
    }
    if (rc != 0)
        goto out;
    rc = -ENOMEM;
    error_set(err, "out of memory");
    if (rows == NULL || json_object_set(root, "waiting", list) != 0)
        goto out;
    if (outbox != NULL)
        count = outbox_waits(outbox, picked.incident, rows, WAITING_OPS_LISTED_MAX);
    for (size_t i = 0; i < count && i < WAITING_OPS_LISTED_MAX; i++)
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
