/*
 * Aim (C12): a run goes on from an image of the versions before this one's, and refuses others by
 * their number. Version 6 was taken before partitions
 * could shed, version 5 before tenants had quotas. Version 4 was taken before it was
 * known what had been pushed, and has each lane as of one moment. Version 3 was taken besides
 * before forms of one rule shared keys: each slot has the keys that it had. Method: live runs in
 * which reloads give one rule forms whose keys cannot be compared, so that each slot is a family of
 * its own, as all were then; of the image's bytes that is taken out which came later, and what is
 * told from there on is held against the run that was not broken off.
 */
#include "correlate/image.h"
#include "correlate/incident_make.h"
#include "correlate/snapshot.h"
#include "form_bench.h"

#define BY(by, title) FORM(by, "1m", "count() >= 1", "cleared()", title, "")
#define SILENT BEATS("every: 2s", "cleared()", "third")

enum { SLOT_COUNTS = 10, SETS_MAX = 8 };

/* The last step of the first run, and its image. */
static struct {
    int64_t to_ms, n_ms, r_ms, read;
    uint64_t marks;
    struct bench_image image;
    const struct rule_set *set[SETS_MAX];
    size_t log_bytes;
    bool is_again, has_recovered;
} run;

static void on_step(void *self, const struct engine_step *step)
{
    (void)self;
    if (run.is_again)
        return;
    run.to_ms = step->to_ms;
    run.n_ms = step->n_ms;
    run.r_ms = step->r_ms;
    run.marks = step->marks;
    run.read = step->position_count > 0 ? step->positions[0].read : 0;
}

static void on_image(void *self, const struct engine_image *image)
{
    struct bench *bench = self;

    assert_null(run.image.at);
    run.image.at = engine_image_join(image, &run.image.bytes);
    run.image.set_count = image->set_count;
    assert_true(image->set_count <= SETS_MAX);
    for (size_t i = 0; i < image->set_count; i++)
        run.set[i] = image->sets[i];
    pthread_mutex_lock(&bench->lock);
    run.log_bytes = bench->log.used;
    pthread_mutex_unlock(&bench->lock);
}

static void on_recovered(void *self)
{
    (void)self;
    run.has_recovered = true;
}

static void put_between(struct image_out *out, const struct bench_image *image, size_t from,
                        size_t to)
{
    image_put(out, (const unsigned char *)image->at + from, to - from);
}

/* Where the mark stands, at or behind `from`; once in all. */
static size_t mark_find(const struct bench_image *image, size_t from, const char *mark)
{
    const unsigned char *at = image->at, *end = at + image->bytes;
    const unsigned char *found = memmem(at + from, image->bytes - from, mark, 4);

    assert_non_null(found);
    assert_null(memmem(found + 4, (size_t)(end - found) - 4, mark, 4));
    return (size_t)(found - at);
}

/* What stands between `kept` and here is taken over, the next bytes are not. */
static void leave_out(struct image_in *in, struct image_out *out, const struct bench_image *image,
                      size_t *kept, size_t bytes)
{
    put_between(out, image, *kept, in->used);
    image_take(in, (unsigned char[16]){0}, bytes);
    *kept = in->used;
}

static void pass_over(struct image_in *in, size_t bytes)
{
    unsigned char skipped[256];

    assert_true(bytes <= sizeof(skipped));
    image_take(in, skipped, bytes);
}

static void alert_make_older(struct image_in *in, struct image_out *out,
                             const struct bench_image *image, size_t *kept)
{
    pass_over(in, 16 + 8 + 8 + 8 + 4 + 8 + 8 + 8 + 4 + 4 + 4);
    leave_out(in, out, image, kept, 4);     /* whether it is pushed */
    pass_over(in, image_take_u32(in) * 8);  /* changes, */
    pass_over(in, image_take_u32(in) * 24); /* routes, */
    pass_over(in, image_take_u32(in) * 24); /* and of rules of flapping alerts */
    in->used += image_take_u32(in);         /* words */
}

