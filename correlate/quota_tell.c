/* quota_tell.c - see quota_tell.h. */
#include "correlate/quota_tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "correlate/away.h"
#include "correlate/derived.h"
#include "correlate/in_place.h"
#include "correlate/quota.h"

enum { RESOURCE_BYTES = 300 };

#define CHECK QUOTA_CHECK

/* --- what is shown ---------------------------------------------------------------------------- */

void quota_rows_init(struct quota_rows *rows)
{
    pthread_mutex_init(&rows->lock, NULL);
    strcpy(rows->row[0].tenant, "(others)");
    rows->count = 1;
}

void quota_rows_release(struct quota_rows *rows)
{
    pthread_mutex_destroy(&rows->lock);
}

/* The tenant's row, or the one that is shared. It is looked for once for each bucket. */
static uint32_t row_of(struct quota_rows *rows, const char *tenant)
{
    uint32_t i = 0;

    pthread_mutex_lock(&rows->lock);
    while (i < rows->count && strcmp(rows->row[i].tenant, tenant) != 0)
        i++;
    if (i == rows->count && i < ENGINE_QUOTA_ROWS) {
        snprintf(rows->row[i].tenant, sizeof(rows->row[i].tenant), "%s", tenant);
        rows->count++;
    }
    pthread_mutex_unlock(&rows->lock);
    return i < ENGINE_QUOTA_ROWS ? i : 0;
}

static int by_tenant(const void *a, const void *b)
{
    const struct engine_quota_counters *x = a, *y = b;

    return strcmp(x->tenant, y->tenant);
}

size_t engine_quota_counters(const struct engine *engine, struct engine_quota_counters *out,
                             size_t max)
{
    const struct quota_rows *rows = &engine->quota_rows;
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&rows->lock;
    size_t put = 0;

    pthread_mutex_lock(lock);
    for (uint32_t i = 0; i < rows->count && put < max; i++) {
        const struct quota_row *row = &rows->row[i];
        uint64_t refused = atomic_load_explicit(&row->refused, memory_order_relaxed);
        if (refused == 0)
            continue;
        out[put] = (struct engine_quota_counters){.refused = refused};
        memcpy(out[put++].tenant, row->tenant, sizeof(row->tenant));
    }
    pthread_mutex_unlock(lock);
    if (put > 1)
        qsort(out, put, sizeof(*out), by_tenant);
    return put;
}

void quota_cut_note(struct part *part)
{
    atomic_store_explicit(&part->quota_cut, part->quota != NULL ? part->quota->cut_count : 0,
                          memory_order_relaxed);
}

/* --- words ------------------------------------------------------------------------------------ */

static void message_make(struct text_buffer *to, const struct quota_bucket *bucket,
                         struct quota_tenant limit, const char *place, bool is_pushed)
{
    text_put_string(to, "tenant ");
    text_put_string(to, bucket->name);
    if (!bucket->is_cut) {
        text_put_string(to, is_pushed ? " is within its quota again with what is pushed over HTTP"
                                      : " is within its quota again on ");
        text_put_string(to, is_pushed ? "" : place);
        text_put_string(to, ": ");
        text_put_number(to, (int64_t)bucket->refused);
        text_put_string(to, bucket->refused == 1 ? " event was refused" : " events were refused");
        return;
    }
    text_put_string(to, " sends more than its quota of ");
    text_put_number(to, limit.events);
    text_put_string(to, " events/s (burst ");
    text_put_number(to, limit.burst);
    text_put_string(to, is_pushed ? ") of what is pushed over HTTP" : ") on ");
    text_put_string(to, is_pushed ? "" : place);
    text_put_string(to, ": what is beyond it is refused, but for clears");
}

