/*
 * quota.c - see quota.h.
 *
 * Buckets lie in the order in which their tenants were first counted, so whatever goes through them
 * goes in an order that the records gave; the slots only find one by its hash.
 */
#include "correlate/quota.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

enum {
    SHARED = 0, /* index of the bucket of those for whom there is no room */
    SWEEP_EVERY_MS = 1000,
    SLOTS_LEAST = 16,
    BUCKET_BYTES_LEAST = 16 + 8 + 8 + 4,
};

#define OF_ONE UINT64_C(1000)

static const char shared_name[] = "(others)";

/* --- the table ------------------------------------------------------------------------------ */

static uint32_t slot_of(const struct quota *quota, struct id128 tenant)
{
    uint32_t s = (uint32_t)tenant.lo & quota->slot_mask;

    while (quota->slot[s] != 0 &&
           !id128_equal(quota->buckets.at[quota->slot[s] - 1].tenant, tenant))
        s = (s + 1) & quota->slot_mask;
    return s;
}

static void slots_renew(struct quota *quota)
{
    uint32_t count = SLOTS_LEAST;

    while (count < 2 * quota->buckets.count + 2)
        count *= 2;
    if (count - 1 != quota->slot_mask || quota->slot == NULL) {
        free(quota->slot);
        quota->slot = memory_alloc(count * sizeof(*quota->slot));
        quota->slot_mask = count - 1;
    }
    memset(quota->slot, 0, count * sizeof(*quota->slot));
    for (uint32_t i = SHARED + 1; i < quota->buckets.count; i++)
        quota->slot[slot_of(quota, quota->buckets.at[i].tenant)] = i + 1;
    quota->last_bytes = 0;
}

static uint32_t bucket_add(struct quota *quota, const struct quota_bucket *bucket)
{
    uint32_t index = (uint32_t)quota->buckets.count;

    vector_add(&quota->buckets) = *bucket;
    if (2 * quota->buckets.count > quota->slot_mask)
        slots_renew(quota);
    else
        quota->slot[slot_of(quota, bucket->tenant)] = index + 1;
    return index;
}

/* --- limits --------------------------------------------------------------------------------- */

struct quota_tenant quota_limit(const struct quota *quota, const struct quota_bucket *bucket)
{
    return bucket->limit != 0
               ? quota->config->tenants[bucket->limit - 1]
               : (struct quota_tenant){NULL, quota->config->events, quota->config->burst};
}

/* A rate of events a second is as many thousandths a millisecond. */
static void limit_set(const struct quota *quota, struct quota_bucket *bucket)
{
    const struct quota_tenant limit = quota_limit(quota, bucket);

    bucket->rate = limit.events;
    bucket->most = limit.burst * OF_ONE;
}

/* What it holds at this time. It has gained all that it can hold when as many milliseconds have
 * passed, because it gains one thousandth at least; before, the product has room. */
static uint64_t tokens_at(const struct quota_bucket *bucket, int64_t at_ms)
{
    if (at_ms <= bucket->at_ms || bucket->tokens >= bucket->most)
        return bucket->tokens;
    uint64_t passed_ms = (uint64_t)at_ms - (uint64_t)bucket->at_ms;
    if (passed_ms >= bucket->most)
        return bucket->most;
    uint64_t tokens = bucket->tokens + passed_ms * bucket->rate;
    return tokens < bucket->most ? tokens : bucket->most;
}

bool quota_is_wanted(const struct quota_config *config)
{
    return config->events > 0 || config->tenant_count > 0;
}

bool quota_equal(const struct quota_config *a, const struct quota_config *b)
{
    if (a->events != b->events || a->burst != b->burst || a->tenants_max != b->tenants_max ||
        a->tenant_count != b->tenant_count)
        return false;
    for (size_t i = 0; i < a->tenant_count; i++)
        if (strcmp(a->tenants[i].tenant, b->tenants[i].tenant) != 0 ||
            a->tenants[i].events != b->tenants[i].events ||
            a->tenants[i].burst != b->tenants[i].burst)
            return false;
    return true;
}

