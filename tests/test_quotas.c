/*
 * Aim (L7): a tenant that sends more than its quota is cut to it, event by event, by effective time
 * alone, and whoever has to know hears of it. Method: the buckets on their own, held against a
 * reckoning by hand; recordings on the bench, in many forms of the work; live runs on virtual time
 * that go on from an image, taken while a record is worked on too.
 */
#include "base/hash.h"
#include "base/mark.h"
#include "base/text.h"
#include "correlate/quota.h"
#include "tests/engine_bench.h"

#define ALL                                                                                        \
    "rules:\n"                                                                                     \
    "  - {id: one, by: [tenant, resource], window: 1s, when: count() >= 1,\n"                      \
    "     where: 'source != \"tocsin\"', incident: {title: t}, close: cleared()}\n"                \
    "  - {id: cut, by: [tenant, resource], window: 1m, when: count() >= 1,\n"                      \
    "     where: 'check == \"tenant-over-quota\"', incident: {title: \"{message}\"},\n"            \
    "     close: cleared()}\n"

static const struct quota_tenant big_only[] = {{"big", 100, 5}, {"free", 0, 1}};

static struct quota_config ten_a_second(void)
{
    return (struct quota_config){
        .events = 10, .burst = 3, .tenants_max = 100, .tenants = big_only, .tenant_count = 2};
}

/* --- buckets ---------------------------------------------------------------------------------- */

static bool takes(struct quota *quota, const char *tenant, int64_t et_ms)
{
    struct quota_bucket *bucket = NULL;

    quota_record(quota);
    enum quota_verdict verdict = quota_take(quota, text_of(tenant), et_ms, false, false, &bucket);
    while (quota_quiet(quota, et_ms) != NULL)
        ;
    return verdict == QUOTA_ADMITTED;
}

static unsigned takes_of(struct quota *quota, const char *tenant, int64_t et_ms, unsigned events)
{
    unsigned taken = 0;

    while (events-- > 0)
        taken += takes(quota, tenant, et_ms);
    return taken;
}

static struct quota *quota_of(const struct quota_config *config)
{
    struct quota *quota = NULL;

    quota_set(&quota, config, 7);
    assert_non_null(quota);
    return quota;
}

static void L7_a_bucket_gives_a_burst_and_then_its_rate(void **state)
{
    (void)state;
    const struct quota_config config = ten_a_second();
    struct quota *quota = quota_of(&config);

    assert_int_equal(takes_of(quota, "a", 5000, 10), 3);
    assert_int_equal(takes_of(quota, "a", 5099, 10), 0); /* 99 hundredths of one */
    assert_int_equal(takes_of(quota, "a", 5100, 10), 1);
    assert_int_equal(takes_of(quota, "a", 5050, 10), 0); /* a late one brings none back */
    assert_int_equal(takes_of(quota, "a", 5250, 10), 1);
    assert_int_equal(takes_of(quota, "a", 5300, 10), 1); /* the half of before counts */
    assert_int_equal(takes_of(quota, "a", 6000000, 10), 3);
    assert_int_equal(takes_of(quota, "a", TIME_MS_MAX, 10), 3);
    assert_int_equal(takes_of(quota, "b", 5000, 10), 3); /* nobody takes from another */
    assert_int_equal(takes_of(quota, "big", 5000, 10), 5);
    assert_int_equal(takes_of(quota, "big", 5020, 10), 2);
    assert_int_equal(takes_of(quota, "free", 5000, 1000), 1000);
    quota_destroy(quota);
}

/* Without a limit for all, those with one of their own are limited, and no other is counted. */
static void L7_who_is_named_is_limited_though_nobody_else_is(void **state)
{
    (void)state;
    struct quota_config config = ten_a_second();
    config.events = 0;
    struct quota *quota = quota_of(&config);

    assert_int_equal(takes_of(quota, "a", 5000, 100), 100);
    assert_int_equal(takes_of(quota, "big", 5000, 100), 5);
    assert_int_equal(quota->buckets.count, 3);
    quota_destroy(quota);
    config.tenant_count = 0;
    quota = NULL;
    quota_set(&quota, &config, 7);
    assert_null(quota);
}

