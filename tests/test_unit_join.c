/* A data directory is brought to where its unit stands: on a real Redis and real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/vector.h"
#include "store/journal_format.h"
#include "store/segment_walk.h"
#include "store/shared_files.h"
#include "store/shared_image.h"
#include "store/snapshot_file.h"
#include "store/unit_image.h"
#include "store/unit_join.h"
#include "tests/redis_process.h"

static struct redis_process redis;
static char folder[256], pushed[256], blobs[256], other_blobs[256];
static struct segment_config config, intake;

#define FINE(call) assert_string_equal(shared_verdict_name(call), "fine")
#define GIVES(call, verdict) assert_string_equal(shared_verdict_name(call), verdict)

static void remove_tree(const char *path)
{
    char line[DATA_DIR_PATH_BYTES + 16];

    snprintf(line, sizeof(line), "rm -rf '%s'", path);
    assert_int_equal(system(line), 0);
}

static struct shared_store *open_store(void)
{
    const struct redis_config to = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    struct shared_link *link;
    struct shared_store *store;
    struct error err;

    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(shared_store_create(link, "main", "one", &store, &err), 0);
    FINE(shared_store_take(store, 60000, SHARED_ANY_FENCE, &err));
    return store;
}

static enum shared_verdict join(struct shared_store *store, struct unit_joined *joined,
                                struct error *err)
{
    uint64_t kept_ns = host_mono_ns();
    const struct unit_join_config how = {
        .log = {&config, &intake}, .blobs = blobs, .lease_ms = 60000, .kept_ns = &kept_ns};

    return unit_join(store, &how, joined, err);
}

/* Frames of the journal are groups; what stands in them does not matter to a join, but for lists.
 */
static struct text group(char to[64], const char *words)
{
    snprintf(to, 64, "\x7f%s", words);
    return text_of(to);
}

/* A log of ours, made of these frames: "abc" is three, of "a", "b" and "c". */
static void our_log_is(const struct segment_config *ours, const char *frames)
{
    struct segment_walk *walk;
    struct segment_frame none;
    struct segment_log *log;
    enum segment_refusal why;
    struct error err;
    char text[64];

    remove_tree(ours->folder);
    assert_int_equal(mkdir(ours->folder, 0700), 0);
    assert_int_equal(segment_walk_create(ours, &walk, &why, &err), 0);
    assert_int_equal(segment_walk_next(walk, &none, &err), 0);
    assert_int_equal(segment_log_open(ours, segment_walk_end(walk), &log, &err), 0);
    for (; *frames != '\0'; frames++) {
        const char one[2] = {*frames, '\0'};
        const struct text payload = group(text, one);
        assert_int_equal(segment_log_append(log, JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST,
                                            payload.at, payload.len, NULL, &err),
                         0);
        assert_int_equal(segment_log_sync(log, &err), 0);
    }
    segment_log_destroy(log);
    segment_walk_destroy(walk);
}

static void ours_is(const char *frames)
{
    our_log_is(&config, frames);
    our_log_is(&intake, "");
}

static struct shared_end their_log_is(struct shared_store *store, enum shared_log which,
                                      const char *frames)
{
    struct shared_end end = {0, 0};
    struct error err;
    char text[64];

    for (; *frames != '\0'; frames++) {
        const char one[2] = {*frames, '\0'};
        const struct shared_frame frame = {end.number + 1, JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST,
                                           group(text, one)};
        FINE(shared_store_put(store, which, end, &frame, NULL, 0, &err));
        end = shared_end_after(end, &frame);
    }
    return end;
}

static struct shared_end theirs_is(struct shared_store *store, const char *frames)
{
    return their_log_is(store, SHARED_JOURNAL, frames);
}

/* The frames of a folder, as our_log_is() takes them. */
static void frames_of_log(const struct segment_config *log, const char *path, char to[64])
{
    struct segment_config at = *log;
    struct segment_walk *walk;
    struct segment_frame frame;
    enum segment_refusal why;
    struct error err;
    size_t count = 0;

    at.folder = path;
    assert_int_equal(segment_walk_create(&at, &walk, &why, &err), 0);
    while (segment_walk_next(walk, &frame, &err) == 1)
        to[count++] = frame.payload[1];
    to[count] = '\0';
    segment_walk_destroy(walk);
}

static void frames_of(const char *path, char to[64])
{
    frames_of_log(&config, path, to);
}

/* What data_dir_open() makes, as far as it is moved about. */
static const char format_text[] = "tocsin data directory\n";

