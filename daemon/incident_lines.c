/* incident_lines.c - see incident_lines.h. */
#include "daemon/incident_lines.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/slab.h"
#include "daemon/incident_log.h"

enum { LINE_BYTES = 64 << 10 };

int incident_lines_read(struct journal_reader *reader, incident_line_fn *take, void *self,
                        struct error *err)
{
    struct journal_record record;
    struct incident incident;
    struct op op = {.incident = &incident};
    char *line = memory_alloc(LINE_BYTES);
    size_t room = LINE_BYTES, bytes;
    int rc;

    memset((void *)&incident, 0, sizeof(incident));
    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1) {
        if (record.kind == JOURNAL_CHANGE) {
            memcpy((void *)&incident, (const void *)&record.change, sizeof(incident));
            bytes = incident_log_change(&incident, line, room);
            if (bytes >= room) {
                room = bytes + 1;
                line = memory_grow(line, room);
                incident_log_change(&incident, line, room);
            }
        } else if (record.kind == JOURNAL_OP) {
            /* Of the change before it, whose time it has. */
            op.id = record.op.id;
            op.number = record.op.number;
            op.kind = record.op.kind;
            incident.id = record.op.incident;
            bytes = incident_log_op(&op, record.op.sink, line, room);
        } else {
            continue;
        }
        take(self, line, bytes);
    }
    free(line);
    return rc;
}

struct id128 incident_line_id(const char *line, size_t bytes)
{
    return hash128(line, bytes, 0);
}

void incident_lines_add(void *self, const char *line, size_t bytes)
{
    struct snapshot_lines *lines = self;
    struct {
        struct id128 before, line;
    } pair = {lines->hash, incident_line_id(line, bytes)};

    lines->hash = hash128(&pair, sizeof(pair), 0);
    lines->last = pair.line;
    lines->count++;
}

int incident_lines_go_on(const struct segment_config *journal, const struct journal_span *span,
                         struct snapshot_lines *lines, struct error *err)
{
    struct journal_reader *reader;
    int rc = journal_reader_create_span(journal, span, &reader, err);

    if (rc != 0)
        return rc;
    rc = incident_lines_read(reader, incident_lines_add, lines, err);
    journal_reader_destroy(reader);
    return rc;
}