static void L7_tenants_for_whom_there_is_no_bucket_share_one(void **state)
{
    (void)state;
    struct quota_config config = ten_a_second();
    char name[16];
    config.tenants_max = 4;
    struct quota *quota = quota_of(&config);

    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(takes_of(quota, name, 5000, 2), 2);
    }
    assert_true(takes(quota, "u", 5000));
    assert_true(takes(quota, "v", 5000));
    assert_true(takes(quota, "u", 5000));
    assert_int_equal(takes_of(quota, "v", 5000, 5) + takes_of(quota, "w", 5000, 5), 0);
    assert_int_equal(takes_of(quota, "big", 5000, 9), 5); /* its own is kept for it */
    assert_int_equal(takes_of(quota, "t0", 5000, 9), 1);
    assert_int_equal(quota->buckets.count, 1 + 2 + 4);
    /* A second after it was looked for last those that are full again make room: before the second
     * of these, the first of which still shares. */
    assert_int_equal(takes_of(quota, "w", 6000, 9), 1 + 3);
    assert_int_equal(takes_of(quota, "x", 6100, 9), 3);
    assert_int_equal(quota->buckets.count, 1 + 2 + 2 + 1); /* t0 is cut */
    quota_destroy(quota);
}

/* Against buckets that nobody gives up. */
static void L7_a_bucket_that_was_given_up_had_nothing_to_say(void **state)
{
    (void)state;
    struct quota_config config = ten_a_second(), wide;
    uint64_t dice = 5, refused = 0;
    int64_t now = 100000;
    char name[16];
    config.tenants_max = 100; /* who is cut stays for a minute */
    wide = config;
    wide.tenants_max = 1000;
    struct quota *few = quota_of(&config), *many = quota_of(&wide);

    for (int i = 0; i < 20000; i++) {
        dice = hash_mix(dice + 0x9e3779b97f4a7c15u);
        now += (int64_t)(dice % 60);
        snprintf(name, sizeof(name), "t%d", i / 40 + (int)(dice >> 20 & 3));
        bool is_taken = takes(few, name, now);
        assert_int_equal(is_taken, takes(many, name, now));
        refused += !is_taken;
    }
    assert_true(refused > 1000);
    assert_true(few->buckets.count < 110 && many->buckets.count > 500);
    quota_destroy(few);
    quota_destroy(many);
}

static void L7_a_long_name_is_shown_by_its_begin_and_a_hash(void **state)
{
    (void)state;
    const struct quota_config config = ten_a_second();
    struct quota *quota = quota_of(&config);
    struct quota_bucket *bucket[2] = {NULL, NULL};
    char name[2][120];

    for (int i = 0; i < 2; i++) {
        memset(name[i], 'x', sizeof(name[i]));
        memcpy(name[i] + 44, "\xc3\xa4\xc3\xa4", 4); /* cut inside of a character: before it */
        name[i][119] = (char)('a' + i);
        for (int e = 0; e < 4; e++)
            quota_take(quota, (struct text){name[i], 120}, 5000, false, false, &bucket[i]);
        bucket[i] = &quota->buckets.at[3 + i];
        assert_true(bucket[i]->is_cut);
        assert_true(strlen(bucket[i]->name) < QUOTA_NAME_BYTES);
        assert_non_null(strchr(bucket[i]->name, '~'));
    }
    assert_memory_equal(quota->buckets.at[3].name, name[0], 46);
    assert_string_not_equal(quota->buckets.at[3].name, quota->buckets.at[4].name);
    quota_destroy(quota);
}

/* Limits that change keep what was taken, within the new burst. */
static void L7_who_was_counted_stays_so_under_another_limit(void **state)
{
    (void)state;
    const struct quota_config config = ten_a_second();
    struct quota_config more = config, none = {.tenants_max = 100};
    struct quota *quota = quota_of(&config);
    static const struct quota_tenant a_has_its_own[] = {{"a", 1, 50}};

    assert_int_equal(takes_of(quota, "a", 5000, 9), 3);
    more.burst = 9;
    more.tenants = a_has_its_own;
    more.tenant_count = 1;
    quota_set(&quota, &more, 7);
    assert_int_equal(takes_of(quota, "a", 6000, 9), 1);
    assert_int_equal(takes_of(quota, "big", 6000, 20), 9); /* like all others by now */
    assert_int_equal(takes_of(quota, "new", 6000, 20), 9);
    quota_set(&quota, &config, 7);
    assert_int_equal(takes_of(quota, "new", 6000, 20), 0);
    quota_set(&quota, &none, 7);
    assert_int_equal(takes_of(quota, "a", 6000, 20), 20);
    quota_destroy(quota);
}

