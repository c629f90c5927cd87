/*
 * Aim (C6, C7): a run that goes on from an image of an earlier one tells the same as if it had read
 * everything, and no bytes whatever are more than refused. Method: live runs of random records,
 * clocks, answers and switched rules, on virtual time, in which images are asked for; the engine
 * starts anew from any of them, on what was made durable up to a step behind it, and what it tells
 * up to there is held against the first run. (What each form of rule remembers, the model sees:
 * model_images.)
 */
#include <errno.h>
#include "base/hash.h"
#include "base/text.h"
#include "correlate/key.h"
#include "tests/engine_bench.h"
#include "tests/snapshot_rules.h"

enum { STEPS_MAX = 1 << 14, IMAGES_MAX = 64, SWITCHES_MAX = 64, FEEDS = 3, RESOURCES_MAX = 16 };

/* A step of the first run, and how long the log was behind it. */
struct kept {
    int64_t to_ms, n_ms, r_ms;
    uint64_t marks;
    int64_t read[FEEDS];
    uint64_t counts[ENGINE_COUNTS];
    size_t log_bytes;
};

struct shot {
    struct bench_image image;
    size_t text[8]; /* of its sets */
    int64_t at_ms;
    size_t log_bytes, marks;
    unsigned moments;
};

static struct id128 text_hash[SNAPSHOT_TEXTS];
static struct kept kept[STEPS_MAX], found;
static struct shot shot[IMAGES_MAX];
static struct switched {
    int64_t at_ms;
    size_t text;
    struct engine_terms terms;
} switched[SWITCHES_MAX];
static size_t steps_found, kept_count, shot_count, switched_count, first_switch;
static int64_t
    wanted_ms; /* the end of a step that is looked for in the second run; 0: this is the first */
static size_t recovered_at;
static bool has_recovered;
static uint64_t dice, resources;
static char name[RESOURCES_MAX][24]; /* of resources */
static size_t spread;                /* images that were taken at several moments */
static bool is_limited;              /* there are tenants, and they have quotas */
static bool is_behind;               /* partitions are, now and then, and shed */
static uint64_t over_quota;          /* what was refused in the first run */

static uint64_t draw(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15u;
    return hash_mix(dice) % below;
}

/* --- what the engine tells ------------------------------------------------------------------ */

static size_t log_bytes(struct bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    size_t bytes = bench->log.used;
    pthread_mutex_unlock(&bench->lock);
    return bytes;
}

static size_t text_of_set(const struct rule_set *set)
{
    size_t text = 0;

    while (!id128_equal(text_hash[text], rule_set_hash(set)))
        assert_true(++text < SNAPSHOT_TEXTS);
    return text;
}

static void on_step(void *self, const struct engine_step *step)
{
    struct kept *to = wanted_ms != 0 ? &found : &kept[kept_count];

    if (wanted_ms != 0 && step->to_ms != wanted_ms)
        return;
    assert_true(kept_count < STEPS_MAX);
    *to = (struct kept){.to_ms = step->to_ms,
                        .n_ms = step->n_ms,
                        .r_ms = step->r_ms,
                        .marks = step->marks,
                        .log_bytes = log_bytes(self)};
    for (size_t i = 0; i < step->position_count; i++)
        to->read[step->positions[i].part] = step->positions[i].read;
    memcpy(to->counts, step->counts, sizeof(to->counts));
    kept_count += wanted_ms == 0;
}

static void on_image(void *self, const struct engine_image *image)
{
    size_t bytes;
    void *at = engine_image_join(image, &bytes);

    if (wanted_ms != 0) {
        free(at);
        return;
    }
    assert_true(shot_count < IMAGES_MAX);
    struct shot *to = &shot[shot_count++];
    *to = (struct shot){.at_ms = image->at_ms, .log_bytes = log_bytes(self)};
    to->marks = ((struct bench *)self)->mark_count; /* this role makes them */
    to->moments = image->moments;
    spread += image->moments > 1;
    to->image.at = at;
    to->image.bytes = bytes;
    assert_true(image->set_count <= 8);
    to->image.set_count = image->set_count;
    for (size_t i = 0; i < image->set_count; i++)
        to->text[i] = text_of_set(image->sets[i]);
}

