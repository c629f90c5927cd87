/*
 * unit_tell.c - see unit_tell.h.
 */
#include "daemon/unit_tell.h"

#include "daemon/log.h"

static const char *whose(enum shared_former former)
{
    static const char *const words[] = {
        [SHARED_FORMER_UNKNOWN] = "nobody that is known",
        [SHARED_FORMER_LEFT] = "one that ended in good order",
        [SHARED_FORMER_SELF] = "this directory",
        [SHARED_FORMER_DOUBT] = "this directory, behind another",
        [SHARED_FORMER_COPY] = ("this directory elsewhere: a copy, or before a move or a start of "
                                "the machine"),
        [SHARED_FORMER_OTHER] = "another directory",
    };
    return words[former];
}

static void tell_aside(const struct unit_joined *joined)
{
    if (joined->aside[0] != '\0')
        log_event(LOG_WARNING, "journal_put_aside", log_text("path", joined->aside),
                  log_text("why", "it had gone on alone, and the unit elsewhere"),
                  log_text("next", joined->is_aside[SHARED_INTAKE]
                                       ? "the unit's logs take their place; what was pushed and "
                                         "the unit lacks is in there alone"
                                       : "the unit's journal takes its place"));
}

static int64_t sum_of(const uint64_t frames[SHARED_LOGS])
{
    return (int64_t)(frames[SHARED_JOURNAL] + frames[SHARED_INTAKE]);
}

bool unit_is_begun_anew(const struct unit_joined *joined)
{
    return joined->is_forgotten && joined->ends.of[SHARED_JOURNAL].number == 0;
}

void unit_tell_joined(const struct unit_joined *joined, const char *name, uint64_t fence,
                      enum shared_former former)
{
    tell_aside(joined);
    if (joined->image > 0)
        log_event(LOG_INFO, "image_taken", log_number("frame", (int64_t)joined->image),
                  log_text("next", "the journal begins with it"));
    log_event(LOG_INFO, "unit_taken", log_text("unit", name), log_number("fence", (int64_t)fence),
              log_text("before", whose(former)), log_number("fetched", sum_of(joined->fetched)),
              log_number("owed", sum_of(joined->owed)));
    if (joined->is_forgotten)
        log_event(
            LOG_WARNING, "shared_store_empty", log_text("unit", name),
            log_text("next", unit_is_begun_anew(joined)
                                 ? "the input is read again, from the first record there is, or "
                                   "input.start where that is a time; sinks are told "
                                   "what is still open when that is caught up with"
                                 : "it gets the logs of this directory"));
}

void unit_tell_followed(const struct unit_joined *joined, const char *name, bool is_first)
{
    tell_aside(joined);
    if (joined->image > 0)
        log_event(LOG_DEBUG, "image_taken", log_number("frame", (int64_t)joined->image));
    if (is_first)
        log_event(LOG_INFO, "following", log_text("unit", name),
                  log_number("fetched", sum_of(joined->fetched)),
                  log_number("frames", (int64_t)joined->ends.of[SHARED_JOURNAL].number));
}

void unit_tell_store(enum mirror_change change, const char *why)
{
    switch (change) {
    case MIRROR_CHANGE_AWAY:
        log_event(LOG_ERROR, "shared_store_away", log_text("why", why),
                  log_text("next", "nobody can take over; sinks that fold repeats are told, others "
                                   "wait once the lease is over"));
        break;
    case MIRROR_CHANGE_EMPTY:
        log_event(LOG_WARNING, "shared_store_empty", log_text("why", why),
                  log_text("next", "it gets the logs of this directory anew, and until then nobody "
                                   "can take over"));
        break;
    case MIRROR_CHANGE_UNLISTED:
        log_event(LOG_WARNING, "open_incidents_unlisted", log_text("why", why),
                  log_text("next", "tocsin incidents lists those of before what the shared store "
                                   "has of the journal with their next change"));
        break;
    case MIRROR_CHANGE_BACK:
        log_event(LOG_INFO, "shared_store_back",
                  log_text("next", "what it missed is made up for before anything leaves"));
        break;
    }
}