static void put_format(void)
{
    char path[DATA_DIR_PATH_BYTES];
    FILE *file;

    snprintf(path, sizeof(path), "%s/../FORMAT", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(format_text, file);
    fclose(file);
}

static bool has_format(const char *aside)
{
    char path[DATA_DIR_PATH_BYTES + 16], text[64] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/FORMAT", aside);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return strcmp(text, format_text) == 0;
}

static void frames_aside(const char *aside, char to[64])
{
    char path[DATA_DIR_PATH_BYTES + 16];

    snprintf(path, sizeof(path), "%s/journal", aside);
    frames_of(path, to);
}

static int fresh(void **state)
{
    (void)state;
    struct shared_store *store = open_store();
    struct error err;

    FINE(shared_store_clear(store, &err));
    shared_store_destroy(store);
    return 0;
}

static void S3_what_the_unit_has_more_of_comes_home(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ours, *theirs;
        const char *after; /* our journal */
        uint64_t fetched, owed;
        bool is_forgotten;
        const char *aside; /* the journal that was put aside, or NULL */
    } rows[] = {
        {"both are new", "", "", "", 0, 0, true, NULL},
        {"a standby with an empty disk", "", "abcdefg", "abcdefg", 7, 0, false, NULL},
        {"one that was the owner before", "abc", "abcdef", "abcdef", 3, 0, false, NULL},
        {"both are the same", "abc", "abc", "abc", 0, 0, false, NULL},
        {"it was away when we wrote", "abcde", "abc", "abcde", 0, 2, false, NULL},
        {"it has forgotten the unit", "abc", "", "abc", 0, 3, true, NULL},
        {"we went on alone, and so did another", "abcx", "abcdef", "abcdef", 6, 0, false, "abcx"},
        {"we went on for longer", "abcxyz", "abcd", "abcd", 4, 0, false, "abcxyz"},
        {"as far as the other", "abx", "abc", "abc", 3, 0, false, "abx"},
        {"we have nothing to do with it", "x", "abc", "abc", 3, 0, false, "x"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shared_store *store = open_store();
        struct unit_joined joined;
        struct shared_end end;
        struct error err = {""};
        char frames[64];
        FINE(shared_store_clear(store, &err));
        ours_is(rows[i].ours);
        end = theirs_is(store, rows[i].theirs);
        enum shared_verdict verdict = join(store, &joined, &err);
        if (verdict != SHARED_FINE || joined.fetched[SHARED_JOURNAL] != rows[i].fetched ||
            joined.owed[SHARED_JOURNAL] != rows[i].owed ||
            joined.is_forgotten != rows[i].is_forgotten ||
            (joined.aside[0] != '\0') != (rows[i].aside != NULL))
            fail_msg("%s: %s, %d fetched, %d owed, \"%s\": %s", rows[i].name,
                     shared_verdict_name(verdict), (int)joined.fetched[SHARED_JOURNAL],
                     (int)joined.owed[SHARED_JOURNAL], joined.aside, err.text);
        frames_of(folder, frames);
        assert_string_equal(frames, rows[i].after);
        assert_int_equal(joined.ends.of[SHARED_JOURNAL].number, strlen(rows[i].after));
        if (rows[i].owed == 0)
            assert_int_equal(joined.ends.of[SHARED_JOURNAL].chain, end.chain);
        if (rows[i].aside != NULL) {
            frames_aside(joined.aside, frames);
            assert_string_equal(frames, rows[i].aside);
        }
        /* Once more: there is nothing left to do. */
        FINE(join(store, &joined, &err));
        assert_int_equal(joined.fetched[SHARED_JOURNAL], 0);
        assert_int_equal(joined.owed[SHARED_JOURNAL], rows[i].owed);
        assert_string_equal(joined.aside, "");
        shared_store_destroy(store);
    }
}

/* What was pushed comes with the journal that goes by it. */
static void S3_both_logs_of_the_unit_come_home(void **state)
{
    (void)state;
    static const struct {
        const char *name, *journal, *pushed, *their_journal, *their_pushed;
        const char *journal_after, *pushed_after;
        uint64_t owed, owed_pushed;
        const char *aside, *pushed_aside; /* or NULL */
    } rows[] = {
        {"a standby with an empty disk", "", "", "abc", "12", "abc", "12", 0, 0, NULL, NULL},
        {"one that follows", "ab", "1", "abc", "123", "abc", "123", 0, 0, NULL, NULL},
        {"it was away when something was pushed", "abc", "123", "abc", "1", "abc", "123", 0, 2,
         NULL, NULL},
        {"and when it was read", "abcd", "123", "abc", "1", "abcd", "123", 1, 2, NULL, NULL},
        {"it has forgotten all", "abc", "12", "", "", "abc", "12", 3, 2, NULL, NULL},
        {"it was away, and the unit has gone on elsewhere", "abx", "12", "abcd", "1", "abcd", "12",
         0, 1, "abx", NULL},
        {"where something was pushed, too", "abx", "19", "abcd", "123", "abcd", "123", 0, 0, "abx",
         "19"},
        {"what was pushed here was not read", "ab", "19", "abcd", "123", "abcd", "123", 0, 0, NULL,
         "19"},
        {"our journal may go by what was", "abcd", "19", "abc", "12", "abc", "12", 0, 0, "abcd",
         "19"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shared_store *store = open_store();
        struct unit_joined joined;
        struct error err = {""};
        char frames[64], path[DATA_DIR_PATH_BYTES + 16];
        FINE(shared_store_clear(store, &err));
        our_log_is(&config, rows[i].journal);
        our_log_is(&intake, rows[i].pushed);
        theirs_is(store, rows[i].their_journal);
        their_log_is(store, SHARED_INTAKE, rows[i].their_pushed);
        put_format();
        FINE(join(store, &joined, &err));
        frames_of(folder, frames);
        if (strcmp(frames, rows[i].journal_after) != 0)
            fail_msg("%s: the journal is \"%s\"", rows[i].name, frames);
        frames_of_log(&intake, pushed, frames);
        if (strcmp(frames, rows[i].pushed_after) != 0)
            fail_msg("%s: pushed is \"%s\"", rows[i].name, frames);
        if (joined.owed[SHARED_JOURNAL] != rows[i].owed ||
            joined.owed[SHARED_INTAKE] != rows[i].owed_pushed ||
            joined.is_aside[SHARED_JOURNAL] != (rows[i].aside != NULL) ||
            joined.is_aside[SHARED_INTAKE] != (rows[i].pushed_aside != NULL))
            fail_msg("%s: %d and %d owed, aside \"%s\"", rows[i].name,
                     (int)joined.owed[SHARED_JOURNAL], (int)joined.owed[SHARED_INTAKE],
                     joined.aside);
        if (rows[i].aside != NULL) {
            frames_aside(joined.aside, frames);
            assert_string_equal(frames, rows[i].aside);
        }
        if (rows[i].pushed_aside != NULL) {
            snprintf(path, sizeof(path), "%s/intake", joined.aside);
            frames_of_log(&intake, path, frames);
            assert_string_equal(frames, rows[i].pushed_aside);
        }
        if (joined.aside[0] != '\0')
            assert_true(has_format(joined.aside)); /* it can be looked at */
        shared_store_destroy(store);
    }
}

enum { IMAGE_BYTES = 700000 };

/* An image of the unit, made by another directory behind frame `known` of its journal. */
static void their_image_is(struct shared_store *store, uint64_t known, uint64_t frame)
{
    static char bytes[IMAGE_BYTES], file[2 * IMAGE_BYTES];
    const struct id128 set = {1, known};
    const struct snapshot_folder folder_there = {other_blobs, {7, 8}};
    const struct snapshot_facts facts = {.at_ms = (int64_t)known,
                                         .told = known,
                                         .known = {known, 4711},
                                         .frame = frame,
                                         .sets = &set,
                                         .set_count = 1};
    struct shared_image image = {.frame = frame,
                                 .directory = {7, 8},
                                 .number = known,
                                 .blobs = (struct id128 *)&set,
                                 .blob_count = 1};
    struct kept_files files = {0};
    struct snapshot_written written;
    char path[SNAPSHOT_PATH_BYTES];
    struct error err;
    FILE *from;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)((i * i + known) >> 3);
    assert_int_equal(
        snapshot_file_write(&folder_there, known, &facts, &(struct snapshot_piece){"known", 5},
                            &(struct snapshot_piece){bytes, sizeof(bytes)}, 1, &written, &err),
        0);
    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    assert_int_equal(kept_files_save(other_blobs, set, &files, &err), 0);
    kept_files_release(&files);
    FINE(shared_files_put(store, other_blobs, set, &err));
    snapshot_file_path(&folder_there, known, path);
    from = fopen(path, "r");
    image.bytes = fread(file, 1, sizeof(file), from);
    fclose(from);
    shared_image_name(store, known, image.name);
    for (; (uint64_t)image.chunks * SHARED_CHUNK_BYTES < image.bytes; image.chunks++) {
        uint64_t at = (uint64_t)image.chunks * SHARED_CHUNK_BYTES, rest = image.bytes - at;
        const struct text chunk = {
            file + at, (uint32_t)(rest < SHARED_CHUNK_BYTES ? rest : SHARED_CHUNK_BYTES)};
        FINE(shared_image_put_chunk(store, image.name, image.chunks, chunk, &err));
    }
    FINE(shared_store_end_at(store, SHARED_JOURNAL, known, &image.known, &err));
    FINE(shared_image_publish(store, &image, &err));
}

/* The newest snapshot of ours is the image behind that frame, and rests on our own journal. */
static void assert_our_snapshot(uint64_t known)
{
    char path[DATA_DIR_PATH_BYTES];
    const struct snapshot_folder ours = {path, {5, 6}};
    uint64_t number[SNAPSHOT_LIST_MAX];
    struct snapshot_content content;
    enum snapshot_refusal refusal;
    enum segment_refusal why;
    struct segment_frame frame;
    struct segment_walk *walk;
    struct error err;

    snprintf(path, sizeof(path), "%s/../snapshots", folder);
    assert_true(snapshot_file_list(&ours, number) > 0);
    assert_int_equal(snapshot_file_read(&ours, number[0], &content, &refusal, &err), 0);
    assert_int_equal(content.facts.known.frame, known);
    assert_int_equal(content.facts.at_ms, known);
    assert_int_equal(content.image_bytes, IMAGE_BYTES);
    assert_int_equal(segment_walk_create(&config, &walk, &why, &err), 0);
    while (segment_walk_next(walk, &frame, &err) == 1 && frame.number < known)
        ;
    assert_int_equal(frame.number, known);
    assert_int_equal(content.facts.known.crc, frame.crc);
    segment_walk_destroy(walk);
    snapshot_content_release(&content);
}

static void no_snapshots(void)
{
    char path[DATA_DIR_PATH_BYTES];

    snprintf(path, sizeof(path), "%s/../snapshots", folder);
    remove_tree(path);
    snprintf(path, sizeof(path), "%s/../anchor", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/../intake-anchor", folder);
    unlink(path);
}

/* Where the beginning of the unit's journal is gone, its image stands for it. */
static void S3_who_lacks_the_beginning_begins_with_the_image(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ours, *after;
        uint64_t copied, image;
        bool is_aside;
    } rows[] = {
        {"an empty disk", "", "efgh", 0, 5, false},
        {"one that was away for long", "ab", "efgh", 0, 5, true},
        {"one that has followed, and was too slow", "ab", "efgh", 2, 5, false},
        {"one that has all", "abcdefg", "abcdefgh", 0, 0, false},
        {"one that went on alone", "abcdxx", "efgh", 0, 5, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shared_store *store = open_store();
        uint64_t kept_ns = host_mono_ns();
        const struct unit_join_config how = {.log = {&config, &intake},
                                             .blobs = blobs,
                                             .lease_ms = 60000,
                                             .copied = {rows[i].copied, rows[i].copied},
                                             .kept_ns = &kept_ns};
        struct unit_joined joined;
        struct shared_end end;
        struct error err = {""};
        char frames[64];
        no_snapshots();
        FINE(shared_store_clear(store, &err));
        ours_is(rows[i].ours);
        end = theirs_is(store, "abcdefgh");
        their_image_is(store, 5, 7);
        FINE(shared_store_trim(store, SHARED_JOURNAL, 4, &err));
        enum shared_verdict verdict = unit_join(store, &how, &joined, &err);
        frames_of(folder, frames);
        if (verdict != SHARED_FINE || strcmp(frames, rows[i].after) != 0 ||
            joined.image != rows[i].image || (joined.aside[0] != '\0') != rows[i].is_aside)
            fail_msg("%s: %s, \"%s\", image %d, \"%s\": %s", rows[i].name,
                     shared_verdict_name(verdict), frames, (int)joined.image, joined.aside,
                     err.text);
        assert_int_equal(joined.ends.of[SHARED_JOURNAL].number, 8);
        assert_int_equal(joined.ends.of[SHARED_JOURNAL].chain, end.chain);
        if (rows[i].image > 0)
            assert_our_snapshot(5);
        /* It is a unit's like any other. */
        FINE(join(store, &joined, &err));
        assert_int_equal(joined.fetched[SHARED_JOURNAL], 0);
        assert_int_equal(joined.owed[SHARED_JOURNAL], 0);
        assert_string_equal(joined.aside, "");
        shared_store_destroy(store);
    }
    no_snapshots();
}

/* Of what was pushed the beginning is gone, too: what is there is begun with, and a journal that
 * goes by what is missing begins with the image. */
struct later_row {
    const char *name, *ours, *pushed, *after;
    uint64_t copied[SHARED_LOGS], image;
    bool is_aside;
};

static const struct later_row later_rows[] = {
    {"an empty disk", "", "", "efgh", {0, 0}, 5, false},
    {"one that has all", "abcdefg", "ABCDE", "abcdefgh", {0, 0}, 0, false},
    {"one that lacks what was pushed last", "abcde", "AB", "efgh", {0, 0}, 5, true},
    {"one that has followed, and was too slow", "abcde", "AB", "efgh", {5, 2}, 5, false},
    {"nothing had been pushed when it followed", "abcde", "", "efgh", {5, 0}, 5, false},
    {"a journal that is new, and an intake log that is not", "", "ABCD", "efgh", {0, 0}, 5, false},
    {"what was pushed to it alone", "abcdx", "ABX", "efgh", {0, 0}, 5, true},
};

static struct shared_end later_begin(struct shared_store *store, const struct later_row *row,
                                     struct shared_end *intake_end)
{
    struct shared_end end;
    struct error err;

    no_snapshots();
    FINE(shared_store_clear(store, &err));
    our_log_is(&config, row->ours);
    our_log_is(&intake, row->pushed);
    *intake_end = their_log_is(store, SHARED_INTAKE, "ABCDEF");
    end = theirs_is(store, "abcdefgh");
    their_image_is(store, 5, 7);
    FINE(shared_store_trim(store, SHARED_JOURNAL, 4, &err));
    FINE(shared_store_trim(store, SHARED_INTAKE, 4, &err));
    return end;
}

static bool after_some(void *self)
{
    return (*(int *)self)-- <= 0;
}

static void S3_who_lacks_what_was_pushed_first_begins_behind_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(later_rows) / sizeof(later_rows[0]); i++) {
        const struct later_row *row = &later_rows[i];
        struct shared_store *store = open_store();
        uint64_t kept_ns = host_mono_ns();
        struct unit_join_config how = {.log = {&config, &intake},
                                       .blobs = blobs,
                                       .lease_ms = 60000,
                                       .copied = {row->copied[0], row->copied[1]},
                                       .kept_ns = &kept_ns};
        struct shared_end intake_end, end = later_begin(store, row, &intake_end);
        struct unit_joined joined;
        struct error err = {""};
        char frames[64], in[64];
        enum shared_verdict verdict = unit_join(store, &how, &joined, &err);
        frames_of(folder, frames);
        frames_of_log(&intake, pushed, in);
        if (verdict != SHARED_FINE || strcmp(frames, row->after) != 0 ||
            strcmp(in, row->image > 0 && strcmp(row->pushed, "ABCD") != 0 ? "DEF" : "ABCDEF") !=
                0 ||
            joined.image != row->image || (joined.aside[0] != '\0') != row->is_aside)
            fail_msg("%s: %s, \"%s\", \"%s\", image %d, \"%s\": %s", row->name,
                     shared_verdict_name(verdict), frames, in, (int)joined.image, joined.aside,
                     err.text);
        assert_memory_equal(&joined.ends.of[SHARED_JOURNAL], &end, sizeof(end));
        assert_memory_equal(&joined.ends.of[SHARED_INTAKE], &intake_end, sizeof(end));
        if (row->image > 0)
            assert_our_snapshot(5);
        FINE(join(store, &joined, &err));
        assert_int_equal(joined.fetched[SHARED_JOURNAL] + joined.fetched[SHARED_INTAKE], 0);
        assert_int_equal(joined.owed[SHARED_JOURNAL] + joined.owed[SHARED_INTAKE], 0);
        assert_string_equal(joined.aside, "");
        assert_memory_equal(&joined.ends.of[SHARED_INTAKE], &intake_end, sizeof(end));
        shared_store_destroy(store);
    }
    no_snapshots();
}

