/* The shared store is kept up with the journal, and the unit has one owner: on a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include "store/journal_format.h"
#include "store/mirror.h"
#include "store/segment_walk.h"
#include "store/shared_files.h"
#include "store/shared_image.h"
#include "store/unit_image.h"
#include "tests/redis_process.h"

/* A machine may stand still: who wants an answer waits for it, and what is to happen has a minute.
 */
enum { LIMIT_MS = 60000, PATIENT_MS = 60000 };

#define FINE(call) assert_string_equal(shared_verdict_name(call), "fine")

static struct redis_process redis;
static char folder[256], pushed[256], blobs[256];
static struct segment_config journal, intake;

/* Until `condition`, or the test fails. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t until_ = host_mono_ns() + LIMIT_MS * UINT64_C(1000000);                           \
        while (!(condition)) {                                                                     \
            if (host_mono_ns() > until_)                                                           \
                fail_msg("not within %d ms: %s", LIMIT_MS, #condition);                            \
            usleep(1000);                                                                          \
        }                                                                                          \
    } while (0)

/* One owner: its logs, and its mirror. */
struct owner {
    struct segment_log *log, *pushed;
    struct mirror *mirror;
    _Atomic int fenced;
    uint64_t frames, pushes;
};

static void remove_tree(const char *path)
{
    char line[512];

    snprintf(line, sizeof(line), "rm -rf '%s'", path);
    assert_int_equal(system(line), 0);
}

static struct shared_store *open_store(const char *name, unsigned answer_ms)
{
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = answer_ms};
    struct shared_link *link;
    struct shared_store *store;
    struct error err;

    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(shared_store_create(link, "main", name, &store, &err), 0);
    return store;
}

static void on_write(void *self, const struct incident *incident, struct mirror_record *to)
{
    (void)self;
    size_t bytes = strlen(incident->title);

    vector_reserve(&to->bytes, bytes);
    memcpy(to->bytes.at + to->bytes.count, incident->title, bytes);
    to->bytes.count += bytes;
}

static void on_fenced(void *self, const char *why)
{
    assert_true(strstr(why, "owne") != NULL || strstr(why, "elsewhere") != NULL);
    atomic_fetch_add(&((struct owner *)self)->fenced, 1);
}

static void on_changed(void *self, const char *why)
{
    (void)self;
    (void)why;
}

/* What it is by now: with a short patience it may have been away for a moment at any time. */
static enum mirror_state state_of(struct owner *owner)
{
    struct mirror_counters counters;

    mirror_counters(owner->mirror, &counters);
    return counters.state;
}

struct terms {
    unsigned lease_ms, answer_ms, hold_ms;
};
static const struct terms calm = {60000, PATIENT_MS, 600000};

/* An empty one, in the place of what was there. */
static struct segment_log *begin_log(const struct segment_config *config)
{
    struct segment_walk *walk;
    struct segment_frame none;
    struct segment_log *log;
    enum segment_refusal why;
    struct error err;

    char anchor[300];

    snprintf(anchor, sizeof(anchor), "%s/../anchor", config->folder);
    unlink(anchor);
    remove_tree(config->folder);
    assert_int_equal(mkdir(config->folder, 0700), 0);
    assert_int_equal(segment_walk_create(config, &walk, &why, &err), 0);
    assert_int_equal(segment_walk_next(walk, &none, &err), 0);
    assert_int_equal(segment_log_open(config, segment_walk_end(walk), &log, &err), 0);
    segment_walk_destroy(walk);
    return log;
}

static void begin(struct owner *owner, const struct terms *terms)
{
    struct shared_store *store = open_store("one", terms->answer_ms);
    struct mirror_config config = {.log = {&journal, &intake},
                                   .blobs = blobs,
                                   .lease_ms = terms->lease_ms,
                                   .retry_ms = 20,
                                   .hold_ms = terms->hold_ms,
                                   .self = owner,
                                   .write = on_write,
                                   .fenced = on_fenced,
                                   .changed = on_changed};
    uint64_t now = host_mono_ns();
    struct error err;
    int64_t left;

    *owner = (struct owner){0};
    owner->log = begin_log(&journal);
    owner->pushed = begin_log(&intake);
    /* An answer that came too late for its patience is asked for again. */
    UNTIL(shared_store_take(store, terms->lease_ms, &left, &err) == SHARED_FINE &&
          shared_store_clear(store, &err) == SHARED_FINE);
    assert_int_equal(mirror_create(&config, store, now, &owner->mirror, &err), 0);
}