/* --- recordings ------------------------------------------------------------------------------- */

static void put_of(struct bench_feed *feed, int64_t at_ms, const char *tenant, const char *resource,
                   const char *more)
{
    char all[256];

    snprintf(all, sizeof(all), ",\"tenant\":\"%s\"%s", tenant, more);
    bench_put(feed, at_ms, resource, "down", all);
}

static struct bench *limited_bench(void)
{
    struct bench *bench = bench_create(ALL);

    bench->config.quotas = ten_a_second();
    return bench;
}

static uint64_t refused_of(struct bench *bench, const char *tenant)
{
    struct engine_quota_counters row[8];
    size_t count = engine_quota_counters(bench->engine, row, 8);

    for (size_t i = 0; i < count; i++)
        if (strcmp(row[i].tenant, tenant) == 0)
            return row[i].refused;
    return 0;
}

static void L7_what_is_over_the_quota_is_rejected_and_counted(void **state)
{
    (void)state;
    struct bench *bench = limited_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *other = bench_feed(bench, "t", 1);
    char resource[16];

    for (int i = 0; i < 8; i++) {
        snprintf(resource, sizeof(resource), "r%d", i);
        put_of(feed, 1000, "a", resource, "");
        put_of(feed, 1000, "b", i < 2 ? resource : "r0", i == 7 ? BENCH_CLEAR : "");
        put_of(other, 1000, "a", i < 2 ? "o0" : "o1", "");
    }
    bench_run(bench);
    assert_int_equal(bench->counters.events, 24);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 5 + 4 + 5);
    assert_int_equal(bench->counters.derived, 3);
    assert_int_equal(bench->counters.quota_cut, 3); /* a on either partition, and b */
    assert_int_equal(bench->counters.quota_shared, 0);
    assert_int_equal(refused_of(bench, "a"), 10);
    assert_int_equal(refused_of(bench, "b"), 4);
    assert_string_equal(bench->brief,
                        "1000 opened rule one tenant=a resource=r0 n=1 alerts=1\n"
                        "1000 opened rule one tenant=b resource=r0 n=1 alerts=1\n"
                        "1000 opened rule one tenant=a resource=r1 n=1 alerts=1\n"
                        "1000 opened rule one tenant=b resource=r1 n=1 alerts=1\n"
                        "1000 opened rule one tenant=a resource=r2 n=1 alerts=1\n"
                        "1000 opened rule cut tenant=@tocsin resource=a n=1 alerts=1\n"
                        "1000 opened rule cut tenant=@tocsin resource=b n=1 alerts=1\n"
                        "1000 closed cleared one tenant=b resource=r0 n=2 alerts=1\n"
                        "1000 opened rule one tenant=a resource=o0 n=1 alerts=1\n"
                        "1000 opened rule one tenant=a resource=o1 n=1 alerts=1\n"
                        "1200 updated grew cut tenant=@tocsin resource=a n=2 alerts=2\n");
    assert_non_null(strstr(bench->log.at, "tenant a sends more than its quota of 10 events/s "
                                          "(burst 3) on t/0: what is beyond it is refused"));
    bench_destroy(bench);
}

/* et, and no other time: those that come late count at the time to which they are raised. */
static void L7_quotas_count_effective_time(void **state)
{
    (void)state;
    struct bench *bench = limited_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char more[64];

    for (int i = 0; i < 30; i++) { /* ten a second by their own times, all logged at once */
        snprintf(more, sizeof(more), ",\"time\":%" PRId64, BENCH_T0 + 10000 + 100 * i);
        put_of(feed, 20000, "a", "r", more);
    }
    for (int i = 0; i < 30; i++) { /* the same ten seconds behind the partition: at 12,400 */
        snprintf(more, sizeof(more), ",\"time\":%" PRId64, BENCH_T0 + 100 * i);
        put_of(feed, 20000, "b", "r", more);
    }
    bench_run(bench);
    assert_int_equal(refused_of(bench, "a"), 0);
    assert_int_equal(refused_of(bench, "b"), 27);
    assert_int_equal(bench->counters.late, 3);
    bench_destroy(bench);
}