/* Of an incident that is open. */
static void open_make_older(struct image_in *in, struct image_out *out,
                            const struct bench_image *image, size_t *kept)
{
    pass_over(in, 8); /* rule */
    incident_unref(incident_load(in));
    pass_over(in, 4 * 8 + 8 + 4 * 4 + RULE_LAST_MAX * 8);
    assert_int_equal(image_take_u32(in), 0); /* touches that fewer() asks for */
    pass_over(in, 4 + 5 * 4);
    leave_out(in, out, image, kept, 4 + 8); /* whether it is pushed, and what that began anew */
    pass_over(in, image_take_u32(in) * 20); /* members */
}

static void key_make_older(struct image_in *in, struct image_out *out,
                           const struct bench_image *image, size_t *kept)
{
    struct text value[RULE_BY_MAX];

    pass_over(in, 4);
    image_take_key(in, value);
    pass_over(in, 8 + 4);
    if (image_take_flag(in))
        open_make_older(in, out, image, kept);
    if (!image_take_flag(in))
        return;
    pass_over(in, 8);
    leave_out(in, out, image, kept, 8); /* since when it is waited for */
    pass_over(in, 8 + 4 * 4);
}

/* How many it has stands in front of a lane, and up to where a stretch of it goes in front of that.
 */
static void lane_make_older(struct image_in *in, struct image_out *out,
                            const struct bench_image *image, size_t *kept)
{
    leave_out(in, out, image, kept, 4);
    pass_over(in, 8);
    assert_true(image_take_u64(&(struct image_in){
                    .at = in->at, .bytes = in->bytes, .used = in->used}) == PLACES);
    leave_out(in, out, image, kept, 8);
    pass_over(in, 4);
}

static void lanes_make_older(struct image_in *in, struct image_out *out,
                             const struct bench_image *image, size_t *kept)
{
    for (int l = 0; l < LANES; l++) {
        lane_make_older(in, out, image, kept);
        for (uint32_t count = image_take_u32(in); count > 0 && in->fault == NULL; count--)
            alert_make_older(in, out, image, kept);
    }
    for (int l = 0; l < LANES; l++) {
        lane_make_older(in, out, image, kept);
        for (uint32_t count = image_take_u32(in); count > 0 && in->fault == NULL; count--)
            key_make_older(in, out, image, kept);
    }
}

/* Version 6 and older: of partitions that shed nothing; version 5 and older: of nobody who is
 * limited. */
static void parts_make_older(struct image_in *in, struct image_out *out,
                             const struct bench_image *image, size_t *kept, uint32_t version)
{
    in->used = mark_find(image, in->used, "PART");
    image_take_mark(in, "PART");
    for (uint32_t count = image_take_u32(in), i = 1; i < count; i++) {
        image_take_text(in);
        pass_over(in, 4 + 8 + 8 + 4);
        pass_over(in, (10 + REJECT_REASON_COUNT) * 8);
        if (version < 6)
            leave_out(in, out, image, kept, 8); /* what was told while it was read */
        else
            pass_over(in, 8);
        if (!image_take_flag(in))
            continue;
        pass_over(in, 4 * 8 + 2 * 4 + 6 * 8);
        assert_int_equal(image_take_u32(in), 0); /* tenants that are counted */
        if (version < 6) {
            put_between(out, image, *kept, in->used - 4);
            *kept = in->used;
        }
        assert_int_equal(image_take_u32(in), 0); /* whether it sheds */
        put_between(out, image, *kept, in->used - 4);
        *kept = in->used;
    }
}