/* The same journal by a mirror that does not know whether the unit is its own. */
static void begin_alone(struct owner *owner, unsigned answer_ms)
{
    const struct mirror_config config = {.log = {&journal, &intake},
                                         .blobs = blobs,
                                         .is_alone = true,
                                         .durable = {owner->frames, 0},
                                         .lease_ms = 60000,
                                         .retry_ms = 20,
                                         .hold_ms = 600000,
                                         .self = owner,
                                         .write = on_write,
                                         .fenced = on_fenced,
                                         .changed = on_changed};
    struct error err;

    assert_int_equal(
        mirror_create(&config, open_store("one", answer_ms), host_mono_ns(), &owner->mirror, &err),
        0);
}

static void end(struct owner *owner)
{
    mirror_destroy(owner->mirror);
    segment_log_destroy(owner->log);
    segment_log_destroy(owner->pushed);
}

/* A group of these records, durable. */
static void commit(struct owner *owner, const struct journal_record *records, size_t count)
{
    struct journal_buffer buffer = {0};
    struct error err;

    journal_put(&buffer, &(struct journal_record){.kind = JOURNAL_GROUP,
                                                  .group = {.engine = "tocsin 0.1.0"}});
    for (size_t i = 0; i < count; i++)
        journal_put(&buffer, &records[i]);
    assert_int_equal(segment_log_append(owner->log, JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST,
                                        buffer.bytes.at, buffer.bytes.count, &owner->frames, &err),
                     0);
    assert_int_equal(segment_log_sync(owner->log, &err), 0);
    mirror_durable(owner->mirror, SHARED_JOURNAL, owner->frames);
    journal_buffer_release(&buffer);
}

/* A frame of the intake log, durable. */
static void push(struct owner *owner)
{
    struct error err;

    assert_int_equal(segment_log_append(owner->pushed, 1, "pushed", 6, &owner->pushes, &err), 0);
    assert_int_equal(segment_log_sync(owner->pushed, &err), 0);
    mirror_durable(owner->mirror, SHARED_INTAKE, owner->pushes);
}

static struct journal_record change(uint64_t id, enum incident_change change, const char *title)
{
    struct journal_record record = {.kind = JOURNAL_CHANGE};
    const struct incident incident = {.id = {0, id},
                                      .change = change,
                                      .tenant = "t",
                                      .rule_id = "r",
                                      .key = "",
                                      .title = title,
                                      .tier = "",
                                      .runbook = "",
                                      .team = "",
                                      .why = "",
                                      .source = "",
                                      .resource = "",
                                      .check = "",
                                      .message = "",
                                      .host = "",
                                      .muted_by = "",
                                      .fields = ""};

    memcpy((void *)&record.change, (const void *)&incident, sizeof(incident));
    return record;
}

static struct shared_end end_of(enum shared_log which)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct shared_end there;
    struct error err;

    shared_store_end(store, which, &there, &err);
    shared_store_destroy(store);
    return there;
}

static struct shared_end end_there(void)
{
    return end_of(SHARED_JOURNAL);
}

static void on_frame(void *user, const struct shared_frame *frame)
{
    (void)frame;
    ++*(int *)user;
}

/* All frames are there and follow on each other. */
static void assert_whole(uint64_t frames)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct shared_end at = {0, 0};
    struct error err;
    int count = 0, before;

    do {
        before = count;
        FINE(shared_store_read(store, SHARED_JOURNAL, &at, UINT64_MAX, on_frame, &count, &err));
    } while (count > before);
    assert_int_equal(count, frames);
    shared_store_destroy(store);
}

enum { IMAGE_BYTES = 600000 };

/* What the mirror takes for a snapshot: it looks at none of its bytes. */
static void tell_image(struct owner *owner, uint64_t known, uint64_t frame)
{
    static char bytes[IMAGE_BYTES];
    const struct id128 blob = {77, known};
    struct kept_files files = {0};
    char path[300];
    struct error err;
    FILE *to;

    snprintf(path, sizeof(path), "%s/image.%d", blobs, (int)known);
    memset(bytes, (int)known, sizeof(bytes));
    to = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), to), sizeof(bytes));
    assert_int_equal(fclose(to), 0);
    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    assert_int_equal(kept_files_save(blobs, blob, &files, &err), 0);
    kept_files_release(&files);
    mirror_image(owner->mirror, &(struct mirror_image){path, known, known, frame, &blob, 1});
}

