/* sink_watch.c - see sink_watch.h. */
#include "daemon/sink_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include "daemon/log.h"

/* The same sink's self-alert has the sentence of its walk. */
static void tell_mismatch(const struct sink_counters *now)
{
    char why[128];

    snprintf(why, sizeof(why),
             "%" PRIu64 " changes were counted as waiting, and %" PRIu64 " were there",
             now->walk_counted, now->walk_found);
    log_event(LOG_ERROR, "ledger_mismatch", log_text("sink", now->name), log_text("why", why),
              log_text("next", "it goes on; this is a mistake of tocsin"));
}

void sink_watch_see(struct sink_counters *before, const struct sink_counters *now)
{
    if (now->held != before->held)
        log_event(now->held ? LOG_ERROR : LOG_INFO, now->held ? "sink_held" : "sink_free",
                  log_text("sink", now->name), log_text("why", now->last_error),
                  log_number("waiting", (int64_t)now->waiting));
    if (now->breaker_open != before->breaker_open)
        log_event(now->breaker_open ? LOG_WARNING : LOG_INFO,
                  now->breaker_open ? "sink_down" : "sink_up", log_text("sink", now->name),
                  log_text("why", now->breaker_open ? now->last_error : ""),
                  log_number("waiting", (int64_t)now->waiting));
    if (now->dead > before->dead)
        log_event(LOG_ERROR, "sink_gave_up", log_text("sink", now->name),
                  log_text("why", now->last_error[0] != '\0'
                                      ? now->last_error
                                      : "they were given up before the start"),
                  log_number("changes", (int64_t)(now->dead - before->dead)),
                  log_text("next", "kept for `tocsin redrive`"));
    if (now->walk_mismatches > before->walk_mismatches)
        tell_mismatch(now);
    *before = *now;
}