/* Broken off at each of its steps, the next one comes to the same. */
static void S3_a_join_that_was_broken_off_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(later_rows) / sizeof(later_rows[0]); i++) {
        const struct later_row *row = &later_rows[i];
        bool is_whole = false;
        for (int steps = 0; !is_whole; steps++) {
            struct shared_store *store = open_store();
            uint64_t kept_ns = host_mono_ns();
            int left = steps;
            struct unit_join_config how = {.log = {&config, &intake},
                                           .blobs = blobs,
                                           .lease_ms = 60000,
                                           .copied = {row->copied[0], row->copied[1]},
                                           .kept_ns = &kept_ns,
                                           .must_stop = after_some,
                                           .self = &left};
            struct shared_end intake_end, end = later_begin(store, row, &intake_end);
            struct unit_joined joined;
            struct error err = {""};
            enum shared_verdict verdict = unit_join(store, &how, &joined, &err);
            is_whole = verdict == SHARED_FINE;
            if (!is_whole)
                assert_string_equal(shared_verdict_name(verdict), "away");
            verdict = join(store, &joined, &err);
            if (verdict != SHARED_FINE)
                fail_msg("%s, broken off at step %d: %s", row->name, steps, err.text);
            assert_memory_equal(&joined.ends.of[SHARED_JOURNAL], &end, sizeof(end));
            assert_memory_equal(&joined.ends.of[SHARED_INTAKE], &intake_end, sizeof(end));
            shared_store_destroy(store);
        }
    }
    no_snapshots();
}