/* An alert whose clear is refused would stay open. Clears take what there is, and never less. */
static void L7_a_clear_is_never_refused(void **state)
{
    (void)state;
    struct bench *bench = limited_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    for (int i = 0; i < 5; i++)
        put_of(feed, 1000, "a", "r", "");
    for (int i = 0; i < 50; i++)
        put_of(feed, 1000, "a", "r", BENCH_CLEAR);
    put_of(feed, 1100, "a", "s", BENCH_CLEAR); /* takes the one that there is by now */
    put_of(feed, 1100, "a", "s", "");
    bench_run(bench);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 3);
    assert_non_null(
        strstr(bench->brief, "1000 closed cleared one tenant=a resource=r n=2 alerts=1\n"));
    assert_null(strstr(bench->brief, "resource=s"));
    bench_destroy(bench);
}

static struct bench_text quota_words;

static void on_quota(void *self, const struct engine_quota_word *word)
{
    (void)self;
    bench_text_add(&quota_words, "%" PRId64 " %s %s %s/%d/%" PRId64 " %" PRIu64 " %u %u\n",
                   word->at_ms - BENCH_T0, word->tenant, word->is_cut ? "cut" : "within",
                   word->topic, (int)word->partition, word->offset, word->refused, word->events,
                   word->burst);
}

static void L7_who_is_cut_is_told_once_and_again_when_it_is_over(void **state)
{
    (void)state;
    struct bench *bench = limited_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    quota_words.used = 0;
    bench->on_quota = on_quota;
    for (int i = 0; i < 8000; i++) /* 100 a second, for 80 s: nine of ten go */
        put_of(feed, 1000 + 10 * i, "a", "r", "");
    put_of(feed, 140000, "b", "s", "");
    put_of(feed, 140990, "b", "s", ""); /* the last was refused at 80,990 */
    put_of(feed, 141000, "b", "s", "");
    bench_run(bench);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 8000 - 3 - 799);
    assert_int_equal(bench->counters.derived, 3); /* its begin, a minute later, and its end */
    assert_int_equal(bench->counters.quota_cut, 0);
    assert_string_equal(quota_words.at, "1030 a cut t/0/3 1 10 3\n"
                                        "140990 a within t/0/8001 7198 10 3\n");
    assert_non_null(strstr(bench->brief, "1030 opened rule cut tenant=@tocsin resource=a "));
    assert_non_null(strstr(bench->brief, "140990 closed cleared cut tenant=@tocsin resource=a "));
    free(quota_words.at);
    quota_words = (struct bench_text){.at = NULL};
    bench_destroy(bench);
}

/* Each event of a record counts, and is refused, alone. */
static void L7_a_record_of_many_events_is_cut_in_its_middle(void **state)
{
    (void)state;
    struct bench *bench = limited_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put_text(
        feed, 1000,
        "[{\"tenant\":\"a\",\"resource\":\"r0\",\"check\":\"down\"},"
        "{\"tenant\":\"a\",\"resource\":\"r1\",\"check\":\"down\"},"
        "{\"tenant\":\"a\",\"resource\":\"r2\",\"check\":\"down\"},"
        "{\"tenant\":\"a\",\"resource\":\"r3\",\"check\":\"down\"},"
        "{\"tenant\":\"b\",\"resource\":\"r4\",\"check\":\"down\"},"
        "{\"tenant\":\"a\",\"resource\":\"r0\",\"state\":\"clear\",\"check\":\"down\"}]");
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "1000 opened rule one tenant=a resource=r0 n=1 alerts=1\n"
                        "1000 opened rule one tenant=a resource=r1 n=1 alerts=1\n"
                        "1000 opened rule one tenant=a resource=r2 n=1 alerts=1\n"
                        "1000 opened rule cut tenant=@tocsin resource=a n=1 alerts=1\n"
                        "1000 opened rule one tenant=b resource=r4 n=1 alerts=1\n"
                        "1000 closed cleared one tenant=a resource=r0 n=2 alerts=1\n");
    assert_string_equal(bench->rejected.at, "t/0/0 quota at 3\n");
    bench_destroy(bench);
}

static uint64_t dice;

static uint64_t draw(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15u;
    return hash_mix(dice) % below;
}