/* The image that is there is whole, and of this frame; with what a start from it needs. */
static void assert_image(uint64_t known, struct shared_end *at)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct shared_image image;
    struct shared_end there;
    struct error err;
    struct text chunk;
    uint64_t bytes = 0;

    FINE(shared_image_find(store, &image, &err));
    assert_int_equal(image.known.number, known);
    assert_int_equal(image.number, known);
    for (uint32_t i = 0; i < image.chunks; i++) {
        FINE(shared_image_chunk(store, &image, i, &chunk, &err));
        for (uint32_t j = 0; j < chunk.len; j++)
            assert_int_equal(chunk.at[j], (char)known);
        bytes += chunk.len;
    }
    assert_int_equal(bytes, IMAGE_BYTES);
    FINE(shared_store_end_at(store, SHARED_JOURNAL, known, &there, &err));
    assert_int_equal(there.chain, image.known.chain);
    assert_int_equal(image.blob_count, 1);
    FINE(shared_store_has_blob(store, image.blobs[0], &err));
    *at = image.known;
    shared_image_release(&image);
    shared_store_destroy(store);
}

static uint64_t first_there(void)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct error err;
    uint64_t first = 0;

    shared_store_first(store, SHARED_JOURNAL, &first, &err);
    shared_store_destroy(store);
    return first;
}

static uint64_t images_of(struct owner *owner)
{
    struct mirror_counters counters;

    mirror_counters(owner->mirror, &counters);
    return counters.images;
}

static void S1_what_is_settled_is_in_the_store(void **state)
{
    (void)state;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 1; i <= 200; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
        if (i % 50 == 0)
            assert_int_equal(end_there().number, i);
    }
    assert_whole(200);
    struct mirror_counters counters;
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.frames, 200);
    assert_int_equal(counters.owed, 0);
    assert_int_equal(counters.state, MIRROR_UP);
    end(&owner);
}

/* Who is answered that it was taken can count on the standby as well. */
static void S1_what_is_pushed_and_settled_is_in_the_store(void **state)
{
    (void)state;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 1; i <= 50; i++) {
        push(&owner);
        assert_true(mirror_settle(owner.mirror, SHARED_INTAKE, owner.pushes));
        assert_int_equal(end_of(SHARED_INTAKE).number, i);
        if (i % 5 == 0)
            commit(&owner, NULL, 0);
    }
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_whole(10);
    end(&owner);
}

/* While the store makes up for what it missed it may be all that is left of the unit. */
static void S1_the_journal_goes_behind_what_it_has_read(void **state)
{
    (void)state;
    const struct terms terms = {60000, 150, 600000};
    struct owner owner;
    uint64_t there;

    begin(&owner, &terms);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    kill(redis.pid, SIGSTOP);
    push(&owner);
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    for (int i = 0; i < 100; i++)
        push(&owner);
    for (int i = 0; i < 100; i++)
        commit(&owner, NULL, 0);
    kill(redis.pid, SIGCONT);
    do {
        there = end_there().number;
        if (there > 1)
            assert_int_equal(end_of(SHARED_INTAKE).number, 101);
    } while (there < 101);
    end(&owner);
}