/* The image as an older version has it; how many slots there are. */
static uint32_t make_older(struct bench_image *image, uint32_t version)
{
    struct image_in in = {.at = image->at, .bytes = image->bytes};
    struct image_out out = {.bytes = {.at = NULL}};
    unsigned char skipped[128], *bytes = image->at;
    size_t kept = 0;

    image_take_mark(&in, SNAPSHOT_HEAD);
    memcpy(bytes + in.used, &version, sizeof(version));
    parts_make_older(&in, &out, image, &kept, version);
    in.used = mark_find(image, in.used, SNAPSHOT_RULES);
    image_take_mark(&in, SNAPSHOT_RULES);
    image_take(&in, skipped, 4 + 8);                      /* generation, since when */
    image_take(&in, skipped, 16 + 4 + 8 + 8 + 4 + 4 + 8); /* terms */
    uint32_t count = image_take_u32(&in);
    for (uint32_t s = 0; s < count; s++) {
        assert_true(image_take_flag(&in));
        image_take(&in, skipped, 4 + 4 + 4 + 4); /* rule, whether it is in force, since when */
        if (version < 4)
            put_between(&out, image, kept, in.used);
        assert_int_equal(image_take_u32(&in), s); /* else no older image was like this */
        if (version < 4)
            kept = in.used;
        image_take(&in, skipped, SLOT_COUNTS * sizeof(uint64_t));
    }
    assert_null(in.fault);
    in.used = mark_find(image, in.used, SNAPSHOT_REST);
    image_take_mark(&in, SNAPSHOT_REST);
    image_take(&in, skipped, 8); /* the last mark of a spell of blindness, */
    assert_int_equal(image_take_u32(&in), 0);
    if (version < 5) {
        put_between(&out, image, kept, in.used);
        assert_int_equal(image_take_u32(&in), 0); /* and of spells in which nobody could push */
        kept = in.used;
        in.used = mark_find(image, in.used, SNAPSHOT_END);
        image_take_mark(&in, SNAPSHOT_END);
        lanes_make_older(&in, &out, image, &kept);
        assert_int_equal(in.used, image->bytes);
    }
    assert_null(in.fault);
    put_between(&out, image, kept, image->bytes);
    free(image->at);
    image->at = out.bytes.at;
    image->bytes = out.bytes.count;
    return count;
}

/* Each set by its text. */
static void sets_make(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < run.image.set_count; i++) {
        run.image.set[i] = NULL;
        for (size_t t = 0; t < count && run.image.set[i] == NULL; t++) {
            struct rule_set *set = parse_good(texts[t]);
            if (id128_equal(rule_set_hash(set), rule_set_hash(run.set[i])))
                run.image.set[i] = set;
            else
                rule_set_destroy(set);
        }
        assert_non_null(run.image.set[i]);
    }
}

static void go_on(struct bench *bench, const struct mark *marks)
{
    bench_rewind(bench, false);
    rule_set_destroy(bench->rules);
    bench->rules = run.image.set[0];
    bench->image = &run.image;
    bench->config.marks = marks;
    bench->config.mark_count = run.marks;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = run.to_ms,
                                                      .read = &run.read,
                                                      .read_count = 1,
                                                      .n_ms = run.n_ms,
                                                      .r_ms = run.r_ms};
    run.is_again = true;
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 400 && !run.has_recovered; i++)
        bench_pass(bench, 3, 3);
    assert_true(run.has_recovered);
}