static void on_switched(void *self, const struct rule_set *rules, const struct engine_terms *terms,
                        int64_t at_ms)
{
    (void)self;
    if (wanted_ms != 0)
        return;
    assert_true(switched_count < SWITCHES_MAX);
    switched[switched_count++] = (struct switched){at_ms, text_of_set(rules), *terms};
}

static struct rule_set *rules_before(void *self, size_t index, struct engine_terms *terms)
{
    (void)self;
    *terms = switched[first_switch + index].terms;
    return parse_good(snapshot_rules[switched[first_switch + index].text]);
}

static void on_recovered(void *self)
{
    has_recovered = true;
    recovered_at = log_bytes(self);
}

/* --- names of resources ---------------------------------------------------------------------- */

static uint64_t alert_lane_of(const struct bench *bench, const char *resource)
{
    struct event_draft draft = {.severity = 0};
    _Alignas(8) char room[512];

    draft.field[FIELD_TENANT] = text_of("default");
    draft.field[FIELD_RESOURCE] = text_of(resource);
    draft.field[FIELD_CHECK] = text_of("down");
    const struct event_text *text = event_text_pack(room, event_text_bytes(&draft), &draft, 0);
    return event_fingerprint(text, bench->config.seed).hi >> 56;
}

static uint64_t key_lane_of(const struct bench *bench, const char *resource)
{
    const struct text value = text_of(resource);

    return key_id(0, bench->config.seed, &value, 1).hi >> 56;
}

/* Crowded: what is down lies in one lane of alerts, and the first rule's keys in one of theirs. */
static void names_make(const struct bench *bench, bool is_crowded)
{
    for (size_t i = 0, number = 0; i < RESOURCES_MAX; number++) {
        snprintf(name[i], sizeof(name[i]), "r%zu", number);
        if (!is_crowded || (key_lane_of(bench, name[i]) == 7 && alert_lane_of(bench, name[i]) == 5))
            i++;
    }
}

/* --- the first run --------------------------------------------------------------------------- */

static int64_t now_of(struct bench *bench)
{
    return atomic_load(&bench->wall_ms) - BENCH_T0;
}

/* A stretch of life: records with times around now, some far off; answers that come and go. */
static void live(struct bench *bench, unsigned turns, bool falls_behind)
{
    static const char *const checks[] = {"down", "slow"};
    const int64_t behind = falls_behind ? 2500 : 0;
    char more[128];

    for (int f = 0; is_behind && f < FEEDS; f++)
        bench_wait_behind(bench->feed[f], behind);
    for (unsigned i = 0; i < turns; i++) {
        for (uint64_t records = draw(4); records > 0; records--) {
            int64_t at = now_of(bench) - behind - (int64_t)draw(900) +
                         (draw(40) == 0 && behind == 0 ? 5000 : 0);
            const char *resource = name[draw(resources)];
            snprintf(more, sizeof(more), ",\"labels\":{\"rack\":\"k%" PRIu64 "\"}%s%s%s", draw(2),
                     draw(3) == 0 ? BENCH_CLEAR : "",
                     !is_behind || draw(3) == 0 ? "" : ",\"severity\":\"info\"",
                     !is_limited    ? ""
                     : draw(3) == 0 ? ",\"tenant\":\"few\""
                                    : ",\"tenant\":\"many\"");
            bench_put(bench->feed[draw(FEEDS)], at, resource, checks[draw(2)], more);
        }
        if (draw(6) == 0 && behind == 0)
            bench_answers_set(bench->feed[draw(FEEDS)], draw(2) == 0);
        if (draw(8) == 0)
            engine_ask_image(bench->engine);
        bench_pass(bench, (int64_t)draw(240) + 1, 240);
    }
    for (int f = 0; f < FEEDS; f++)
        bench_wait_behind(bench->feed[f], 0);
    bench_pass(bench, 1500, 300);
}

static struct bench *begin(unsigned workers, size_t text)
{
    static const char *sinks[] = {"pager"};
    struct bench *bench = bench_create(snapshot_rules[text]);

