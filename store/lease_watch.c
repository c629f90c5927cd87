/*
 * lease_watch.c - see lease_watch.h.
 */
#include "store/lease_watch.h"

#include <inttypes.h>
#include "base/host.h"

enum {
    ASK_MS = 1000,
    PROMPT_MS = 1500,
    /* Both together are less than what the owner has left of a lease when it renews it. */
    PARTS_OF_LEASE = 4,
};

static unsigned part_of_lease(const struct lease_watch *watch, unsigned most_ms)
{
    unsigned part_ms = watch->lease_ms / PARTS_OF_LEASE;

    return part_ms < most_ms ? part_ms : most_ms;
}

unsigned lease_watch_ask_ms(const struct lease_watch *watch)
{
    return part_of_lease(watch, ASK_MS);
}

static void note_answer(struct lease_watch *watch, uint64_t asked_ns,
                        const struct shared_ownership *unit)
{
    uint64_t now_ns = host_mono_ns(), prompt_ns = part_of_lease(watch, PROMPT_MS);
    uint64_t between_ns = lease_watch_ask_ms(watch) * UINT64_C(1000000);

    prompt_ns *= UINT64_C(1000000);
    between_ns += prompt_ns;
    watch->has_forgotten = unit->is_free && (watch->has_forgotten || unit->fence < watch->fence);
    if (watch->last_ns == 0 || now_ns - asked_ns > prompt_ns ||
        now_ns - watch->last_ns > between_ns || unit->fence < watch->fence)
        watch->since_ns = now_ns;
    watch->last_ns = now_ns;
    watch->fence = unit->fence;
}

/* Nobody is there who could renew it. */
static bool is_nobodys(const struct lease_watch *watch, enum shared_former last)
{
    return !watch->has_forgotten && (last == SHARED_FORMER_LEFT || last == SHARED_FORMER_UNKNOWN ||
                                     last == SHARED_FORMER_SELF || last == SHARED_FORMER_DOUBT);
}

enum shared_verdict lease_watch_ask(struct lease_watch *watch, struct shared_store *store,
                                    int64_t *left_ms, struct error *err)
{
    uint64_t lease_ns = watch->lease_ms * UINT64_C(1000000), asked_ns = host_mono_ns();
    struct shared_ownership unit;
    enum shared_verdict verdict = shared_store_whose(store, &unit, err);

    *left_ms = 0;
    if (verdict != SHARED_FINE && verdict != SHARED_TAKEN)
        return verdict;
    note_answer(watch, asked_ns, &unit);
    *left_ms = unit.left_ms;
    if (verdict == SHARED_TAKEN)
        return verdict;
    uint64_t awake_ns = watch->last_ns - watch->since_ns;
    if (!is_nobodys(watch, unit.last) && awake_ns < lease_ns) {
        *left_ms = (int64_t)((lease_ns - awake_ns) / 1000000) + 1;
        error_set(err,
                  "nobody has the lease since number %" PRIu64 ", whose owner may live: the shared "
                  "store has to answer for a whole lease before the unit is taken",
                  unit.fence);
        return SHARED_UNSURE;
    }
    return SHARED_FINE;
}

enum shared_verdict lease_watch_take(struct lease_watch *watch, struct shared_store *store,
                                     uint64_t *taken_ns, int64_t *left_ms, struct error *err)
{
    enum shared_verdict verdict = lease_watch_ask(watch, store, left_ms, err);

    if (verdict != SHARED_FINE)
        return verdict;
    *taken_ns = host_mono_ns();
    return shared_store_take(store, watch->lease_ms, watch->fence, err);
}