static void goes_on_from(uint32_t version)
{
    static const char *const texts[] = {BY("resource", "first"), BY("resource, check", "second"),
                                        SILENT};

    for (int i = 0; i < FORMS; i++) {
        memset(&run, 0, sizeof(run));
        struct bench *bench = bench_create(texts[0]);
        bench->config.workers = worker_counts[i];
        bench->on_step = on_step;
        bench->on_image = on_image;
        bench->on_recovered = on_recovered;
        bench_go_live(bench);
        struct life life = {.bench = bench, .feed = bench_feed(bench, "t", 0)};
        bench_start(bench);
        put(&life, 0, "a", "down", "");
        put(&life, 100, "b", "down", "");
        change_rules(&life, texts[1]);
        put(&life, 2000, "b", "down", ""); /* the second form's */
        put(&life, 2100, "c", "down", "");
        change_rules(&life, texts[2]);
        put(&life, 4000, "a", "hb", "");
        put(&life, 4100, "c", "hb", "");
        pass_to(&life, 7000); /* both are silent */
        engine_ask_image(bench->engine);
        pass_to(&life, 8000);
        assert_non_null(run.image.at);
        sets_make(texts, 3);
        put(&life, 8000, "a", "down", BENCH_CLEAR);
        put(&life, 8100, "a", "down", "");
        put(&life, 8200, "c", "down", ",\"severity\":\"critical\"");
        put(&life, 8300, "b", "down", BENCH_CLEAR);
        put(&life, 9000, "a", "hb", "");
        pass_to(&life, 13000);
        bench_stop(bench);
        assert_string_equal(bench->brief,
                            "0 opened rule one resource=a n=1 alerts=1\n"
                            "100 opened rule one resource=b n=1 alerts=1\n"
                            "2000 closed cleared one resource=b n=2 alerts=1\n"
                            "2000 opened rule one resource=b check=down n=1 alerts=1\n"
                            "2100 opened rule one resource=c check=down n=1 alerts=1\n"
                            "6000 opened rule one resource=a n=1 alerts=1\n"
                            "6100 opened rule one resource=c n=1 alerts=1\n"
                            "8000 closed cleared one resource=a n=2 alerts=1\n"
                            "8200 closed cleared one resource=c check=down n=2 alerts=1\n"
                            "8300 closed cleared one resource=b check=down n=2 alerts=1\n"
                            "9000 closed cleared one resource=a n=2 alerts=1\n"
                            "11000 opened rule one resource=a n=1 alerts=1\n");
        char *log = strdup(bench->log.at + run.log_bytes);
        struct mark *marks = malloc((bench->mark_count + 1) * sizeof(*marks));
        memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
        assert_true(log[0] != '\0');

        assert_int_equal(make_older(&run.image, version), 3);
        go_on(bench, marks);
        pass_to(&life, life.now_ms + 1000);
        bench_stop(bench);
        assert_string_equal(bench->log.at, log);
        bench_destroy(bench);
        free(log);
        free(marks);
        free(run.image.at);
    }
}

static void C12_a_run_goes_on_from_an_image_of_version_3(void **state)
{
    (void)state;
    goes_on_from(3);
}

static void C12_a_run_goes_on_from_an_image_of_version_4(void **state)
{
    (void)state;
    goes_on_from(4);
}

static void C12_a_run_goes_on_from_an_image_of_version_5(void **state)
{
    (void)state;
    goes_on_from(5);
}

static void C12_a_run_goes_on_from_an_image_of_version_6(void **state)
{
    (void)state;
    goes_on_from(6);
}

/* Of the versions that stand in it alone: nobody looks further. */
static void C12_an_image_of_another_version_is_refused_by_its_number(void **state)
{
    static const uint32_t unknown[] = {0, 2, SNAPSHOT_VERSION + 1, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct image_out out = {.bytes = {.at = NULL}};
        struct error err = {""};
        char says[200];

        image_put_mark(&out, SNAPSHOT_HEAD);
        image_put_u32(&out, unknown[i]);
        assert_int_not_equal(engine_look_image(out.bytes.at, out.bytes.count, &err), 0);
        snprintf(says, sizeof(says),
                 "the image of the engine's state has version %" PRIu32
                 ", and this tocsin reads 3 to %d",
                 unknown[i], SNAPSHOT_VERSION);
        assert_string_equal(err.text, says);
        free(out.bytes.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C12_a_run_goes_on_from_an_image_of_version_3),
        cmocka_unit_test(C12_a_run_goes_on_from_an_image_of_version_4),
        cmocka_unit_test(C12_a_run_goes_on_from_an_image_of_version_5),
        cmocka_unit_test(C12_a_run_goes_on_from_an_image_of_version_6),
        cmocka_unit_test(C12_an_image_of_another_version_is_refused_by_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
