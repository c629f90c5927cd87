/*
 * history_answer.c - see history_answer.h.
 */
#include "daemon/history_answer.h"

#include <errno.h>
#include "base/host.h"
#include "daemon/history_json.h"
#include "daemon/json_print.h"
#include "daemon/units.h"

enum { ROWS_DEFAULT = 100 };

static int read_time(const char *name, const char *text, int64_t *ms, struct error *err)
{
    int rc;

    *ms = INT64_MIN;
    if (text == NULL)
        return 0;
    rc = unit_parse_time(text, ms, err);
    if (rc != 0)
        error_prefix(err, "%s: ", name);
    return rc;
}

static int read_filter(const struct admin_pick *pick, struct history_filter *filter,
                       struct error *err)
{
    int64_t rows = ROWS_DEFAULT;
    int rc;

    *filter = (struct history_filter){
        .rule = pick->rule, .tenant = pick->tenant, .key = pick->key, .open_only = pick->open};
    rc = read_time("from", pick->from, &filter->from_ms, err);
    if (rc == 0)
        rc = read_time("to", pick->to, &filter->to_ms, err);
    if (rc != 0 || pick->limit == NULL) {
        filter->rows_max = ROWS_DEFAULT;
        return rc;
    }
    rc = unit_parse_count(pick->limit, &rows, err);
    if (rc == 0 && (rows < 1 || rows > HISTORY_ANSWER_ROWS)) {
        error_set(err, "it is a number from 1 to %d", HISTORY_ANSWER_ROWS);
        rc = -EINVAL;
    }
    if (rc != 0)
        error_prefix(err, "limit: ");
    filter->rows_max = (uint32_t)rows;
    return rc;
}

int history_answer(const char *path, struct id128 directory, int64_t as_of_ms,
                   const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct history_reader *reader;
    struct history_filter filter;
    enum history_refusal why;
    json_t *found = NULL;
    int rc = read_filter(pick, &filter, err);

    if (rc != 0)
        return rc;
    if (history_reader_open(path, directory, &reader, &why, err) != 0)
        return -EAGAIN; /* the daemon's trouble, whatever it is */
    history_reader_deadline(reader, host_mono_ns() + HISTORY_ANSWER_MS * 1000000ull);
    rc = pick->incident != NULL ? history_story_json(reader, pick->incident, HISTORY_ANSWER_ROWS,
                                                     as_of_ms, &found, err)
                                : history_list_json(reader, &filter, as_of_ms, &found, err);
    history_reader_close(reader);
    if (rc == -EEXIST)
        rc = -EINVAL;
    if (rc == 0 && !json_print(found, JSON_COMPACT, to)) {
        error_set(err, "out of memory");
        rc = -ENOMEM;
    }
    return rc;
}