static void quiet_renew(struct quota *quota)
{
    quota->quiet_due_ms = INT64_MAX;
    quota->cut_count = 0;
    for (size_t i = 0; i < quota->buckets.count; i++) {
        const struct quota_bucket *bucket = &quota->buckets.at[i];
        quota->cut_count += bucket->is_cut;
        if (bucket->is_cut && bucket->cut_ms + QUOTA_QUIET_MS < quota->quiet_due_ms)
            quota->quiet_due_ms = bucket->cut_ms + QUOTA_QUIET_MS;
    }
}

static struct quota *quota_make(void)
{
    struct quota *quota = memory_alloc(sizeof(*quota));

    *quota = (struct quota){.now_ms = INT64_MIN,
                            .sweep_due_ms = INT64_MIN,
                            .quiet_due_ms = INT64_MAX,
                            .now_before_ms = INT64_MIN};
    return quota;
}

/* Each tenant that is named has a bucket from the start, so that it never has to share one. */
static void named_add(struct quota *quota)
{
    for (uint32_t i = 0; i < quota->config->tenant_count; i++) {
        const char *name = quota->config->tenants[i].tenant;
        struct quota_bucket bucket = {
            .tenant = hash128(name, strlen(name), quota->seed), .at_ms = INT64_MIN, .limit = i + 1};
        uint32_t *slot = &quota->slot[slot_of(quota, bucket.tenant)];
        bucket.tokens = quota->config->tenants[i].burst * OF_ONE;
        if (*slot != 0)
            quota->buckets.at[*slot - 1].limit = i + 1;
        else
            bucket_add(quota, &bucket);
    }
}

void quota_set(struct quota **quota, const struct quota_config *config, uint64_t seed)
{
    struct quota *it = *quota;

    if (it == NULL && !quota_is_wanted(config))
        return;
    if (it == NULL)
        it = *quota = quota_make();
    it->config = config;
    it->seed = seed;
    if (it->buckets.count == 0)
        vector_add(&it->buckets) =
            (struct quota_bucket){.at_ms = INT64_MIN, .tokens = config->burst * OF_ONE};
    for (size_t i = 0; i < it->buckets.count; i++)
        it->buckets.at[i].limit = 0;
    slots_renew(it);
    named_add(it);
    for (size_t i = 0; i < it->buckets.count; i++) {
        struct quota_bucket *bucket = &it->buckets.at[i];
        limit_set(it, bucket);
        if (bucket->tokens > bucket->most)
            bucket->tokens = bucket->most;
    }
    it->count_before = (uint32_t)it->buckets.count;
    it->undo.count = 0;
    quiet_renew(it);
}

void quota_destroy(struct quota *quota)
{
    if (quota == NULL)
        return;
    free(quota->buckets.at);
    free(quota->undo.at);
    free(quota->slot);
    free(quota);
}

/* --- what goes -------------------------------------------------------------------------------- */

/* Full, it says what a new one would say. */
static bool is_spare(const struct quota *quota, uint32_t index)
{
    const struct quota_bucket *bucket = &quota->buckets.at[index];

    return index != SHARED && bucket->limit == 0 && !bucket->is_cut &&
           (bucket->rate == 0 || tokens_at(bucket, quota->now_ms) >= bucket->most);
}

static size_t unnamed(const struct quota *quota)
{
    return quota->buckets.count - 1 - quota->config->tenant_count;
}

static bool is_full(const struct quota *quota)
{
    return quota->buckets.count > 1 + quota->config->tenant_count &&
           unnamed(quota) >= quota->config->tenants_max;
}

void quota_record(struct quota *quota)
{
    quota->undo.count = 0;
    if (is_full(quota) && quota->now_ms >= quota->sweep_due_ms) {
        size_t kept = 0;
        for (uint32_t i = 0; i < quota->buckets.count; i++)
            if (!is_spare(quota, i))
                quota->buckets.at[kept++] = quota->buckets.at[i];
        quota->buckets.count = kept;
        quota->sweep_due_ms = quota->now_ms + SWEEP_EVERY_MS;
        slots_renew(quota);
    }
    quota->count_before = (uint32_t)quota->buckets.count;
    quota->now_before_ms = quota->now_ms;
}

/* --- an event --------------------------------------------------------------------------------- */