static void S3_an_image_stands_for_the_frames_before_it(void **state)
{
    (void)state;
    struct shared_end at, anchor;
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    for (int i = 0; i < 20; i++)
        commit(&owner, NULL, 0);
    assert_int_equal(mirror_floor(owner.mirror), 0);
    tell_image(&owner, 10, 25); /* it rests on frames that are still to come */
    for (int i = 0; i < 4; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    assert_int_equal(images_of(&owner), 0);
    commit(&owner, NULL, 0);
    UNTIL(images_of(&owner) == 1);
    assert_image(10, &at);
    assert_int_equal(mirror_floor(owner.mirror), 10);
    assert_int_equal(unit_anchor_read(&journal, &anchor, &err), 0);
    assert_int_equal(anchor.number, 10);
    assert_int_equal(anchor.chain, at.chain);
    assert_int_equal(first_there(), 1);
    /* The next one: who follows has what was before the first by now. */
    tell_image(&owner, 22, 25);
    UNTIL(images_of(&owner) == 2 && first_there() == 10);
    assert_image(22, &at);
    assert_int_equal(mirror_floor(owner.mirror), 22);
    end(&owner);
}

/* The journal has let go of its beginning, and the store of everything. */
static void S4_a_store_that_forgot_begins_with_an_image(void **state)
{
    (void)state;
    struct segment_walk *walk;
    enum segment_refusal why;
    struct owner owner;
    struct shared_end at;
    struct error err;
    char title[20000];

    memset(title, 'x', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    begin(&owner, &calm);
    const struct journal_record record = change(1, INCIDENT_OPENED, title);
    for (int i = 0; i < 12; i++)
        commit(&owner, &record, 1);
    push(&owner);
    tell_image(&owner, 8, 11);
    UNTIL(images_of(&owner) == 1);
    assert_int_equal(segment_log_release_before(owner.log, mirror_floor(owner.mirror), &err), 0);
    assert_int_equal(segment_walk_create(&journal, &walk, &why, &err), 0);
    assert_true(segment_walk_first(walk) > 1 && segment_walk_first(walk) <= 8);
    segment_walk_destroy(walk);
    redis_process_kill(&redis);
    commit(&owner, NULL, 0); /* else it is asked when a third of the lease is over */
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    assert_true(redis_process_start(&redis, NULL, NULL));
    UNTIL(state_of(&owner) == MIRROR_UP);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_image(8, &at); /* and not only some time later */
    assert_int_equal(first_there(), 8);
    assert_int_equal(end_there().number, 14);
    assert_int_equal(end_of(SHARED_INTAKE).number, 1);
    end(&owner);
}

static void S3_open_incidents_follow_the_journal(void **state)
{
    (void)state;
    struct owner owner;
    char title[20000];

    memset(title, 'x', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    begin(&owner, &calm);
    const struct journal_record first[] = {
        change(1, INCIDENT_OPENED, "one"), change(2, INCIDENT_OPENED, title),
        change(3, INCIDENT_OPENED, "three"), change(1, INCIDENT_UPDATED, "one, worse"),
        change(3, INCIDENT_CLOSED, "three")};
    commit(&owner, first, 5);
    const struct journal_record second[] = {change(4, INCIDENT_OPENED, "four"),
                                            change(2, INCIDENT_CLOSED, "")};
    commit(&owner, second, 2);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    struct shared_link *link;
    struct error err;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    const struct shared_reply *reply;
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    static const struct {
        const char *id, *record;
    } rows[] = {{"00000000000000000000000000000001", "one, worse"},
                {"00000000000000000000000000000004", "four"},
                {"00000000000000000000000000000002", NULL},
                {"00000000000000000000000000000003", NULL}};
    for (size_t i = 0; i < 4; i++) {
        const struct text word[] = {text_of("HGET"), text_of("tocsin:{main}:open"),
                                    text_of(rows[i].id)};
        assert_int_equal(link->ask(link, word, 3, &reply, &err), 0);
        if (rows[i].record == NULL)
            assert_int_equal(reply->kind, SHARED_REPLY_NIL);
        else
            assert_true(texts_equal(reply->text, text_of(rows[i].record)));
    }
    link->destroy(link);
    end(&owner);
}

static void S3_rules_are_there_before_the_frame_that_names_them(void **state)
{
    (void)state;
    const struct id128 set = {1, 2}, settings = {3, 4};
    struct kept_files files = {0};
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    const struct journal_record record = {.kind = JOURNAL_RULES, .rules = {0, set, settings}};
    commit(&owner, &record, 1);
    /* They are not kept: the frame does not go, and neither does what would leave. */
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    assert_int_equal(end_there().number, 0);
    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    assert_int_equal(kept_files_save(blobs, set, &files, &err), 0);
    assert_int_equal(kept_files_save(blobs, settings, &files, &err), 0);
    UNTIL(end_there().number == 1);
    struct shared_store *store = open_store("reader", PATIENT_MS);
    FINE(shared_files_get(store, blobs, set, &err));
    FINE(shared_files_get(store, blobs, settings, &err));
    shared_store_destroy(store);
    kept_files_release(&files);
    end(&owner);
}

static void F4_a_store_that_is_gone_holds_nothing_up(void **state)
{
    (void)state;
    struct mirror_counters counters;
    struct owner owner;

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_counters(owner.mirror, &counters);
    uint64_t fence = counters.fence;
    redis_process_kill(&redis);
    for (int i = 0; i < 20; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.state, MIRROR_AWAY);
    assert_int_equal(counters.owed, 20);
    /* It comes back and has forgotten everything: it gets everything. */
    assert_true(redis_process_start(&redis, NULL, NULL));
    UNTIL(end_there().number == 21);
    UNTIL(state_of(&owner) == MIRROR_UP);
    assert_whole(21);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 1);
    assert_true(counters.fence > fence); /* a new number, though the store counts from nothing */
    assert_int_equal(atomic_load(&owner.fenced), 0);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_whole(22);
    end(&owner);
}

/* It answers no more, and then again: what it missed is made up for, and is not put anew. */
static void F4_what_a_silent_store_missed_is_made_up_for(void **state)
{
    (void)state;
    const struct terms terms = {60000, 150, 600000};
    struct mirror_counters counters;
    struct owner owner;

    begin(&owner, &terms);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    kill(redis.pid, SIGSTOP);
    for (int i = 0; i < 5; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    kill(redis.pid, SIGCONT);
    UNTIL(state_of(&owner) == MIRROR_UP);
    commit(&owner, NULL, 0);
    UNTIL(end_there().number == 7);
    assert_whole(7);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 0);
    assert_true(counters.aways > 0);
    end(&owner);
}

/* While it could not renew, another took the unit. */
static void S2_an_owner_that_was_overtaken_sends_nothing_more(void **state)
{
    (void)state;
    const struct terms terms = {200, PATIENT_MS, 600000};
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct owner owner;
    struct error err;
    int64_t left;

    begin(&owner, &terms);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    /* As if it had slept for longer than its lease. */
    struct shared_link *link;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    const struct text word[] = {text_of("DEL"), text_of("tocsin:{main}:lease")};
    const struct shared_reply *reply;
    enum shared_verdict verdict;
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    do {
        assert_int_equal(link->ask(link, word, 2, &reply, &err), 0);
        verdict = shared_store_take(other, 60000, &left, &err);
    } while (verdict == SHARED_TAKEN);
    FINE(verdict);
    link->destroy(link);
    commit(&owner, NULL, 0);
    assert_false(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    UNTIL(atomic_load(&owner.fenced) == 1);
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_NEVER);
    assert_int_equal(end_there().number, 1);
    end(&owner);
    /* It does not let go what is another's. */
    FINE(shared_store_keep(other, 60000, &err));
    FINE(shared_store_leave(other, true, &err));
    shared_store_destroy(other);
}

/* The lease was renewed before the store stopped, and it is over three seconds early. A machine
 * that stands still for that long shows nothing, and it is tried again. */
static void S2_what_cannot_be_told_twice_waits_when_the_lease_may_end(void **state)
{
    (void)state;
    const struct terms terms = {3600, 100, 700};
    struct mirror_counters counters;
    enum mirror_leave leave;
    struct owner owner;
    bool is_early = false;

    for (int i = 0; i < 10 && !is_early; i++) {
        begin(&owner, &terms);
        UNTIL(mirror_may_leave(owner.mirror, false) == MIRROR_LEAVE);
        kill(redis.pid, SIGSTOP);
        UNTIL((leave = mirror_may_leave(owner.mirror, false)) != MIRROR_LEAVE);
        UNTIL(leave == MIRROR_LEAVE_REPEAT ||
              (leave = mirror_may_leave(owner.mirror, false)) != MIRROR_LEAVE_LATER);
        assert_int_equal(leave, MIRROR_LEAVE_REPEAT);
        mirror_counters(owner.mirror, &counters);
        is_early = counters.lease_left_ms + (int64_t)terms.hold_ms > 0;
        kill(redis.pid, SIGCONT);
        UNTIL(mirror_may_leave(owner.mirror, false) == MIRROR_LEAVE);
        end(&owner);
    }
    assert_true(is_early);
}

/* Sinks that fold repeats are told whoever the owner may be; but one that slept asks first. */
static void S2_sinks_that_fold_are_told_without_an_answer(void **state)
{
    (void)state;
    const struct terms terms = {400, 100, 600000};
    enum mirror_leave leave;
    struct owner owner;

    begin(&owner, &terms);
    kill(redis.pid, SIGSTOP);
    UNTIL(state_of(&owner) == MIRROR_AWAY);
    assert_int_equal(mirror_may_leave(owner.mirror, true), MIRROR_LEAVE);
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_LATER);
    kill(redis.pid, SIGCONT);
    UNTIL(state_of(&owner) == MIRROR_UP);
    end(&owner);

    /* Up, as far as it knows, and over: its question has no answer yet. */
    const struct terms slow = {50, 10000, 600000};
    begin(&owner, &slow);
    kill(redis.pid, SIGSTOP);
    UNTIL((leave = mirror_may_leave(owner.mirror, true)) != MIRROR_LEAVE);
    assert_int_equal(leave, MIRROR_LEAVE_LATER);
    kill(redis.pid, SIGCONT);
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE);
    end(&owner);
}

