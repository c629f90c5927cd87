/*
 * mirror_world.h - an owner with its logs and its mirror, on a real Redis, for tests of what comes
 * into the shared store and of whose the unit is. A program that includes it has one store.
 */
#ifndef TESTS_MIRROR_WORLD_H
#define TESTS_MIRROR_WORLD_H

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
    _Atomic int changed[MIRROR_CHANGE_BACK + 1], locked_out;
    uint64_t frames, pushes;
    uint64_t intake_needed; /* by images that are told of from now on; 0: all */
};

static inline void remove_tree(const char *path)
{
    char line[512];

    snprintf(line, sizeof(line), "rm -rf '%s'", path);
    assert_int_equal(system(line), 0);
}

static inline struct shared_store *open_store(const char *name, unsigned answer_ms)
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

static inline void on_write(void *self, const struct incident *incident, struct mirror_record *to)
{
    (void)self;
    size_t bytes = strlen(incident->title);

    vector_reserve(&to->bytes, bytes);
    memcpy(to->bytes.at + to->bytes.count, incident->title, bytes);
    to->bytes.count += bytes;
}

static inline void on_fenced(void *self, const char *why)
{
    assert_true(strstr(why, "owne") != NULL || strstr(why, "elsewhere") != NULL);
    atomic_fetch_add(&((struct owner *)self)->fenced, 1);
}

static inline void on_changed(void *self, enum mirror_change change, const char *why)
{
    struct owner *owner = self;

    assert_true((why == NULL) == (change == MIRROR_CHANGE_BACK));
    if (change == MIRROR_CHANGE_AWAY && strstr(why, "NOAUTH") != NULL)
        atomic_fetch_add(&owner->locked_out, 1);
    atomic_fetch_add(&owner->changed[change], 1);
}

/* What it is by now: with a short patience it may have been away for a moment at any time. */
static inline enum mirror_state state_of(struct owner *owner)
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
static inline struct segment_log *begin_log(const struct segment_config *config)
{
    struct segment_walk *walk;
    struct segment_frame none;
    struct segment_log *log;
    enum segment_refusal why;
    struct error err;

    char anchor[300];

    snprintf(anchor, sizeof(anchor), "%s/../%s", config->folder,
             config == &intake ? "intake-anchor" : "anchor");
    unlink(anchor);
    remove_tree(config->folder);
    assert_int_equal(mkdir(config->folder, 0700), 0);
    assert_int_equal(segment_walk_create(config, &walk, &why, &err), 0);
    assert_int_equal(segment_walk_next(walk, &none, &err), 0);
    assert_int_equal(segment_log_open(config, segment_walk_end(walk), &log, &err), 0);
    segment_walk_destroy(walk);
    return log;
}

static inline void begin(struct owner *owner, const struct terms *terms)
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

    *owner = (struct owner){0};
    owner->log = begin_log(&journal);
    owner->pushed = begin_log(&intake);
    /* An answer that came too late for its patience is asked for again. */
    UNTIL(shared_store_take(store, terms->lease_ms, SHARED_ANY_FENCE, &err) == SHARED_FINE &&
          shared_store_clear(store, &err) == SHARED_FINE);
    assert_int_equal(mirror_create(&config, store, now, &owner->mirror, &err), 0);
}

/* The same journal by a mirror that does not know whether the unit is its own. */
static inline void begin_alone(struct owner *owner, unsigned answer_ms)
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

static inline void end(struct owner *owner)
{
    mirror_destroy(owner->mirror);
    segment_log_destroy(owner->log);
    segment_log_destroy(owner->pushed);
}

/* A group of these records, durable. */
static inline void commit(struct owner *owner, const struct journal_record *records, size_t count)
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
static inline void push(struct owner *owner)
{
    struct error err;

    assert_int_equal(segment_log_append(owner->pushed, 1, "pushed", 6, &owner->pushes, &err), 0);
    assert_int_equal(segment_log_sync(owner->pushed, &err), 0);
    mirror_durable(owner->mirror, SHARED_INTAKE, owner->pushes);
}

static inline struct journal_record change(uint64_t id, enum incident_change change,
                                           const char *title)
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

static inline struct shared_end end_of(enum shared_log which)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct shared_end there;
    struct error err;

    shared_store_end(store, which, &there, &err);
    shared_store_destroy(store);
    return there;
}

static inline struct shared_end end_there(void)
{
    return end_of(SHARED_JOURNAL);
}

static inline void on_frame(void *user, const struct shared_frame *frame)
{
    (void)frame;
    ++*(int *)user;
}

/* All frames are there and follow on each other. */
static inline void assert_whole(uint64_t frames)
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
static inline void tell_image(struct owner *owner, uint64_t known, uint64_t frame)
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
    mirror_image(owner->mirror, &(struct mirror_image){.path = path,
                                                       .number = known,
                                                       .known = known,
                                                       .frame = frame,
                                                       .intake = owner->intake_needed,
                                                       .blobs = &blob,
                                                       .blob_count = 1});
}

/* The image that is there is whole, and of this frame; with what a start from it needs. */
static inline void assert_image(uint64_t known, struct shared_end *at)
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

static inline uint64_t first_of(enum shared_log which)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct error err;
    uint64_t first = 0;

    shared_store_first(store, which, &first, &err);
    shared_store_destroy(store);
    return first;
}

static inline uint64_t first_there(void)
{
    return first_of(SHARED_JOURNAL);
}

static inline uint64_t images_of(struct owner *owner)
{
    struct mirror_counters counters;

    mirror_counters(owner->mirror, &counters);
    return counters.images;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    *strrchr(folder, '/') = '\0';
    remove_tree(folder);
    redis_process_end(&redis);
    return 0;
}

#endif