/* Nothing stands for what was pushed before. */
static void S3_an_intake_log_without_its_beginning_and_no_image_is_refused(void **state)
{
    (void)state;
    struct shared_store *store = open_store();
    struct unit_joined joined;
    struct error err;

    ours_is("");
    no_snapshots();
    their_log_is(store, SHARED_INTAKE, "ABCDEF");
    theirs_is(store, "abcdefgh");
    FINE(shared_store_trim(store, SHARED_INTAKE, 4, &err));
    GIVES(join(store, &joined, &err), "damaged");
    assert_non_null(strstr(err.text, "begins with frame 4, and there is no image"));
    shared_store_destroy(store);
}

/* An end that is before what the image rests on: nothing of it is taken in part. */
static void S3_an_image_without_its_frames_is_none(void **state)
{
    (void)state;
    struct shared_store *store = open_store();
    struct unit_joined joined;
    struct shared_end end;
    struct error err;

    ours_is("");
    end = theirs_is(store, "abcdefgh");
    their_image_is(store, 5, 9);
    assert_int_equal(end.number, 8);
    FINE(join(store, &joined, &err));
    assert_int_equal(joined.image, 0);
    assert_int_equal(joined.fetched[SHARED_JOURNAL], 8);
    FINE(shared_store_trim(store, SHARED_JOURNAL, 4, &err));
    ours_is("");
    GIVES(join(store, &joined, &err), "damaged");
    shared_store_destroy(store);
    no_snapshots();
}