    for (size_t i = 0; i < SNAPSHOT_TEXTS; i++) {
        struct rule_set *set = parse_good(snapshot_rules[i]);
        text_hash[i] = rule_set_hash(set);
        rule_set_destroy(set);
    }
    bench_go_live(bench);
    bench->is_restless = true;
    bench->config.workers = workers;
    bench->config.image_bytes = 4096; /* lanes are taken at several moments */
    bench->config.image_steps = 1;
    bench->config.sink_names = sinks;
    bench->config.sink_count = 1;
    bench->on_step = on_step;
    bench->on_recovered = on_recovered;
    bench->on_image = on_image;
    bench->on_switched = on_switched;
    bench->rules_before = rules_before;
    for (int f = 0; f < FEEDS; f++)
        bench_feed(bench, "t", f)->is_ahead = true;
    kept_count = shot_count = switched_count = 0;
    wanted_ms = 0;
    return bench;
}

static void end(struct bench *bench)
{
    while (shot_count > 0)
        free(shot[--shot_count].image.at);
    bench_destroy(bench);
}

/* --- from an image on --------------------------------------------------------------------------
 */

static void go_on(struct bench *bench, struct shot *from, const struct kept *to,
                  const struct mark *mark, const char *log)
{
    static int64_t switch_ms[SWITCHES_MAX];
    size_t switch_count = 0;

    bench_rewind(bench, false);
    bench_clock_move(bench, (int64_t)draw(100000));
    rule_set_destroy(bench->rules);
    for (size_t i = 0; i < from->image.set_count; i++)
        from->image.set[i] = parse_good(snapshot_rules[from->text[i]]);
    bench->rules = from->image.set[0];
    bench->image = &from->image;
    bench->config.workers = 1 + (unsigned)draw(3);
    bench->config.marks = mark;
    bench->config.mark_count = to->marks > from->marks ? to->marks : from->marks;
    first_switch = 0;
    while (first_switch < switched_count && switched[first_switch].at_ms < from->at_ms)
        first_switch++;
    for (size_t i = first_switch; i < switched_count && switched[i].at_ms < to->to_ms; i++)
        switch_ms[switch_count++] = switched[i].at_ms;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = to->to_ms,
                                                      .read = to->read,
                                                      .read_count = FEEDS,
                                                      .n_ms = to->n_ms,
                                                      .r_ms = to->r_ms,
                                                      .switch_ms = switch_ms,
                                                      .switch_count = switch_count};
    has_recovered = false;
    wanted_ms = to->to_ms;
    found = (struct kept){.to_ms = 0};
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 400 && !has_recovered; i++)
        bench_pass(bench, 3, 3);
    assert_true(has_recovered);
    assert_int_equal(recovered_at, to->log_bytes - from->log_bytes);
    assert_memory_equal(bench->log.at, log + from->log_bytes, recovered_at);
    steps_found += found.to_ms != 0;
    if (found.to_ms != 0) /* an idle stretch may have no step of its own */
        assert_memory_equal(found.counts, to->counts, sizeof(found.counts));
    bench_pass(bench, 1000, 100); /* and on */
    bench_stop(bench);
    if (to == &kept[kept_count - 1]) /* nothing was read behind it */
        assert_int_equal(bench->counters.rejected[REJECT_QUOTA], over_quota);
}

/* Terms under which alerts are evicted, flap and expire, now these and now others. */
static struct engine_terms terms_any(void)
{
    struct engine_terms terms = {.alerts_max = 2 + (uint32_t)draw(12),
                                 .expire_ms = 200 + (int64_t)draw(3000),
                                 .flap_window_ms = 100 + (int64_t)draw(3000),
                                 .flap_start = draw(5) == 0 ? 0 : 1 + (unsigned)draw(6)};

    terms.flap_stop = terms.flap_start > 0 ? (unsigned)draw(terms.flap_start) : 0;
    return terms;
}

enum switching { NOTHING, RULES, TERMS };

enum { BOUNDED = 1, CROWDED = 2, LIMITED = 4, BEHIND = 8 };