/* The index of its tenant's bucket; UINT32_MAX: nobody limits it. */
static uint32_t bucket_of(struct quota *quota, struct text tenant, int64_t et_ms)
{
    if (quota->last_bytes == tenant.len && tenant.len > 0 &&
        memcmp(quota->last_name, tenant.at, tenant.len) == 0)
        return quota->last;
    struct id128 id = hash128(tenant.at, tenant.len, quota->seed);
    uint32_t found = quota->slot[slot_of(quota, id)], index;
    if (found != 0) {
        index = found - 1;
    } else if (quota->config->events == 0) {
        return UINT32_MAX;
    } else if (is_full(quota)) {
        return SHARED;
    } else {
        struct quota_bucket bucket = {.tenant = id, .at_ms = et_ms};
        limit_set(quota, &bucket);
        bucket.tokens = bucket.most;
        index = bucket_add(quota, &bucket);
    }
    quota->last_bytes = tenant.len <= QUOTA_NAME_BYTES ? tenant.len : 0;
    if (quota->last_bytes > 0)
        memcpy(quota->last_name, tenant.at, quota->last_bytes);
    quota->last = index;
    return index;
}

static void undo_note(struct quota *quota, uint32_t index, bool is_one_of_many)
{
    if (is_one_of_many && index < quota->count_before)
        vector_add(&quota->undo) = (struct quota_undo){index, quota->buckets.at[index]};
}

/* A name that is too long, or was cut inside of a character, ends by a hash of all of it: two that
 * differ are shown as two. */
static void name_set(struct quota_bucket *bucket, struct text tenant)
{
    enum { SHOWN = QUOTA_NAME_BYTES - 1 - 17 };
    static const char digit[] = "0123456789abcdef";

    if (tenant.len < QUOTA_NAME_BYTES) {
        if (tenant.len > 0)
            memcpy(bucket->name, tenant.at, tenant.len);
        bucket->name[tenant.len] = '\0';
        return;
    }
    uint32_t end = SHOWN;
    uint64_t hash = hash64(tenant.at, tenant.len, 0);
    while (end > 0 && ((unsigned char)tenant.at[end] & 0xc0) == 0x80)
        end--;
    memcpy(bucket->name, tenant.at, end);
    bucket->name[end++] = '~';
    for (int i = 60; i >= 0; i -= 4)
        bucket->name[end++] = digit[(hash >> i) & 15];
    bucket->name[end] = '\0';
}

static enum quota_verdict refuse(struct quota *quota, struct quota_bucket *bucket, int64_t et_ms)
{
    bool begins = !bucket->is_cut;

    bucket->refused = begins ? 1 : bucket->refused + 1;
    if (begins || et_ms > bucket->cut_ms)
        bucket->cut_ms = et_ms;
    bucket->is_cut = true;
    quota->cut_count += begins;
    if (!begins && et_ms - bucket->told_ms < QUOTA_QUIET_MS)
        return QUOTA_REFUSED;
    bucket->told_ms = et_ms;
    if (bucket->cut_ms + QUOTA_QUIET_MS < quota->quiet_due_ms)
        quota->quiet_due_ms = bucket->cut_ms + QUOTA_QUIET_MS;
    return begins ? QUOTA_REFUSED_FIRST : QUOTA_REFUSED_STILL;
}

enum quota_verdict quota_take(struct quota *quota, struct text tenant, int64_t et_ms, bool is_clear,
                              bool is_one_of_many, struct quota_bucket **bucket)
{
    uint32_t index = bucket_of(quota, tenant, et_ms);

    if (et_ms > quota->now_ms)
        quota->now_ms = et_ms;
    if (index == UINT32_MAX)
        return QUOTA_ADMITTED;
    struct quota_bucket *it = *bucket = &quota->buckets.at[index];
    if (it->rate == 0)
        return QUOTA_ADMITTED;
    undo_note(quota, index, is_one_of_many);
    it->tokens = tokens_at(it, et_ms);
    if (et_ms > it->at_ms)
        it->at_ms = et_ms;
    if (it->tokens >= OF_ONE) {
        it->tokens -= OF_ONE;
        return QUOTA_ADMITTED;
    }
    if (is_clear)
        return QUOTA_ADMITTED;
    if (!it->is_cut)
        name_set(it, index == SHARED ? (struct text){shared_name, (uint32_t)sizeof(shared_name) - 1}
                                     : tenant);
    return refuse(quota, it, et_ms);
}