/* So that neither its journal grows nor what it reads again when it takes over. */
static void S3_who_follows_takes_each_newer_image(void **state)
{
    (void)state;
    struct shared_store *owner = open_store(), *reader;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    uint64_t kept_ns = 1;
    const struct unit_join_config how = {
        .log = {&config, &intake}, .blobs = blobs, .kept_ns = &kept_ns};
    struct shared_link *link;
    struct unit_joined joined;
    struct error err;

    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(shared_store_create(link, "main", "two", &reader, &err), 0);
    no_snapshots();
    ours_is("");
    theirs_is(owner, "abcdefgh");
    FINE(unit_join(reader, &how, &joined, &err));
    their_image_is(owner, 4, 6);
    FINE(unit_join(reader, &how, &joined, &err));
    assert_int_equal(joined.image, 4);
    assert_our_snapshot(4);
    FINE(unit_join(reader, &how, &joined, &err));
    assert_int_equal(joined.image, 0);
    their_image_is(owner, 7, 8);
    FINE(unit_join(reader, &how, &joined, &err));
    assert_int_equal(joined.image, 7);
    assert_our_snapshot(7);
    shared_store_destroy(reader);
    shared_store_destroy(owner);
    no_snapshots();
}

/* A disk on which the first `disk_calls_left` calls that change it go well, and no more. */
static struct host failing_host;
static const struct host *good_host;
static int disk_calls_left, disk_fault;

static int failing_open(void *self, const char *path, int flags, unsigned mode)
{
    if ((flags & O_CREAT) != 0 && disk_calls_left-- <= 0)
        return disk_fault;
    return good_host->open(self, path, flags, mode);
}

static ssize_t failing_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    return disk_calls_left-- > 0 ? good_host->pwrite(self, fd, from, bytes, at) : disk_fault;
}

static ssize_t failing_write(void *self, int fd, const void *from, size_t bytes)
{
    return disk_calls_left-- > 0 ? good_host->write(self, fd, from, bytes) : disk_fault;
}

static int failing_sync(void *self, int fd)
{
    (void)self;
    (void)fd; /* nothing is lost here but by those calls */
    return disk_calls_left-- > 0 ? 0 : disk_fault;
}

static int failing_rename(void *self, const char *from, const char *to)
{
    return disk_calls_left-- > 0 ? good_host->rename(self, from, to) : disk_fault;
}

static int failing_unlink(void *self, const char *path)
{
    return disk_calls_left-- > 0 ? good_host->unlink(self, path) : disk_fault;
}

static int failing_mkdir(void *self, const char *path, unsigned mode)
{
    int rc = disk_calls_left > 0 ? good_host->mkdir(self, path, mode) : disk_fault;

    disk_calls_left -= rc == 0; /* of those that are there the disk has no need to write */
    return rc;
}

static int failing_sync_dir(void *self, const char *path)
{
    (void)self;
    (void)path;
    return disk_calls_left-- > 0 ? 0 : disk_fault;
}

static enum shared_verdict join_on_failing_disk(struct shared_store *store,
                                                const struct unit_join_config *how, int calls,
                                                int fault, struct unit_joined *joined,
                                                struct error *err)
{
    good_host = host();
    failing_host = *good_host;
    failing_host.open = failing_open;
    failing_host.pwrite = failing_pwrite;
    failing_host.write = failing_write;
    failing_host.sync = failing_sync;
    failing_host.rename = failing_rename;
    failing_host.unlink = failing_unlink;
    failing_host.mkdir = failing_mkdir;
    failing_host.sync_dir = failing_sync_dir;
    disk_calls_left = calls;
    disk_fault = fault;
    host_set(&failing_host);
    enum shared_verdict verdict = unit_join(store, how, joined, err);
    host_set(NULL);
    return verdict;
}

/* Of these there is an end. */
static void nothing_is_aside(void)
{
    char path[sizeof(folder) + 32];

    for (int i = 1; i <= 100; i++) {
        snprintf(path, sizeof(path), "%s.aside.%d", folder, i);
        if (access(path, F_OK) == 0)
            remove_tree(path);
    }
}

/* C9: at whatever call it fails, it is the disk that failed and not the data that are damaged, and
 * the next start goes on from what it has. */