static void life_of(uint64_t seed, unsigned workers, enum switching switching, unsigned how)
{
    const bool is_switched = switching != NOTHING, is_bounded = (how & BOUNDED) != 0;
    struct bench *bench = begin(workers, is_bounded             ? SNAPSHOT_TIGHT
                                         : (how & CROWDED) != 0 ? SNAPSHOT_WIDE
                                                                : 0);
    size_t with_old_sets = 0;

    static const struct quota_tenant few[] = {{"few", 1, 1}};

    steps_found = 0;
    dice = seed;
    is_limited = (how & LIMITED) != 0;
    if (is_limited)
        bench->config.quotas = (struct quota_config){
            .events = 1, .burst = 1, .tenants_max = 10, .tenants = few, .tenant_count = 1};
    is_behind = (how & BEHIND) != 0;
    if (is_behind)
        bench->config.shedding = (struct shed_config){
            .behind_ms = 1800, .for_ms = 300, .until_ms = 1000, .below = SEVERITY_WARNING};
    resources = (how & CROWDED) != 0 ? RESOURCES_MAX : is_bounded ? 12 : 5;
    names_make(bench, (how & CROWDED) != 0);
    if ((how & CROWDED) != 0)
        bench->config.image_bytes = 1024; /* a lane is taken at several moments */
    if (is_bounded)
        bench->config.alerts_max = (how & CROWDED) != 0 ? 16 : 8;
    bench_start(bench);
    bench_settle(bench);
    for (unsigned i = 0; i < 6; i++) {
        live(bench, (how & CROWDED) != 0 ? 24 : is_behind ? 30 : 12, is_behind && i % 2 == 0);
        const struct engine_terms terms =
            switching == TERMS ? terms_any() : (struct engine_terms){0};
        if (switching == TERMS) /* now and then with the rules as they are */
            engine_switch(bench->engine, parse_good(snapshot_rules[(i + 1) / 2 % SNAPSHOT_TIGHT]),
                          &terms);
        else if (switching == RULES)
            bench_switch(bench, snapshot_rules[(i + 1) % SNAPSHOT_TIGHT]);
    }
    bench_stop(bench);
    assert_true(shot_count > 3);
    over_quota = bench->counters.rejected[REJECT_QUOTA];
    assert_true((over_quota > 20) == (is_limited || is_behind));
    assert_true((bench_marks(bench, MARK_SHED) > 4) == is_behind);
    struct mark *mark = malloc((bench->mark_count + 1) * sizeof(*mark));
    memcpy(mark, bench->mark, bench->mark_count * sizeof(*mark));
    char *log = malloc(bench->log.used + 1);
    assert_true(bench->log.used > 0);
    memcpy(log, bench->log.at, bench->log.used);
    for (size_t i = 0; i < shot_count; i++) {
        size_t at = kept_count - 1 - (i % 3 == 0 ? 0 : draw(kept_count));
        while (at + 1 < kept_count && kept[at].to_ms < shot[i].at_ms)
            at++; /* an image may lie behind the last step */
        with_old_sets += shot[i].image.set_count > 1;
        go_on(bench, &shot[i], &kept[at], mark, log);
    }
    assert_true(!is_switched || with_old_sets > 0);
    assert_true(steps_found > 0);
    free(log);
    free(mark);
    end(bench);
}

static void a_run_goes_on_from_an_image_as_if_it_had_read_all(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), NOTHING, 0);
}

static void old_rule_sets_go_on_from_an_image(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 13; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), RULES, 0);
}

static void X5_terms_that_were_switched_go_on_from_an_image(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 26; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), TERMS, 0);
}

/* The table is full all the time, so at every round's end some alert goes. Their images are taken
 * at several moments all the same, and what went between two of them goes again. */
static void X4_what_bounds_take_between_lanes_goes_again(void **state)
{
    (void)state;
    spread = 0;
    for (uint64_t seed = 21; seed <= 26; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), NOTHING, BOUNDED);
    assert_true(spread > 20);
}

/* What lies in one lane is in the image as of several moments. */
static void C6_a_lane_that_was_taken_in_stretches_goes_on_as_one(void **state)
{
    (void)state;
    spread = 0;
    for (uint64_t seed = 31; seed <= 34; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), NOTHING, CROWDED | (seed % 2 == 0 ? BOUNDED : 0));
    assert_true(spread > 8);
}

/* L7: what was refused before the image is not counted again, and of what comes behind it the same
 * is refused, and told. */
static void L7_quotas_go_on_from_an_image(void **state)
{
    (void)state;
    for (uint64_t seed = 41; seed <= 44; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), NOTHING, LIMITED);
    is_limited = false;
}

/* L7: the same of what is shed; images are taken while partitions shed, and of others that have
 * ceased to and not told. */
static void L7_shedding_goes_on_from_an_image(void **state)
{
    (void)state;
    for (uint64_t seed = 51; seed <= 56; seed++)
        life_of(seed, 1 + (unsigned)(seed % 3), NOTHING, BEHIND | (seed % 2 == 0 ? LIMITED : 0));
    is_limited = is_behind = false;
}

