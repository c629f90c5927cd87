/*
 * durable_recycle.c - which of the oldest segments of the journal go once a snapshot is durable
 * (semantics C5, store/journal_keep.h). See durable.h.
 *
 * What nobody needs any more lies before all of these:
 *   - the older of the two snapshots that stay: where a start begins when the newest does not load;
 *   - what the history has not taken yet;
 *   - what people may still ask about: data.journal.keep, within data.journal.bytes.max.
 * Beside a shared store nothing goes: one that has forgotten the unit gets all of the journal
 * again, and a standby with an empty disk begins with its first frame.
 *
 * The journal's own thread does it, between two groups.
 */
#include "daemon/durable_parts.h"

#include <inttypes.h>
#include "daemon/command.h"
#include "daemon/log.h"

/* The first frame that a start or the history reads; 0: all of them are needed. */
static uint64_t needed(const struct durable *durable, uint64_t older_frame)
{
    uint64_t floor = durable->history != NULL ? history_writer_floor(durable->history) : UINT64_MAX;

    if (durable->options.unit != NULL)
        return 0;
    return older_frame < floor ? older_frame : floor;
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

int durable_check_whole(const struct durable *durable, uint64_t first_frame, struct error *err)
{
    if (durable->options.unit == NULL || first_frame <= 1)
        return EXIT_OK;
    error_set(err,
              "%s: the journal begins with frame %" PRIu64 ": what was before it has been let go of, and "
              "a standby would need it; with shared.address give the run a data directory of its "
              "own",
              durable->folder, first_frame);
    return EXIT_CONFIG;
}
