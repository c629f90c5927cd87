/* op_list.c - see op_list.h. */
#include "daemon/op_list.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "sinks/payload.h"

int op_list_read_pick(const struct outbox *outbox, const struct admin_pick *pick,
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
    if (id128_parse(pick->incident, &out->incident))
        return 0;
    error_set(err, "'%.64s' is no incident id: it has 32 digits 0-9 and a-f", pick->incident);
    return -EINVAL;
}

int op_list_write(const char *name, size_t count, size_t shown,
                  json_t *(*row)(const void *self, size_t index), const void *self, FILE *to,
                  struct error *err)
{
    json_t *root = json_object(), *list = json_array(); /* ours */
    int rc = root != NULL && list != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < count && i < shown; i++)
        rc = json_array_append_new(list, row(self, i));
    if (rc == 0)
        rc = json_object_set(root, name, list);
    if (rc == 0)
        rc = payload_set_count(root, "count", count);
    if (rc == 0)
        rc = json_dumpf(root, to, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(list);
    json_decref(root);
    if (rc == 0) {
        fputc('\n', to);
        return 0;
    }
    error_set(err, "out of memory");
    return -ENOMEM;
}
