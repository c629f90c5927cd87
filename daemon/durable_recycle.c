/*
 * durable_recycle.c - which of the oldest segments of the journal go once a snapshot is durable
 * (semantics C5, store/journal_keep.h). See durable.h.
 *
 * What nobody needs any more lies before all of these:
 *   - the older of the two snapshots that stay: where a start begins when the newest does not load;
 *   - what the history has not taken yet;
 *   - what people may still ask about: data.journal.keep, within data.journal.bytes.max.
 *   - with a unit, what the shared store's image does not stand for: a store that has forgotten the
 *     unit gets the journal from there on again.
 *
 * The journal's own thread does it, between two groups.
 */
#include "daemon/durable_parts.h"

#include <inttypes.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/unit.h"

/* The first frame that a start or the history reads; 0: all of them are needed. */
static uint64_t needed(const struct durable *durable, uint64_t older_frame)
{
    uint64_t floor = durable->history != NULL ? history_writer_floor(durable->history) : UINT64_MAX;

    if (durable->options.unit != NULL &&
        unit_release_floor(durable->options.unit, SHARED_JOURNAL) < floor)
        floor = unit_release_floor(durable->options.unit, SHARED_JOURNAL);
    return older_frame < floor ? older_frame : floor;
}

/* The incident log is mended from the journal: nothing goes that the power may still take there. */
bool durable_may_release(void *self)
{
    struct durable *durable = self;
    int rc = durable->options.keep_committed != NULL
                 ? durable->options.keep_committed(durable->options.self)
                 : 0;

    if (rc != 0)
        log_event(LOG_ERROR, "journal_not_recycled", log_text("why", strerrordesc_np(-rc)),
                  log_text("what", "the incident log cannot be synced"),
                  log_text("next", "the journal keeps its lines until a later snapshot"));
    return rc == 0;
}

void durable_recycle(struct durable *durable, uint64_t older_frame, int64_t now_ms)
{
    uint64_t first = needed(durable, older_frame), before;
    struct error err = {""};

    if (first == 0)
        return;
    if (journal_keep_before(&durable->segments, &durable->options.keep, first, now_ms, &before,
                            &err) != 0)
        log_event(LOG_ERROR, "journal_not_recycled", log_text("why", err.text),
                  log_text("next", "the journal grows until a later snapshot succeeds in it"));
    else if (before > 0)
        journal_release_before(durable->journal, before);
}