static void S3_a_disk_that_fails_under_a_join_is_told_from_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(later_rows) / sizeof(later_rows[0]); i++) {
        const struct later_row *row = &later_rows[i];
        bool is_whole = false;
        for (int calls = 0; !is_whole; calls++) {
            struct shared_store *store = open_store();
            uint64_t kept_ns = host_mono_ns();
            const struct unit_join_config how = {.log = {&config, &intake},
                                                 .blobs = blobs,
                                                 .lease_ms = 60000,
                                                 .copied = {row->copied[0], row->copied[1]},
                                                 .kept_ns = &kept_ns};
            struct shared_end intake_end, end = later_begin(store, row, &intake_end);
            struct unit_joined joined;
            struct error err = {""};
            nothing_is_aside();
            enum shared_verdict verdict = join_on_failing_disk(
                store, &how, calls, calls % 2 == 0 ? -ENOSPC : -EIO, &joined, &err);
            is_whole = verdict == SHARED_FINE;
            if (!is_whole && verdict != SHARED_UNKEPT && !joined.is_disk_failed)
                fail_msg("%s, after %d calls: %s: %s", row->name, calls,
                         shared_verdict_name(verdict), err.text);
            verdict = unit_join(store, &how, &joined, &err);
            if (verdict != SHARED_FINE)
                fail_msg("%s, after %d calls, and then again: %s", row->name, calls, err.text);
            assert_memory_equal(&joined.ends.of[SHARED_JOURNAL], &end, sizeof(end));
            assert_memory_equal(&joined.ends.of[SHARED_INTAKE], &intake_end, sizeof(end));
            shared_store_destroy(store);
        }
    }
    no_snapshots();
}

/* A store that comes back behind so many questions as it was when there was nothing yet. */
struct older_link {
    struct shared_link link, *inner, *other; /* first */
    int asks_left;
};

static int older_ask(struct shared_link *self, const struct text *word, size_t count,
                     const struct shared_reply **reply, struct error *err)
{
    static const char *const keys[] = {"end", "journal", "open", "intake-end", "intake", "image"};
    enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
    struct older_link *older = (struct older_link *)self;
    struct text gone[1 + KEYS] = {text_of("DEL")};
    char name[KEYS][64];
    const struct shared_reply *ignored;

    for (int i = 0; i < KEYS; i++) {
        snprintf(name[i], sizeof(name[i]), "tocsin:{main}:%s", keys[i]);
        gone[1 + i] = text_of(name[i]);
    }
    if (older->asks_left-- == 0)
        assert_int_equal(older->other->ask(older->other, gone, 1 + KEYS, &ignored, err), 0);
    return older->inner->ask(older->inner, word, count, reply, err);
}

static void older_destroy(struct shared_link *self)
{
    struct older_link *older = (struct older_link *)self;

    older->inner->destroy(older->inner);
    older->other->destroy(older->other);
}

/* What it lacks then is no damage: the join is tried again. */
static void S3_a_store_that_comes_back_older_under_a_join_is_asked_again(void **state)
{
    (void)state;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};

    for (size_t i = 0; i < sizeof(later_rows) / sizeof(later_rows[0]); i++) {
        bool is_whole = false;
        for (int asks = 0; !is_whole; asks++) {
            struct older_link older = {.link = {older_ask, older_destroy}, .asks_left = -1};
            const struct later_row *row = &later_rows[i];
            uint64_t kept_ns = host_mono_ns();
            const struct unit_join_config how = {.log = {&config, &intake},
                                                 .blobs = blobs,
                                                 .lease_ms = 60000,
                                                 .copied = {row->copied[0], row->copied[1]},
                                                 .kept_ns = &kept_ns};
            struct shared_store *store;
            struct shared_end intake_end;
            struct unit_joined joined;
            struct error err = {""};
            assert_int_equal(redis_link_create(&to, &older.inner, &err), 0);
            assert_int_equal(redis_link_create(&to, &older.other, &err), 0);
            assert_int_equal(shared_store_create(&older.link, "main", "one", &store, &err), 0);
            FINE(shared_store_take(store, 60000, SHARED_ANY_FENCE, &err));
            nothing_is_aside();
            later_begin(store, row, &intake_end);
            older.asks_left = asks;
            enum shared_verdict verdict = unit_join(store, &how, &joined, &err);
            is_whole = older.asks_left >= 0; /* it was over before that */
            if (verdict != SHARED_FINE && verdict != SHARED_AWAY)
                fail_msg("%s, behind %d questions: %s: %s", row->name, asks,
                         shared_verdict_name(verdict), err.text);
            shared_store_destroy(store);
        }
    }
    no_snapshots();
}

/* Else there would be too many of them before there is room again. */
static void S3_a_disk_that_stays_full_is_given_one_folder_for_what_goes_aside(void **state)
{
    (void)state;
    char first[DATA_DIR_PATH_BYTES];
    struct unit_joined joined;
    struct error err;

    nothing_is_aside();
    snprintf(first, sizeof(first), "%s.aside.1", folder);
    for (int i = 0; i < 3; i++) {
        struct shared_store *store = open_store();
        uint64_t kept_ns = host_mono_ns();
        const struct unit_join_config how = {
            .log = {&config, &intake}, .blobs = blobs, .lease_ms = 60000, .kept_ns = &kept_ns};
        FINE(shared_store_clear(store, &err));
        theirs_is(store, "abc");
        if (i == 0)
            ours_is("x");
        if (i < 2) { /* the folder is made, and nothing goes there */
            GIVES(join_on_failing_disk(store, &how, 1, -ENOSPC, &joined, &err), "damaged");
            assert_true(joined.is_disk_failed);
            assert_non_null(strstr(err.text, "No space left on device"));
        } else {
            FINE(join(store, &joined, &err));
        }
        assert_string_equal(joined.aside, first);
        shared_store_destroy(store);
    }
}

