/* terms.c - see terms.h. */
#include "correlate/terms.h"

#include "correlate/engine.h"

struct engine_terms engine_terms_of(const struct engine_config *config)
{
    return (struct engine_terms){.alerts_max = config->alerts_max,
                                 .expire_ms = config->expire_ms,
                                 .flap_window_ms = config->flap_window_ms,
                                 .flap_start = config->flap_start,
                                 .flap_stop = config->flap_stop};
}

bool engine_terms_are_fine(const struct engine_terms *terms, struct error *err)
{
    struct error unsaid;
    struct error *why = err != NULL ? err : &unsaid;

    if (terms->alerts_max == 0 || terms->alerts_max > ALERTS_MAX_MOST)
        error_set(why, "alerts.max must be 1 to %d", ALERTS_MAX_MOST);
    else if (terms->expire_ms <= 0 || terms->expire_ms > (int64_t)30 * 86400 * 1000)
        error_set(why, "expire must be above 0 and at most 30 days");
    else if (terms->flap_start > 0 && (terms->flap_stop >= terms->flap_start ||
                                       terms->flap_window_ms <= 0 || terms->flap_start > 1000))
        error_set(why,
                  "flap.stop must be below flap.start (at most 1000), and flap.window above 0");
    else
        return true;
    return false;
}
