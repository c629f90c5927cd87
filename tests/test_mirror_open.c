/*
 * Aim (S4): a store that forgot everything lists what is open, also where the journal that it gets
 * begins later than the incidents that are. Method: an owner's logs and its mirror on a real Redis
 * (tests/mirror_world.h), snapshots with what the journal knew by then, and a journal that has let
 * go of its beginning; the list is held against what was made.
 */
#include "store/journal_recall.h"
#include "store/snapshot_file.h"
#include "tests/mirror_world.h"

enum { MANY = 450, FIRST_OF_MANY = 100 };

static char long_title[20000];

static struct journal_recall *recall; /* of all told snapshots of a test, */
static struct journal_place place;    /* up to here */

/* A snapshot of what the journal knows up to frame `known`, which the mirror is told of. */
static void tell_snapshot(struct owner *owner, uint64_t known, uint64_t frame)
{
    const struct journal_span span = {.from = place, .to = known};
    const struct snapshot_folder to = {blobs, journal.directory};
    const struct id128 blob = {77, known};
    struct snapshot_facts facts = {.at_ms = 1, .frame = frame};
    struct journal_buffer bytes = {0};
    struct snapshot_written written;
    struct kept_files files = {0};
    struct journal_reader *reader;
    char path[SNAPSHOT_PATH_BYTES];
    struct error err;

    assert_int_equal(journal_reader_create_span(&journal, &span, &reader, &err), 0);
    assert_int_equal(journal_recall_read(recall, reader, NULL, &err), 0);
    facts.known = place = journal_reader_place(reader);
    assert_int_equal(facts.known.frame, known);
    journal_reader_destroy(reader);
    journal_recall_save(recall, &bytes);
    assert_int_equal(
        snapshot_file_write(
            &to, known, &facts, &(struct snapshot_piece){bytes.bytes.at, bytes.bytes.count},
            &(struct snapshot_piece){long_title, sizeof(long_title)}, 1, &written, &err),
        0);
    journal_buffer_release(&bytes);
    kept_files_add(&files, 'r', "rules.yaml", "rules: []", 9);
    assert_int_equal(kept_files_save(blobs, blob, &files, &err), 0);
    kept_files_release(&files);
    snapshot_file_path(&to, known, path);
    mirror_image(owner->mirror, &(struct mirror_image){.path = path,
                                                       .number = known,
                                                       .known = known,
                                                       .frame = frame,
                                                       .blobs = &blob,
                                                       .blob_count = 1});
}

struct listed {
    char title[FIRST_OF_MANY][32]; /* by number */
    int many, others;
};

static void see_open(void *user, const struct shared_open *open)
{
    struct listed *listed = user;

    if (open->id.lo >= FIRST_OF_MANY)
        listed->many++;
    else
        snprintf(listed->title[open->id.lo], sizeof(listed->title[0]), "%.*s",
                 (int)open->record.len, open->record.at);
    listed->others += open->id.lo < FIRST_OF_MANY;
}

static void list(struct listed *to)
{
    struct shared_store *store = open_store("reader", PATIENT_MS);
    struct error err;

    memset(to, 0, sizeof(*to));
    FINE(shared_store_open_list(store, see_open, to, &err));
    shared_store_destroy(store);
}

static void forget_all(struct owner *owner)
{
    redis_process_kill(&redis);
    commit(owner, NULL, 0); /* else it is asked when a third of the lease is over */
    UNTIL(state_of(owner) == MIRROR_AWAY);
    assert_true(redis_process_start(&redis, NULL, NULL));
    UNTIL(state_of(owner) == MIRROR_UP);
}