/* A start without an answer: the unit is taken when it comes. */
static void F4_one_that_began_alone_takes_the_unit_later(void **state)
{
    (void)state;
    struct mirror_counters counters;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 0; i < 3; i++)
        commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_destroy(owner.mirror);
    kill(redis.pid, SIGSTOP);
    begin_alone(&owner, 200);
    assert_int_equal(mirror_may_leave(owner.mirror, false), MIRROR_LEAVE_LATER);
    assert_int_equal(mirror_may_leave(owner.mirror, true), MIRROR_LEAVE);
    for (int i = 0; i < 2; i++) {
        commit(&owner, NULL, 0);
        assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    }
    kill(redis.pid, SIGCONT);
    UNTIL(mirror_may_leave(owner.mirror, false) == MIRROR_LEAVE);
    commit(&owner, NULL, 0);
    UNTIL(end_there().number == 6);
    assert_whole(6);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 0);
    end(&owner);
}

static void S2_one_that_began_alone_ends_where_the_unit_has_gone_on(void **state)
{
    (void)state;
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct shared_end there;
    struct owner owner;
    struct error err;
    int64_t left;

    begin(&owner, &calm);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    mirror_destroy(owner.mirror);
    FINE(shared_store_take(other, 60000, &left, &err));
    there = end_there();
    const struct shared_frame frame = {2, 2, text_of("theirs")};
    FINE(shared_store_put(other, SHARED_JOURNAL, there, &frame, NULL, 0, &err));

    /* The other still owns it. */
    begin_alone(&owner, PATIENT_MS);
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE_NEVER);
    assert_false(mirror_settle(owner.mirror, SHARED_JOURNAL, 1));
    mirror_destroy(owner.mirror);

    /* It is gone, but has told more. */
    FINE(shared_store_leave(other, true, &err));
    begin_alone(&owner, PATIENT_MS);
    UNTIL(mirror_may_leave(owner.mirror, true) == MIRROR_LEAVE_NEVER);
    assert_int_equal(end_there().number, 2);
    FINE(shared_store_take(other, 60000, &left, &err)); /* the lease was let go again */
    FINE(shared_store_leave(other, true, &err));
    end(&owner);
    shared_store_destroy(other);
}