static void alert_put(struct worker *worker, struct part *part, const struct in_place *place,
                      const struct quota_bucket *bucket)
{
    char of[RESOURCE_BYTES], key[RESOURCE_BYTES + sizeof(CHECK) + QUOTA_NAME_BYTES + 2];
    struct text_buffer message;
    struct event_label label = {text_of("partition"), {of, 0}};
    struct event_draft draft = {.labels = &label,
                                .label_count = 1,
                                .severity = SEVERITY_MAJOR,
                                .state = bucket->is_cut ? EVENT_PROBLEM : EVENT_CLEAR,
                                .has_value = true,
                                .value = (double)bucket->refused};

    /* What is pushed has no partition for a person; its key stays as it was. */
    snprintf(of, sizeof(of), "%s/%" PRId32, part->name, part->number);
    snprintf(key, sizeof(key), CHECK "|%s|%s", of, bucket->name);
    if (away_is_intake(part))
        snprintf(of, sizeof(of), "%s", part->name);
    label.value = text_of(of);
    text_begin(&message);
    message_make(&message, bucket, quota_limit(part->quota, bucket), of, away_is_intake(part));
    derived_draft_fill(&draft, bucket->name, CHECK, message.at);
    draft.field[FIELD_DEDUP_KEY] = text_of(key);
    in_place_put(worker, part, place, &draft);
    text_end(&message);
}

static void listener_tell(const struct worker *worker, const struct part *part,
                          const struct in_place *place, const struct quota_bucket *bucket)
{
    const struct engine_listener *listener = &worker->engine->listener;
    const struct quota_tenant limit = quota_limit(part->quota, bucket);
    const struct engine_quota_word word = {.tenant = bucket->name,
                                           .topic = part->name,
                                           .partition = part->number,
                                           .offset = place->record->offset,
                                           .at_ms = place->et_ms,
                                           .is_cut = bucket->is_cut,
                                           .refused = bucket->refused,
                                           .events = limit.events,
                                           .burst = limit.burst};

    if (listener->quota != NULL && place->record->offset >= part->read_until)
        listener->quota(listener->self, &word);
}

/* --- an event --------------------------------------------------------------------------------- */

static void refused_count(struct worker *worker, struct part *part, const struct in_place *place,
                          struct quota_bucket *bucket)
{
    struct quota_rows *rows = &worker->engine->quota_rows;

    if (bucket->row == 0)
        bucket->row = row_of(rows, bucket->name);
    atomic_fetch_add_explicit(&rows->row[bucket->row].refused, 1, memory_order_relaxed);
    in_place_reject(worker, part, place, "its tenant sends more than its quota");
}

bool quota_admits(struct worker *worker, struct part *part, const struct in_place *place,
                  const struct event_draft *draft)
{
    struct quota_bucket *bucket = NULL;
    enum quota_verdict verdict =
        quota_take(part->quota, draft->field[FIELD_TENANT], place->et_ms,
                   draft->state == EVENT_CLEAR, place->is_one_of_many, &bucket);

    if (bucket != NULL && quota_is_shared(part->quota, bucket))
        atomic_fetch_add_explicit(&worker->engine->quota_rows.shared, 1, memory_order_relaxed);
    if (verdict == QUOTA_ADMITTED)
        return true;
    refused_count(worker, part, place, bucket);
    if (verdict == QUOTA_REFUSED)
        return false;
    alert_put(worker, part, place, bucket);
    if (verdict == QUOTA_REFUSED_FIRST) {
        quota_cut_note(part);
        listener_tell(worker, part, place, bucket);
    }
    return false;
}

void quota_look_quiet(struct worker *worker, struct part *part, const struct in_place *place)
{
    struct in_place behind = *place;
    const struct quota_bucket *bucket;

    for (uint32_t i = 0;
         i < IN_PLACE_QUOTAS && (bucket = quota_quiet(part->quota, place->et_ms)) != NULL; i++) {
        behind.sub = IN_PLACE_QUOTA + i;
        alert_put(worker, part, &behind, bucket);
        listener_tell(worker, part, &behind, bucket);
    }
    quota_cut_note(part);
}