const struct quota_bucket *quota_quiet(struct quota *quota, int64_t et_ms)
{
    uint32_t first = UINT32_MAX;

    if (et_ms < quota->quiet_due_ms)
        return NULL;
    for (uint32_t i = 0; i < quota->buckets.count; i++) {
        const struct quota_bucket *bucket = &quota->buckets.at[i];
        if (bucket->is_cut && bucket->cut_ms + QUOTA_QUIET_MS <= et_ms &&
            (first == UINT32_MAX || bucket->cut_ms < quota->buckets.at[first].cut_ms))
            first = i;
    }
    if (first != UINT32_MAX)
        quota->buckets.at[first].is_cut = false;
    quiet_renew(quota);
    return first != UINT32_MAX ? &quota->buckets.at[first] : NULL;
}

/* --- kept ------------------------------------------------------------------------------------- */

void quota_stand(const struct quota *quota, bool is_within, struct quota_stand *out)
{
    out->buckets.count = 0;
    if (quota == NULL)
        return;
    size_t count = is_within ? quota->count_before : quota->buckets.count;
    vector_reserve(&out->buckets, count);
    memcpy(out->buckets.at, quota->buckets.at, count * sizeof(*out->buckets.at));
    out->buckets.count = count;
    for (size_t i = is_within ? quota->undo.count : 0; i > 0; i--)
        out->buckets.at[quota->undo.at[i - 1].index] = quota->undo.at[i - 1].was;
    out->now_ms = is_within ? quota->now_before_ms : quota->now_ms;
    out->sweep_due_ms = quota->sweep_due_ms;
}

void quota_stand_release(struct quota_stand *stand)
{
    free(stand->buckets.at);
    *stand = (struct quota_stand){.buckets = {.at = NULL}};
}

void quota_save(const struct quota_stand *stand, struct image_out *out)
{
    image_put_u32(out, (uint32_t)stand->buckets.count);
    for (size_t i = 0; i < stand->buckets.count; i++) {
        const struct quota_bucket *bucket = &stand->buckets.at[i];
        image_put_id(out, bucket->tenant);
        image_put_u64(out, bucket->tokens);
        image_put_i64(out, bucket->at_ms);
        image_put_u32(out, bucket->is_cut);
        if (!bucket->is_cut)
            continue;
        image_put_i64(out, bucket->cut_ms);
        image_put_i64(out, bucket->told_ms);
        image_put_u64(out, bucket->refused);
        image_put_text(out, (struct text){bucket->name, (uint32_t)strlen(bucket->name)});
    }
    if (stand->buckets.count == 0)
        return;
    image_put_i64(out, stand->now_ms);
    image_put_i64(out, stand->sweep_due_ms);
}

static void bucket_take(struct image_in *in, struct quota_bucket *bucket)
{
    *bucket = (struct quota_bucket){.tenant = image_take_id(in)};
    bucket->tokens = image_take_u64(in);
    bucket->at_ms = image_take_any_time(in);
    bucket->is_cut = image_take_flag(in);
    if (bucket->at_ms == INT64_MAX)
        image_fail(in, "a tenant was counted at no time");
    if (!bucket->is_cut)
        return;
    bucket->cut_ms = image_take_time(in);
    bucket->told_ms = image_take_time(in);
    bucket->refused = image_take_u64(in);
    struct text name = image_take_text(in);
    if (name.len >= QUOTA_NAME_BYTES)
        image_fail(in, "the name of a tenant is too long");
    else if (name.len > 0)
        memcpy(bucket->name, name.at, name.len);
}

void quota_load(struct quota **quota, struct image_in *in)
{
    uint32_t count = image_take_count(in, BUCKET_BYTES_LEAST);

    if (count == 0 || in->fault != NULL)
        return;
    *quota = quota_make();
    for (uint32_t i = 0; i < count && in->fault == NULL; i++) {
        struct quota_bucket bucket;
        bucket_take(in, &bucket);
        if (id128_equal(bucket.tenant, (struct id128){0, 0}) != (i == SHARED))
            image_fail(in, "a tenant is counted where another one is");
        vector_add(&(*quota)->buckets) = bucket;
    }
    (*quota)->now_ms = image_take_any_time(in);
    (*quota)->sweep_due_ms = image_take_any_time(in);
    if ((*quota)->now_ms == INT64_MAX || (*quota)->sweep_due_ms == INT64_MAX)
        image_fail(in, "tenants were counted at no time");
}
