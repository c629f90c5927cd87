/*
 * unit_follow.c - see unit_follow.h.
 */
#include "daemon/unit_follow.h"

#include "base/host.h"
#include "daemon/log.h"
#include "daemon/unit_tell.h"

enum {
    SHARE = 20, /* it rests so many times as long as it took, a lease at most */
    /* What the owner lets go of while it is fetched is gone once and no more. */
    FAILURES_TOLD = 3,
};

static void succeeded(struct unit_follow *follow, const struct unit_joined *joined)
{
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        follow->copied[which] = joined->owed[which] == 0 ? joined->ends.of[which].number : 0;
    if (follow->failed >= FAILURES_TOLD)
        log_event(LOG_INFO, "following_again", log_text("unit", follow->config->shared.unit),
                  log_number("frames", (int64_t)joined->ends.of[SHARED_JOURNAL].number));
    unit_tell_followed(joined, follow->config->shared.unit, !follow->has_followed);
    follow->has_followed = true;
    follow->failed = 0;
    atomic_store_explicit(&follow->followed_ms, host_wall_ms(), memory_order_relaxed);
}

static void failed(struct unit_follow *follow, const struct error *why)
{
    follow->why = *why;
    atomic_fetch_add_explicit(&follow->failures, 1, memory_order_relaxed);
    if (follow->failed < FAILURES_TOLD && ++follow->failed == FAILURES_TOLD)
        log_event(LOG_ERROR, "follow_failed", log_text("why", why->text),
                  log_text("next", "it is tried again; until it is mended a take-over ends this "
                                   "daemon"));
}

int64_t unit_follow_step(struct unit_follow *follow, struct shared_store *store)
{
    const struct config *of = follow->config;
    uint64_t began_ns = host_mono_ns(), ignored_ns = began_ns;
    uint64_t lease_ns = (uint64_t)of->shared.lease_ms * UINT64_C(1000000);
    const struct unit_join_config config = {
        .log = {follow->log[SHARED_JOURNAL], follow->log[SHARED_INTAKE]},
        .blobs = follow->blobs,
        .keep = {{.keep_ms = of->data.journal_keep_ms,
                  .bytes_max = (uint64_t)of->data.journal_bytes_max},
                 {.keep_ms = of->intake.keep_ms, .bytes_max = (uint64_t)of->intake.bytes_max}},
        .copied = {follow->copied[SHARED_JOURNAL], follow->copied[SHARED_INTAKE]},
        .kept_ns = &ignored_ns,
        .must_stop = follow->must_stop,
        .self = follow->self};
    struct unit_joined joined;
    struct error why;

    if (began_ns < follow->next_ns)
        return 0;
    enum shared_verdict verdict = unit_join(store, &config, &joined, &why);
    uint64_t took_ns = host_mono_ns() - began_ns, rest_ns = SHARE * took_ns;
    follow->next_ns = began_ns + took_ns + (rest_ns > lease_ns ? lease_ns : rest_ns);
    if (verdict == SHARED_FINE)
        succeeded(follow, &joined);
    else if (verdict != SHARED_AWAY) /* that, the question for the lease hears as well */
        failed(follow, &why);
    return (int64_t)(took_ns / 1000000);
}

const char *unit_follow_why(const struct unit_follow *follow)
{
    return follow->failed >= FAILURES_TOLD ? follow->why.text : NULL;
}