/* Where all stood still for as long as the lease it was to be had, which shows nothing, and it is
 * tried again: the one that asks in turn would have seen no renewal for as long. */
static void S2_a_lease_is_kept_for_as_long_as_it_runs(void **state)
{
    (void)state;
    const struct terms terms = {1000, PATIENT_MS, 600000};
    struct shared_store *other = open_store("two", PATIENT_MS);
    struct mirror_counters counters;
    struct owner owner;
    struct error err;
    int64_t left;

    bool is_kept = false;
    for (int i = 0; i < 10 && !is_kept; i++) {
        uint64_t renewals = 0, seen_ns = host_mono_ns(), gap_ns = 0;
        begin(&owner, &terms);
        while (renewals < 6 && shared_store_take(other, 60000, &left, &err) == SHARED_TAKEN) {
            mirror_counters(owner.mirror, &counters);
            uint64_t now_ns = host_mono_ns();
            gap_ns = now_ns - seen_ns;
            if (counters.renewals > renewals)
                seen_ns = now_ns;
            renewals = counters.renewals;
        }
        is_kept = renewals >= 6;
        if (!is_kept) {
            gap_ns = host_mono_ns() - seen_ns > gap_ns ? host_mono_ns() - seen_ns : gap_ns;
            if (gap_ns < terms.lease_ms * UINT64_C(1000000) / 2)
                fail_msg("the lease was let go %" PRIu64 " us after it was renewed: %s",
                         gap_ns / 1000, err.text);
        }
        end(&owner);
        if (!is_kept)
            FINE(shared_store_leave(other, true, &err));
    }
    assert_true(is_kept);
    /* And it lets go at its end. */
    FINE(shared_store_take(other, 60000, &left, &err));
    FINE(shared_store_leave(other, true, &err));
    shared_store_destroy(other);
}