/* A record of one event or a few, of tenants of whom one sends most. */
static void put_any(struct bench_feed *feed, int64_t at_ms)
{
    char text[2048];
    size_t used = 0;
    unsigned events = draw(4) == 0 ? 2 + (unsigned)draw(6) : 1;

    used += (size_t)snprintf(text, sizeof(text), "[");
    for (unsigned i = 0; i < events; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "%s{\"tenant\":\"%s\",\"resource\":\"r%" PRIu64
                                 "\",\"check\":\"down\",\"time\":%" PRId64 "%s}",
                                 i > 0 ? "," : "",
                                 draw(3) == 0   ? "a"
                                 : draw(3) == 0 ? "big"
                                                : "b",
                                 draw(9), BENCH_T0 + at_ms - (int64_t)draw(700),
                                 draw(4) == 0 ? BENCH_CLEAR : "");
    snprintf(text + used, sizeof(text) - used, "]");
    bench_put_text(feed, at_ms, text);
}

/* X1: by any number of workers, and however the work is cut, the same are refused. */
static void L7_what_is_refused_depends_on_no_form_of_the_work(void **state)
{
    (void)state;
    static const struct form {
        unsigned workers, epoch_ms;
        size_t take;
        uint64_t shuffle, seed;
    } forms[] = {{4, 20, 512, 0, 7}, {2, 20, 1, 0, 7},   {1, 200, 7, 3, 7},
                 {4, 1, 64, 4, 99},  {3, 100, 16, 5, 1}, {4, 20, 3, 6, 7}};
    struct bench *bench = limited_bench();

    bench->config.quotas.events = 2;
    dice = 3;
    for (int p = 0; p < 5; p++) {
        struct bench_feed *feed = bench_feed(bench, "t", p);
        for (int64_t at = (int64_t)draw(500); at < 50000; at += (int64_t)draw(400))
            put_any(feed, at);
        put_of(feed, 130000, "b", "r", ""); /* nobody has been cut for a minute */
        for (int64_t at = 131000; at < 150000; at += (int64_t)draw(400))
            put_any(feed, at);
    }
    bench_run(bench);
    char *log = strdup(bench->log.at);
    struct engine_counters expected = bench->counters;
    assert_true(expected.rejected[REJECT_QUOTA] > 500 && expected.derived > 20);
    assert_non_null(strstr(bench->brief, " closed cleared cut tenant=@tocsin resource=b "));
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        bench_rewind(bench, true);
        bench->config.workers = forms[i].workers;
        bench->config.epoch_ms = forms[i].epoch_ms;
        bench->config.take_max = forms[i].take;
        bench->config.shuffle = forms[i].shuffle;
        bench->config.seed = forms[i].seed;
        bench_run(bench);
        assert_string_equal(bench->log.at, log);
        assert_int_equal(bench->counters.rejected[REJECT_QUOTA], expected.rejected[REJECT_QUOTA]);
        assert_int_equal(bench->counters.derived, expected.derived);
        assert_int_equal(bench->counters.quota_cut, expected.quota_cut);
    }
    free(log);
    bench_destroy(bench);
}

/* --- from an image on --------------------------------------------------------------------------
 */

static struct {
    struct bench_image image;
    int64_t at_ms, to_ms, n_ms, r_ms, read[2];
    uint64_t marks;
    size_t log_bytes;
    bool is_again, has_recovered;
} held;

static void on_step(void *self, const struct engine_step *step)
{
    (void)self;
    if (held.is_again)
        return;
    held.to_ms = step->to_ms;
    held.n_ms = step->n_ms;
    held.r_ms = step->r_ms;
    held.marks = step->marks;
    for (size_t i = 0; i < step->position_count; i++)
        held.read[step->positions[i].part] = step->positions[i].read;
}

static void on_image(void *self, const struct engine_image *image)
{
    struct bench *bench = self;

    assert_null(held.image.at);
    held.image.at = engine_image_join(image, &held.image.bytes);
    held.image.set_count = image->set_count;
    held.at_ms = image->at_ms;
    pthread_mutex_lock(&bench->lock);
    held.log_bytes = bench->log.used;
    pthread_mutex_unlock(&bench->lock);
}

static void on_recovered(void *self)
{
    (void)self;
    held.has_recovered = true;
}

/* The first record of the first partition has two events that are over the quota by the third of
 * them, which lies so far ahead of the other partition that it has to wait: the image is taken
 * while it does, and has the tenant's tokens as they were before the record. */