/* Two that were put aside before are not written over. */
static void S3_every_journal_that_is_put_aside_is_kept(void **state)
{
    (void)state;
    struct shared_store *store = open_store();
    char first[DATA_DIR_PATH_BYTES], frames[64];
    struct unit_joined joined;
    struct error err;

    theirs_is(store, "abc");
    ours_is("x");
    FINE(join(store, &joined, &err));
    strcpy(first, joined.aside);
    ours_is("y");
    FINE(join(store, &joined, &err));
    assert_string_not_equal(first, joined.aside);
    frames_aside(first, frames);
    assert_string_equal(frames, "x");
    frames_aside(joined.aside, frames);
    assert_string_equal(frames, "y");
    shared_store_destroy(store);
}

/* A snapshot rests on the journal under it. */
static void S3_snapshots_of_a_journal_that_is_put_aside_go_with_it(void **state)
{
    (void)state;
    struct shared_store *store = open_store();
    char path[DATA_DIR_PATH_BYTES + 32];
    struct unit_joined joined;
    struct error err;

    no_snapshots();
    snprintf(path, sizeof(path), "%s/../snapshots", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/../snapshots/7", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    theirs_is(store, "abc");
    ours_is("abx");
    FINE(join(store, &joined, &err));
    snprintf(path, sizeof(path), "%s/snapshots/7", joined.aside);
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof(path), "%s/../snapshots", folder);
    assert_int_equal(rmdir(path), 0); /* there, and empty */
    shared_store_destroy(store);
}

/* Another owns the unit: what there is is fetched, and its lease is left alone. */
static void S3_one_that_stands_by_follows(void **state)
{
    (void)state;
    struct shared_store *owner = open_store(), *reader;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    uint64_t kept_ns = 1;
    const struct unit_join_config how = {
        .log = {&config, &intake}, .blobs = blobs, .kept_ns = &kept_ns};
    struct shared_link *link;
    struct unit_joined joined;
    struct error err;
    char frames[64];

    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(shared_store_create(link, "main", "two", &reader, &err), 0);
    theirs_is(owner, "abc");
    ours_is("a");
    FINE(unit_join(reader, &how, &joined, &err));
    assert_int_equal(joined.fetched[SHARED_JOURNAL], 2);
    frames_of(folder, frames);
    assert_string_equal(frames, "abc");
    assert_int_equal(kept_ns, 1);
    FINE(shared_store_keep(owner, 60000, &err));
    shared_store_destroy(reader);
    shared_store_destroy(owner);
}

static void S3_what_the_journal_names_comes_with_it(void **state)
{
    (void)state;
    const struct id128 set = {1, 2}, settings = {3, 4};
    struct shared_store *store = open_store();
    struct kept_files files = {0}, back = {0};
    struct journal_buffer buffer = {0};
    struct unit_joined joined;
    struct error err;

    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    kept_files_add(&files, 't', "empty.csv", "", 0);
    assert_int_equal(kept_files_save(other_blobs, set, &files, &err), 0);
    assert_int_equal(kept_files_save(other_blobs, settings, &files, &err), 0);
    journal_put(&buffer, &(struct journal_record){.kind = JOURNAL_GROUP,
                                                  .group = {.engine = "tocsin 0.1.0"}});
    journal_put(&buffer,
                &(struct journal_record){.kind = JOURNAL_RULES, .rules = {0, set, settings}});
    const struct shared_frame frame = {1,
                                       JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST,
                                       {buffer.bytes.at, (uint32_t)buffer.bytes.count}};
    FINE(shared_store_put(store, SHARED_JOURNAL, (struct shared_end){0, 0}, &frame, NULL, 0, &err));
    ours_is("");
    /* Without its rules the journal does not come: nothing could be made of it. */
    FINE(shared_files_put(store, other_blobs, set, &err));
    GIVES(join(store, &joined, &err), "lost");
    char frames[64];
    frames_of(folder, frames);
    assert_string_equal(frames, "");
    FINE(shared_files_put(store, other_blobs, settings, &err));
    FINE(join(store, &joined, &err));
    assert_int_equal(joined.fetched[SHARED_JOURNAL], 1);
    assert_int_equal(kept_files_load(blobs, set, &back, &err), 0);
    assert_int_equal(back.file.count, 2);
    assert_string_equal(back.file.at[0].name, "rules.yaml");
    assert_string_equal(back.file.at[0].at, "rules: []");
    assert_int_equal(back.file.at[1].kind, 't');
    assert_int_equal(back.file.at[1].bytes, 0);
    kept_files_release(&files);
    kept_files_release(&back);
    journal_buffer_release(&buffer);
    shared_store_destroy(store);
}

static void files_that_were_changed_there_are_refused(void **state)
{
    (void)state;
    const struct id128 id = {9, 9};
    struct shared_store *store = open_store();
    struct kept_files files = {0};
    char key[64] = "tocsin:{main}:blob:", name[ID128_TEXT_BYTES];
    struct shared_link *link;
    const struct redis_config to = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    const struct shared_reply *reply;
    struct error err;
    struct text whole;

    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    assert_int_equal(kept_files_save(other_blobs, id, &files, &err), 0);
    FINE(shared_files_put(store, other_blobs, id, &err));
    FINE(shared_files_get(store, blobs, id, &err));
    FINE(shared_store_blob(store, id, &whole, &err));
    char *bytes = malloc(whole.len);
    const uint32_t whole_bytes = whole.len;
    memcpy(bytes, whole.at, whole_bytes);
    id128_format(id, name);
    strcat(key, name);
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    /* Cut at any byte, and whole with a bit turned in any of them. */
    for (uint32_t i = 0; i < 2 * whole_bytes; i++) {
        uint32_t len = i < whole_bytes ? i : whole_bytes, turned = i % whole_bytes;
        bytes[turned] ^= 4;
        const struct text word[] = {text_of("SET"), text_of(key), {bytes, len}};
        assert_int_equal(link->ask(link, word, 3, &reply, &err), 0);
        GIVES(shared_files_get(store, blobs, id, &err), "damaged");
        bytes[turned] ^= 4;
    }
    free(bytes);
    link->destroy(link);
    kept_files_release(&files);
    shared_store_destroy(store);
}

