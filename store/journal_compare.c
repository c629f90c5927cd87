/*
 * journal_compare.c - see journal_compare.h.
 */
#include "store/journal_compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID_BYTES = 600 };

struct journal_compare {
    struct journal_reader *reader;
    uint64_t skip;                /* changes and ops that are not told again */
    struct journal_record record; /* the next change or op */
    struct text raw;
    bool has_record;
    struct journal_filter filter;
    struct journal_about about; /* the change read last */
    struct journal_buffer own;
};

int journal_compare_create(const struct segment_config *config, const struct journal_span *span,
                           const struct journal_filter *filter, struct journal_compare **out,
                           struct error *err)
{
    struct journal_compare *compare = calloc(1, sizeof(*compare));
    int rc;

    if (compare == NULL) {
        error_set(err, "%s: out of memory", config->folder);
        return -ENOMEM;
    }
    compare->skip = span->skip;
    if (filter != NULL)
        compare->filter = *filter;
    rc = journal_reader_create_span(config, span, &compare->reader, err);
    if (rc != 0) {
        free(compare);
        return rc;
    }
    *out = compare;
    return 0;
}

void journal_compare_destroy(struct journal_compare *compare)
{
    if (compare == NULL)
        return;
    journal_reader_destroy(compare->reader);
    journal_buffer_release(&compare->own);
    free(compare);
}

/* Whether the record is something that is told again. */
static bool is_expected(struct journal_compare *compare, const struct journal_record *record)
{
    if (record->kind == JOURNAL_CHANGE) {
        compare->about = (struct journal_about){record->change.opened_ms, record->change.at_ms,
                                                record->change.priority};
        return true;
    }
    return record->kind == JOURNAL_OP &&
           (compare->filter.is_told == NULL ||
            compare->filter.is_told(compare->filter.self, &compare->about, record->op.sink));
}

/* Finds the next change or op. 1, 0 behind the last, or a negative errno. */
static int look(struct journal_compare *compare, struct error *err)
{
    int rc = 1;

    while (!compare->has_record && rc == 1) {
        rc = journal_reader_next(compare->reader, &compare->record, &compare->raw, err);
        if (rc != 1)
            break;
        compare->has_record = is_expected(compare, &compare->record);
        if (compare->skip > 0 && journal_record_is_told(&compare->record)) {
            compare->skip--;
            compare->has_record = false;
        }
    }
    return rc;
}

static void say(const struct journal_record *record, char to[SAID_BYTES])
{
    char id[ID128_TEXT_BYTES];

    if (record->kind == JOURNAL_CHANGE) {
        id128_format(record->change.id, id);
        snprintf(to, SAID_BYTES, "change %" PRIu32 " (%s, %s) of incident %s (rule %.100s, %.200s)",
                 record->change.change_number, incident_change_name(record->change.change),
                 incident_cause_name(record->change.cause), id, record->change.rule_id,
                 record->change.key);
    } else {
        id128_format(record->op.incident, id);
        snprintf(to, SAID_BYTES, "op %" PRIu32 " (%s) of incident %s for sink %.100s",
                 record->op.number, op_kind_name(record->op.kind), id, record->op.sink);
    }
}

static bool is_next(struct journal_compare *compare, const struct journal_record *record,
                    struct error *err)
{
    char now[SAID_BYTES], before[SAID_BYTES];
    int rc = look(compare, err);

    if (rc < 0)
        return false;
    compare->own.bytes.count = 0;
    journal_put(&compare->own, record);
    if (rc == 1 && compare->own.bytes.count == compare->raw.len &&
        memcmp(compare->own.bytes.at, compare->raw.at, compare->raw.len) == 0) {
        compare->has_record = false;
        return true;
    }
    say(record, now);
    if (rc == 0) {
        error_set(err, "the journal knows nothing of %s", now);
        return false;
    }
    say(&compare->record, before);
    error_set(err,
              strcmp(now, before) == 0 ? "the journal has %s with other words or counts%s"
                                       : "the journal has %s, and now there is %s",
              before, strcmp(now, before) == 0 ? "" : now);
    return false;
}

bool journal_compare_change(struct journal_compare *compare, const struct incident *incident,
                            struct error *err)
{
    struct journal_record record = {.kind = JOURNAL_CHANGE};

    memcpy((void *)&record.change, (const void *)incident, sizeof(*incident));
    return is_next(compare, &record, err);
}

bool journal_compare_op(struct journal_compare *compare, const struct op *op, const char *sink,
                        struct error *err)
{
    const struct journal_record record = {.kind = JOURNAL_OP,
                                          .op = {.id = op->id,
                                                 .incident = op->incident->id,
                                                 .number = op->number,
                                                 .kind = op->kind,
                                                 .sink = sink}};

    return is_next(compare, &record, err);
}

bool journal_compare_end(struct journal_compare *compare, struct error *err)
{
    char before[SAID_BYTES];
    int rc = look(compare, err);

    if (rc <= 0)
        return rc == 0;
    say(&compare->record, before);
    error_set(err, "the journal has %s, and now there is none", before);
    return false;
}