/* --- bytes that are no image
 * ---------------------------------------------------------------------- */

static bool loads(struct bench *bench, const struct shot *from, const void *bytes, size_t count)
{
    struct engine_listener listener = {.self = bench};
    struct rule_set *set[8];
    struct engine *engine;
    struct error err = {""};

    for (size_t i = 0; i < from->image.set_count; i++)
        set[i] = parse_good(snapshot_rules[from->text[i]]);
    if (engine_create(&bench->config, &bench->source, set[0], &listener, &engine, &err) != 0)
        fail_msg("%s", err.text);
    int rc = engine_load_image(engine, bytes, count, set, from->image.set_count, &err);
    if (rc != 0) {
        assert_int_equal(rc, -EINVAL);
        assert_non_null(strstr(err.text, "damaged at byte "));
    }
    engine_destroy(engine);
    rule_set_destroy(set[0]);
    return rc == 0;
}

static void what_is_no_image_is_refused(void **state)
{
    struct bench *bench = begin(1, 0);
    size_t refused = 0;

    (void)state;
    dice = 12;
    names_make(bench, false);
    bench_start(bench);
    bench_settle(bench);
    for (unsigned i = 0; i < 3; i++) {
        live(bench, 12, false);
        bench_switch(bench, snapshot_rules[(i + 1) % SNAPSHOT_TIGHT]);
    }
    bench_stop(bench);
    assert_true(shot_count > 0);
    const struct shot *from = &shot[shot_count - 1];
    unsigned char *bytes = malloc(from->image.bytes + 1);
    memcpy(bytes, from->image.at, from->image.bytes);
    bytes[from->image.bytes] = 0;
    assert_true(loads(bench, from, bytes, from->image.bytes));
    assert_false(loads(bench, from, bytes, from->image.bytes + 1));
    for (int i = 0; i < 100; i++)
        assert_false(loads(bench, from, bytes, draw(from->image.bytes)));
    for (int i = 0; i < 400; i++) {
        size_t at = draw(from->image.bytes);
        unsigned char was = bytes[at];
        bytes[at] = (unsigned char)(draw(2) == 0 ? was ^ 1u << draw(8) : draw(3) * 127);
        refused += !loads(bench, from, bytes, from->image.bytes);
        bytes[at] = was;
    }
    assert_true(refused > 100); /* a number that is another one, is one */
    free(bytes);
    end(bench);
}

/* Seeds for fuzz_snapshot: small images with one set and with several, as its input has them. */
static void write_corpus(const char *folder)
{
    struct bench *bench = begin(1, 0);

    dice = 12;
    resources = 4;
    names_make(bench, false);
    bench_start(bench);
    bench_settle(bench);
    for (unsigned i = 0; i < 3; i++) {
        live(bench, 6, false);
        engine_ask_image(bench->engine);
        bench_pass(bench, 2000, 200);
        bench_switch(bench, snapshot_rules[(i + 1) % SNAPSHOT_TIGHT]);
    }
    bench_stop(bench);
    for (size_t i = 0; i < shot_count; i++) {
        const struct bench_image *image = &shot[i].image;
        char path[4096];
        snprintf(path, sizeof(path), "%s/image_%zu", folder, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputc(0, file);
        fputc((int)(image->set_count - 1), file);
        for (size_t t = 0; t < image->set_count; t++)
            fputc((int)shot[i].text[t], file);
        fwrite(image->at, 1, image->bytes, file);
        assert_int_equal(fclose(file), 0);
    }
    end(bench);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "corpus") == 0) {
        write_corpus(argv[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_from_an_image_as_if_it_had_read_all),
        cmocka_unit_test(old_rule_sets_go_on_from_an_image),
        cmocka_unit_test(X5_terms_that_were_switched_go_on_from_an_image),
        cmocka_unit_test(X4_what_bounds_take_between_lanes_goes_again),
        cmocka_unit_test(C6_a_lane_that_was_taken_in_stretches_goes_on_as_one),
        cmocka_unit_test(L7_quotas_go_on_from_an_image),
        cmocka_unit_test(L7_shedding_goes_on_from_an_image),
        cmocka_unit_test(what_is_no_image_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