/* As after a failover to one that had not got everything. */
static void S4_a_store_of_before_gets_everything_anew(void **state)
{
    (void)state;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = PATIENT_MS, .answer_ms = PATIENT_MS};
    const struct text word[] = {text_of("DEL"), text_of("tocsin:{main}:fence")};
    const struct shared_reply *reply;
    struct mirror_counters counters;
    struct shared_link *link;
    struct owner owner;
    struct error err;

    begin(&owner, &calm);
    for (int i = 0; i < 3; i++)
        commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(link->ask(link, word, 2, &reply, &err), 0);
    link->destroy(link);
    commit(&owner, NULL, 0);
    UNTIL(end_there().number == 4);
    assert_whole(4);
    mirror_counters(owner.mirror, &counters);
    assert_int_equal(counters.anews, 1);
    end(&owner);
}

/* What is durable when it ends is there; so is what was durable while nobody looked. */
static void S1_the_end_leaves_nothing_owed(void **state)
{
    (void)state;
    struct owner owner;

    begin(&owner, &calm);
    for (int i = 0; i < 50; i++)
        commit(&owner, NULL, 0);
    end(&owner);
    assert_whole(50);
}

static int setup(void **state)
{
    (void)state;
    static char name[] = "/tmp/tocsin-mirror-XXXXXX";

    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(name) == NULL || !redis_process_start(&redis, NULL, NULL))
        return -1;
    snprintf(folder, sizeof(folder), "%s/journal", name);
    snprintf(blobs, sizeof(blobs), "%s/blobs", name);
    snprintf(pushed, sizeof(pushed), "%s/intake", name);
    intake = (struct segment_config){.folder = pushed,
                                     .kind = "intake",
                                     .directory = {5, 6},
                                     .segment_bytes = SEGMENT_BYTES_MIN};
    journal = (struct segment_config){.folder = folder,
                                      .kind = "journal",
                                      .directory = {5, 6},
                                      .segment_bytes = SEGMENT_BYTES_MIN};
    return mkdir(blobs, 0700);
}

static int teardown(void **state)
{
    (void)state;
    *strrchr(folder, '/') = '\0';
    remove_tree(folder);
    redis_process_end(&redis);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S1_what_is_settled_is_in_the_store),
        cmocka_unit_test(S1_what_is_pushed_and_settled_is_in_the_store),
        cmocka_unit_test(S1_the_journal_goes_behind_what_it_has_read),
        cmocka_unit_test(S3_an_image_stands_for_the_frames_before_it),
        cmocka_unit_test(S4_a_store_that_forgot_begins_with_an_image),
        cmocka_unit_test(S3_open_incidents_follow_the_journal),
        cmocka_unit_test(S3_rules_are_there_before_the_frame_that_names_them),
        cmocka_unit_test(F4_a_store_that_is_gone_holds_nothing_up),
        cmocka_unit_test(F4_what_a_silent_store_missed_is_made_up_for),
        cmocka_unit_test(S2_an_owner_that_was_overtaken_sends_nothing_more),
        cmocka_unit_test(S2_what_cannot_be_told_twice_waits_when_the_lease_may_end),
        cmocka_unit_test(S2_sinks_that_fold_are_told_without_an_answer),
        cmocka_unit_test(F4_one_that_began_alone_takes_the_unit_later),
        cmocka_unit_test(S2_one_that_began_alone_ends_where_the_unit_has_gone_on),
        cmocka_unit_test(S2_a_lease_is_kept_for_as_long_as_it_runs),
        cmocka_unit_test(S4_a_store_of_before_gets_everything_anew),
        cmocka_unit_test(S1_the_end_leaves_nothing_owed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