/* Twelve frames; of the first, which opens nearly all, the journal lets go. */
static void live(struct owner *owner)
{
    struct journal_record first[MANY + 4];
    struct error err;
    struct segment_walk *walk;
    enum segment_refusal why;

    recall = journal_recall_begin();
    place = (struct journal_place){0, 0};
    memset(long_title, 'x', sizeof(long_title) - 1);
    for (int i = 0; i < MANY; i++)
        first[i] = change((uint64_t)(FIRST_OF_MANY + i), INCIDENT_OPENED, "one of many");
    first[MANY] = change(1, INCIDENT_OPENED, "one");
    first[MANY + 1] = change(2, INCIDENT_OPENED, "two");
    first[MANY + 2] = change(3, INCIDENT_OPENED, "three");
    first[MANY + 3] = change(4, INCIDENT_OPENED, "four");
    commit(owner, first, MANY + 4);                                              /* 1 */
    commit(owner, (struct journal_record[]){change(2, INCIDENT_CLOSED, "")}, 1); /* 2 */
    for (int i = 3; i <= 6; i++) {
        const struct journal_record filler[] = {change(9, INCIDENT_OPENED, long_title),
                                                change(9, INCIDENT_UPDATED, long_title),
                                                change(9, INCIDENT_CLOSED, long_title)};
        commit(owner, filler, 3);
    }
    commit(owner, (struct journal_record[]){change(1, INCIDENT_UPDATED, "one, worse")}, 1); /* 7 */
    commit(owner, NULL, 0);                                                                 /* 8 */
    commit(owner, (struct journal_record[]){change(3, INCIDENT_CLOSED, "")}, 1);            /* 9 */
    commit(owner, (struct journal_record[]){change(5, INCIDENT_OPENED, "five")}, 1);        /* 10 */
    commit(owner, NULL, 0);
    commit(owner, NULL, 0);
    tell_snapshot(owner, 8, 11);
    UNTIL(images_of(owner) == 1);
    assert_int_equal(
        segment_log_release_before(owner->log, mirror_floor(owner->mirror, SHARED_JOURNAL), &err),
        0);
    assert_int_equal(segment_walk_create(&journal, &walk, &why, &err), 0);
    assert_in_range(segment_walk_first(walk), 3, 8);
    segment_walk_destroy(walk);
}

static void S4_what_was_open_before_the_journal_is_listed(void **state)
{
    (void)state;
    struct owner owner;
    struct listed before, after;

    begin(&owner, &calm);
    live(&owner);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    list(&before);
    assert_int_equal(before.many, MANY);
    assert_int_equal(before.others, 3);
    assert_string_equal(before.title[1], "one, worse");
    assert_string_equal(before.title[4], "four");
    assert_string_equal(before.title[5], "five");
    forget_all(&owner);
    commit(&owner, NULL, 0);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    list(&after);
    assert_memory_equal(&after, &before, sizeof(after));
    assert_int_equal(atomic_load(&owner.changed[MIRROR_CHANGE_UNLISTED]), 0);
    assert_true(first_there() > 2); /* frames do not say it */
    journal_recall_destroy(recall);
    end(&owner);
}

/* The newest image was passed over, or is not there any more: what the store begins with is behind
 * the one that is. */
static void S4_an_image_of_before_the_journal_there_is_read_on(void **state)
{
    (void)state;
    struct owner owner;
    struct listed before, after;
    struct shared_store *store;
    struct shared_end at;
    struct error err;

    begin(&owner, &calm);
    live(&owner);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    list(&before);
    store = open_store("reader", PATIENT_MS);
    FINE(shared_store_end_at(store, SHARED_JOURNAL, 11, &at, &err));
    shared_store_destroy(store);
    assert_int_equal(unit_anchor_write(&journal, at, &err), 0);
    forget_all(&owner);
    UNTIL((list(&after), memcmp(&after, &before, sizeof(after)) == 0));
    assert_int_equal(first_there(), 11);
    tell_snapshot(&owner, 12, 12); /* the one before stands for none of these frames */
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    list(&after);
    assert_memory_equal(&after, &before, sizeof(after));
    journal_recall_destroy(recall);
    end(&owner);
}

/* The last word of an incident that nobody watches any more is not that it is open. */
static void what_is_no_longer_watched_is_not_listed(void **state)
{
    (void)state;
    struct owner owner;
    struct listed listed;
    struct journal_record last = change(1, INCIDENT_UPDATED, "one");

    last.change.is_forgotten = true;
    begin(&owner, &calm);
    commit(&owner,
           (struct journal_record[]){change(1, INCIDENT_OPENED, "one"),
                                     change(4, INCIDENT_OPENED, "four")},
           2);
    commit(&owner, &last, 1);
    assert_true(mirror_settle(owner.mirror, SHARED_JOURNAL, owner.frames));
    list(&listed);
    assert_int_equal(listed.others, 1);
    assert_string_equal(listed.title[4], "four");
    end(&owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S4_what_was_open_before_the_journal_is_listed),
        cmocka_unit_test(S4_an_image_of_before_the_journal_there_is_read_on),
        cmocka_unit_test(what_is_no_longer_watched_is_not_listed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