/* Who went on without an answer looks whether the unit has gone on elsewhere meanwhile. */
static void S2_an_owner_that_was_alone_compares(void **state)
{
    (void)state;
    static const struct {
        const char *ours, *theirs, *verdict;
    } cases[] = {
        {"abcd", "ab", "fine"},  {"abcd", "abcd", "fine"}, {"abcd", "", "lost"},
        {"ab", "abcd", "apart"}, {"abXd", "abc", "apart"}, {"", "ab", "apart"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct shared_store *store = open_store();
        uint64_t kept_ns = host_mono_ns();
        const struct unit_join_config how = {
            .log = {&config, &intake}, .blobs = blobs, .lease_ms = 60000, .kept_ns = &kept_ns};
        struct unit_ends there;
        struct error err;
        FINE(shared_store_clear(store, &err));
        ours_is(cases[i].ours);
        struct shared_end end = theirs_is(store, cases[i].theirs);
        GIVES(unit_join_compare(store, &how,
                                (const uint64_t[SHARED_LOGS]){strlen(cases[i].ours), 0}, &there,
                                &err),
              cases[i].verdict);
        assert_int_equal(there.of[SHARED_JOURNAL].number, end.number);
        shared_store_destroy(store);
    }
}

/* Longer than a lease: it is renewed, and given up when it is another's. */
static void S2_a_long_join_keeps_the_lease(void **state)
{
    (void)state;
    struct shared_store *store = open_store();
    uint64_t kept_ns = host_mono_ns() - UINT64_C(30000000000), began_ns = host_mono_ns();
    const struct unit_join_config how = {
        .log = {&config, &intake}, .blobs = blobs, .lease_ms = 60000, .kept_ns = &kept_ns};
    struct unit_joined joined;
    struct error err;

    ours_is("abc");
    theirs_is(store, "ab");
    FINE(unit_join(store, &how, &joined, &err));
    assert_true(kept_ns >= began_ns);

    const struct redis_config to = {
        .address = redis.address, .connect_ms = 60000, .answer_ms = 60000};
    struct shared_link *link;
    const struct text word[] = {text_of("INCR"), text_of("tocsin:{main}:fence")};
    const struct text gone[] = {text_of("DEL"), word[1]};
    const struct shared_reply *reply;
    assert_int_equal(redis_link_create(&to, &link, &err), 0);
    assert_int_equal(link->ask(link, word, 2, &reply, &err), 0);
    kept_ns = host_mono_ns() - UINT64_C(30000000000);
    GIVES(unit_join(store, &how, &joined, &err), "fenced");
    /* It came back older, or empty: that is no damage, and is tried again. */
    assert_int_equal(link->ask(link, gone, 2, &reply, &err), 0);
    GIVES(unit_join(store, &how, &joined, &err), "away");
    link->destroy(link);
    shared_store_destroy(store);
}

static int setup(void **state)
{
    (void)state;
    static char name[] = "/tmp/tocsin-join-XXXXXX";

    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(name) == NULL || !redis_process_start(&redis, NULL, NULL))
        return -1;
    snprintf(folder, sizeof(folder), "%s/journal", name);
    snprintf(blobs, sizeof(blobs), "%s/blobs", name);
    snprintf(other_blobs, sizeof(other_blobs), "%s/other", name);
    snprintf(pushed, sizeof(pushed), "%s/intake", name);
    intake = (struct segment_config){.folder = pushed,
                                     .kind = "intake",
                                     .directory = {5, 6},
                                     .segment_bytes = SEGMENT_BYTES_MIN};
    config = (struct segment_config){.folder = folder,
                                     .kind = "journal",
                                     .directory = {5, 6},
                                     .segment_bytes = SEGMENT_BYTES_MIN};
    return mkdir(blobs, 0700) != 0 || mkdir(other_blobs, 0700) != 0;
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
        cmocka_unit_test_setup(S3_what_the_unit_has_more_of_comes_home, fresh),
        cmocka_unit_test_setup(S3_both_logs_of_the_unit_come_home, fresh),
        cmocka_unit_test_setup(S3_who_lacks_the_beginning_begins_with_the_image, fresh),
        cmocka_unit_test_setup(S3_who_lacks_what_was_pushed_first_begins_behind_it, fresh),
        cmocka_unit_test_setup(S3_a_join_that_was_broken_off_goes_on, fresh),
        cmocka_unit_test_setup(S3_an_intake_log_without_its_beginning_and_no_image_is_refused,
                               fresh),
        cmocka_unit_test_setup(S3_an_image_without_its_frames_is_none, fresh),
        cmocka_unit_test_setup(S3_who_follows_takes_each_newer_image, fresh),
        cmocka_unit_test_setup(S3_a_disk_that_fails_under_a_join_is_told_from_damage, fresh),
        cmocka_unit_test_setup(S3_a_store_that_comes_back_older_under_a_join_is_asked_again, fresh),
        cmocka_unit_test_setup(S3_a_disk_that_stays_full_is_given_one_folder_for_what_goes_aside,
                               fresh),
        cmocka_unit_test_setup(S3_every_journal_that_is_put_aside_is_kept, fresh),
        cmocka_unit_test_setup(S3_snapshots_of_a_journal_that_is_put_aside_go_with_it, fresh),
        cmocka_unit_test_setup(S3_one_that_stands_by_follows, fresh),
        cmocka_unit_test_setup(S3_what_the_journal_names_comes_with_it, fresh),
        cmocka_unit_test_setup(files_that_were_changed_there_are_refused, fresh),
        cmocka_unit_test_setup(S2_an_owner_that_was_alone_compares, fresh),
        cmocka_unit_test_setup(S2_a_long_join_keeps_the_lease, fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