static void L7_an_image_of_a_record_that_waits_has_what_was_before_it(void **state)
{
    (void)state;
    struct bench *bench = limited_bench();
    char text[1024];

    memset((void *)&held, 0, sizeof(held));
    bench->on_step = on_step;
    bench->on_image = on_image;
    bench->on_recovered = on_recovered;
    bench->config.quotas.burst = 2;
    bench->config.quotas.events = 1;
    bench_go_live(bench);
    struct bench_feed *ahead = bench_feed(bench, "t", 0), *behind = bench_feed(bench, "t", 1);
    bench_answers_set(ahead, false);
    bench_answers_set(behind, false);
    bench_clock_move(bench, 200000);
    snprintf(text, sizeof(text),
             "[{\"tenant\":\"a\",\"resource\":\"r0\",\"check\":\"down\",\"time\":%" PRId64 "},"
             "{\"tenant\":\"a\",\"resource\":\"r1\",\"check\":\"down\",\"time\":%" PRId64 "},"
             "{\"tenant\":\"a\",\"resource\":\"r2\",\"check\":\"down\",\"time\":%" PRId64 "},"
             "{\"tenant\":\"b\",\"resource\":\"r3\",\"check\":\"down\",\"time\":%" PRId64 "},"
             "{\"tenant\":\"a\",\"resource\":\"r4\",\"check\":\"down\",\"time\":%" PRId64 "}]",
             BENCH_T0 + 1000, BENCH_T0 + 1000, BENCH_T0 + 1000, BENCH_T0 + 190000,
             BENCH_T0 + 190000);
    bench_put_text(ahead, 190000, text);
    put_of(behind, 900, "c", "s0", "");
    bench_start(bench);
    bench_settle(bench);
    put_of(behind, 3000, "c", "s1", ""); /* what lies before 2,500 is closed */
    bench_pass(bench, 1000, 100);
    engine_ask_image(bench->engine);
    bench_pass(bench, 1000, 100);
    put_of(behind, 4000, "c", "s2", "");
    bench_pass(bench, 1000, 100);
    assert_non_null(held.image.at);
    assert_in_range(held.at_ms - BENCH_T0, 1020, 5000);
    for (int i = 0; i < 200; i++)
        put_of(behind, 5000 + 1000 * i, "c", "s3", "");
    put_of(ahead, 200000, "b", "r5", "");
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 1);
    assert_int_equal(refused_of(bench, "a"), 1);
    char *log = strdup(bench->log.at + held.log_bytes);
    struct mark *marks = malloc((bench->mark_count + 1) * sizeof(*marks));
    memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
    const struct engine_counters expected = bench->counters;

    bench_rewind(bench, false);
    rule_set_destroy(bench->rules);
    bench->rules = held.image.set[0] = parse_good(ALL);
    bench->image = &held.image;
    bench->config.marks = marks;
    bench->config.mark_count = held.marks;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = held.to_ms,
                                                      .read = held.read,
                                                      .read_count = 2,
                                                      .n_ms = held.n_ms,
                                                      .r_ms = held.r_ms};
    held.is_again = true;
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 400 && !held.has_recovered; i++)
        bench_pass(bench, 3, 3);
    assert_true(held.has_recovered);
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    assert_string_equal(bench->log.at, log);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 1);
    assert_int_equal(bench->counters.events, expected.events);
    assert_int_equal(bench->counters.derived, expected.derived);
    free(log);
    free(marks);
    free(held.image.at);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L7_a_bucket_gives_a_burst_and_then_its_rate),
        cmocka_unit_test(L7_who_is_named_is_limited_though_nobody_else_is),
        cmocka_unit_test(L7_tenants_for_whom_there_is_no_bucket_share_one),
        cmocka_unit_test(L7_a_bucket_that_was_given_up_had_nothing_to_say),
        cmocka_unit_test(L7_a_long_name_is_shown_by_its_begin_and_a_hash),
        cmocka_unit_test(L7_who_was_counted_stays_so_under_another_limit),
        cmocka_unit_test(L7_what_is_over_the_quota_is_rejected_and_counted),
        cmocka_unit_test(L7_quotas_count_effective_time),
        cmocka_unit_test(L7_a_clear_is_never_refused),
        cmocka_unit_test(L7_who_is_cut_is_told_once_and_again_when_it_is_over),
        cmocka_unit_test(L7_a_record_of_many_events_is_cut_in_its_middle),
        cmocka_unit_test(L7_what_is_refused_depends_on_no_form_of_the_work),
        cmocka_unit_test(L7_an_image_of_a_record_that_waits_has_what_was_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
