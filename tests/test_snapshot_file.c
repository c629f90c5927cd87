/*
 * Aim (C6, C7): a snapshot's file comes back as it was written, and of any other bytes nothing is
 * believed; a start goes on from the newest that is good and that the journal holds, or from the
 * one before, or from the beginning, and otherwise refuses; a power cut at any call leaves what was
 * there before, or the new one whole. Method: files and journals on a disk in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include "store/crc32c.h"
#include "store/snapshot_recall.h"
#include "tests/sim_disk.h"

enum { IMAGE_BYTES = 3 << 20, PIECES = 7 };

static const struct snapshot_folder folder = {"data/snapshots", {1, 2}};
static const struct segment_config segments = {
    .folder = "data/journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 1 << 16};
static const struct id128 sets[] = {{11, 12}, {13, 14}}, kept[] = {{15, 16}};
static const struct snapshot_stand stands[] = {{.part = 0, .offset = 40}, {.part = 2, .offset = 7}};
static unsigned char image[IMAGE_BYTES];
static const char knew[] = "what the journal knew";

static struct snapshot_facts facts_of(uint64_t number)
{
    return (struct snapshot_facts){.at_ms = 1000 + (int64_t)number,
                                   .seed = 5,
                                   .told = 6,
                                   .known = {number, 77},
                                   .frame = 9,
                                   .has_lines = true,
                                   .lines = {.hash = {21, 22}, .last = {23, 24}, .count = 10},
                                   .sets = sets,
                                   .kept = kept,
                                   .set_count = 2,
                                   .kept_count = 1,
                                   .epoch_ms = 20,
                                   .stand_count = 2,
                                   .stands = stands};
}

static void begin(void)
{
    uint64_t state = 1;

    sim_disk_begin(1);
    host()->mkdir(host()->self, "data", 0700);
    host()->mkdir(host()->self, folder.path, 0700);
    host()->mkdir(host()->self, segments.folder, 0700);
    host()->sync_dir(host()->self, ".");
    host()->sync_dir(host()->self, "data");
    for (size_t i = 0; i < IMAGE_BYTES; i++) { /* half of it can be packed */
        state = state * 6364136223846793005u + 1442695040888963407u;
        image[i] = i < IMAGE_BYTES / 2 ? (unsigned char)(i / 100) : (unsigned char)(state >> 56);
    }
}

static int write_known(uint64_t number, const struct snapshot_facts *facts, const void *known,
                       size_t known_bytes, size_t image_bytes)
{
    struct snapshot_piece pieces[PIECES];
    struct snapshot_written written;
    struct error err = {""};
    size_t at = 0;

    for (int i = 0; i < PIECES; i++) {
        size_t end = i == PIECES - 1 ? image_bytes : (size_t)(i + 1) * (image_bytes / PIECES);
        pieces[i] = (struct snapshot_piece){image + at, end - at};
        at = end;
    }
    int rc =
        snapshot_file_write(&folder, number, facts, &(struct snapshot_piece){known, known_bytes},
                            pieces, PIECES, &written, &err);
    assert_true(rc == 0 || strlen(err.text) > 20);
    return rc;
}

static int write_one(uint64_t number, size_t image_bytes)
{
    const struct snapshot_facts facts = facts_of(number);

    return write_known(number, &facts, knew, sizeof(knew), image_bytes);
}

static void a_file_comes_back_as_it_was_written(void **unused)
{
    static const size_t sizes[] = {0, 1, SNAPSHOT_BLOCK_BYTES, IMAGE_BYTES};
    struct snapshot_content got;
    enum snapshot_refusal why;
    struct error err = {""};

    (void)unused;
    begin();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(write_one(i + 1, sizes[i]), 0);
        if (snapshot_file_read(&folder, i + 1, &got, &why, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(got.number, i + 1);
        assert_int_equal(got.facts.at_ms, 1001 + i);
        assert_int_equal(got.facts.seed, 5);
        assert_int_equal(got.facts.told, 6);
        assert_int_equal(got.facts.known.frame, i + 1);
        assert_int_equal(got.facts.known.crc, 77);
        assert_int_equal(got.facts.frame, 9);
        assert_true(got.facts.has_lines);
        assert_int_equal(got.facts.lines.hash.lo, 22);
        assert_int_equal(got.facts.lines.last.lo, 24);
        assert_int_equal(got.facts.lines.count, 10);
        assert_int_equal(got.facts.epoch_ms, 20);
        assert_int_equal(got.facts.set_count, 2);
        assert_memory_equal(got.facts.sets, sets, sizeof(sets));
        assert_int_equal(got.facts.kept_count, 1);
        assert_memory_equal(got.facts.kept, kept, sizeof(kept));
        assert_int_equal(got.facts.stand_count, 2);
        assert_memory_equal(got.facts.stands, stands, sizeof(stands));
        assert_int_equal(got.known_bytes, sizeof(knew));
        assert_memory_equal(got.known, knew, sizeof(knew));
        assert_int_equal(got.image_bytes, sizes[i]);
        assert_memory_equal(got.image, image, sizes[i]);
        snapshot_content_release(&got);
    }
    sim_disk_end();
}

static void folders_list_the_newest_first(void **unused)
{
    uint64_t number[SNAPSHOT_LIST_MAX];

    (void)unused;
    begin();
    for (uint64_t i = 1; i <= 12; i++)
        assert_int_equal(write_one(i * 7 % 13, 0), 0);
    assert_int_equal(snapshot_file_list(&folder, number), 12);
    for (uint64_t i = 0; i < 12; i++)
        assert_int_equal(number[i], 12 - i);
    assert_int_equal(snapshot_file_remove(&folder, 12, true), 0);
    assert_int_equal(snapshot_file_remove(&folder, 12, true), 0); /* gone already */
    assert_int_equal(snapshot_file_list(&folder, number), 11);
    assert_int_equal(number[0], 11);
    sim_disk_end();
}

/* The whole file, to be changed. */
static size_t file_get(uint64_t number, unsigned char **bytes)
{
    char path[SNAPSHOT_PATH_BYTES], *text;
    size_t count;

    snapshot_file_path(&folder, number, path);
    assert_int_equal(host_read_file(path, 64 << 20, &text, &count), 0);
    *bytes = (unsigned char *)text;
    return count;
}

static void file_put(uint64_t number, const unsigned char *bytes, size_t count)
{
    char path[SNAPSHOT_PATH_BYTES];
    int fd;

    snapshot_file_path(&folder, number, path);
    fd = host()->open(host()->self, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(host_pwrite_all(fd, bytes, count, 0), 0);
    host()->close(host()->self, fd);
}

static void refused(uint64_t number, enum snapshot_refusal expected)
{
    struct snapshot_content got;
    enum snapshot_refusal why;
    struct error err = {""};
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_path(&folder, number, path);
    assert_true(snapshot_file_read(&folder, number, &got, &why, &err) < 0);
    assert_int_equal(why, expected);
    assert_non_null(strstr(err.text, path));
    if (expected != SNAPSHOT_WORLD)
        assert_non_null(strstr(err.text, ": byte "));
}

static void any_other_bytes_are_refused_with_their_place(void **unused)
{
    unsigned char *bytes;
    size_t count;

    (void)unused;
    begin();
    assert_int_equal(write_one(1, 5000), 0);
    count = file_get(1, &bytes);
    for (size_t at = 0; at < count; at++) {
        bytes[at] = (unsigned char)(bytes[at] ^ 1u << at % 8);
        file_put(1, bytes, count);
        /* A version above ours is a newer one; the id of the directory is under the checksum. */
        if (at >= 8 && at < 12 && bytes[at] > (at == 8 ? SNAPSHOT_FILE_VERSION : 0))
            refused(1, SNAPSHOT_NEWER);
        else
            refused(1, SNAPSHOT_DAMAGED);
        bytes[at] = (unsigned char)(bytes[at] ^ 1u << at % 8);
    }
    for (size_t cut = 0; cut < count; cut += 7) {
        file_put(1, bytes, cut);
        refused(1, SNAPSHOT_DAMAGED);
    }
    bytes = realloc(bytes, count + 1);
    bytes[count] = 0;
    file_put(1, bytes, count + 1);
    refused(1, SNAPSHOT_DAMAGED);
    file_put(2, bytes, count); /* under another's name */
    refused(2, SNAPSHOT_DAMAGED);
    refused(3, SNAPSHOT_WORLD); /* not there */
    file_put(1, bytes, count);
    free(bytes);
    sim_disk_end();
}

/* Bytes of a file as they stand, put together by hand. */
static struct {
    unsigned char at[4096];
    size_t count;
} bytes_of;

static void put(const void *from, size_t bytes)
{
    memcpy(bytes_of.at + bytes_of.count, from, bytes);
    bytes_of.count += bytes;
}

/* A block that is not packed; the checksum of all blocks goes on. */
static uint32_t put_block(uint32_t part, const void *from, uint32_t bytes, uint32_t chain)
{
    uint32_t head[4] = {part, bytes, bytes, 0};

    head[3] = crc32c(crc32c(0, head, 12), from, bytes);
    put(head, sizeof(head));
    put(from, bytes);
    return crc32c(chain, &head[3], 4);
}

/* Version 1 said nothing of the incident log's lines. */
static void C12_a_file_of_version_1_is_read(void **unused)
{
    const struct {
        int64_t at_ms;
        uint64_t seed, told, known_frame, frame, nothing, nothing_either[2];
        uint32_t known_crc, set_count, kept_count, stand_count, epoch_ms, pad;
        struct id128 sets[2], kept[1];
        struct snapshot_stand stands[2];
    } facts = {.at_ms = 1007,
               .seed = 5,
               .told = 6,
               .known_frame = 7,
               .frame = 9,
               .known_crc = 77,
               .set_count = 2,
               .kept_count = 1,
               .stand_count = 2,
               .epoch_ms = 20,
               .sets = {{11, 12}, {13, 14}},
               .kept = {{15, 16}},
               .stands = {{.part = 0, .offset = 40}, {.part = 2, .offset = 7}}};
    struct {
        char magic[8];
        uint32_t version, block_bytes;
        struct id128 directory;
        uint64_t number, part_bytes[3];
        uint32_t pad, crc;
    } head = {"TOCSINSN",
              1,
              SNAPSHOT_BLOCK_BYTES,
              folder.directory,
              7,
              {sizeof(facts), sizeof(knew), 100},
              0,
              0};
    struct {
        char magic[8];
        uint64_t blocks;
        uint32_t chain, crc;
    } tail = {"TOCSINSE", 3, 0, 0};
    struct snapshot_content got;
    enum snapshot_refusal why;
    struct error err = {""};

    (void)unused;
    _Static_assert(sizeof(facts) == 88 + 3 * 16 + 2 * 16, "as version 1 wrote it");
    begin();
    head.crc = crc32c(0, &head, sizeof(head) - 4);
    bytes_of.count = 0;
    put(&head, sizeof(head));
    tail.chain = put_block(0, &facts, sizeof(facts), 0);
    tail.chain = put_block(1, knew, sizeof(knew), tail.chain);
    tail.chain = put_block(2, image, 100, tail.chain);
    tail.crc = crc32c(0, &tail, sizeof(tail) - 4);
    put(&tail, sizeof(tail));
    file_put(7, bytes_of.at, bytes_of.count);
    if (snapshot_file_read(&folder, 7, &got, &why, &err) != 0)
        fail_msg("%s", err.text);
    assert_false(got.facts.has_lines);
    assert_int_equal(got.facts.lines.count, 0);
    assert_int_equal(got.facts.at_ms, 1007);
    assert_int_equal(got.facts.known.frame, 7);
    assert_int_equal(got.facts.epoch_ms, 20);
    assert_int_equal(got.facts.set_count, 2);
    assert_memory_equal(got.facts.sets, sets, sizeof(sets));
    assert_memory_equal(got.facts.kept, kept, sizeof(kept));
    assert_memory_equal(got.facts.stands, stands, sizeof(stands));
    assert_memory_equal(got.image, image, 100);
    snapshot_content_release(&got);
    sim_disk_end();
}

static void a_file_of_another_directory_is_refused(void **unused)
{
    const struct snapshot_folder other = {"data/snapshots", {1, 3}};
    struct snapshot_content got;
    enum snapshot_refusal why;
    struct error err = {""};

    (void)unused;
    begin();
    assert_int_equal(write_one(1, 100), 0);
    assert_true(snapshot_file_read(&other, 1, &got, &why, &err) < 0);
    assert_int_equal(why, SNAPSHOT_FOREIGN);
    sim_disk_end();
}

/* C6: power cut between rename and sync, and at every other call. */
static void a_power_cut_leaves_the_new_one_whole_or_not_there(void **unused)
{
    struct snapshot_content got;
    enum snapshot_refusal why;
    struct error err = {""};
    uint64_t calls = 0;
    size_t not_there = 0;

    (void)unused;
    for (uint64_t at = 1; calls == 0 || at <= calls; at++) {
        begin();
        assert_int_equal(write_one(1, 3000), 0);
        if (calls == 0) {
            uint64_t before = sim.calls;
            assert_int_equal(write_one(2, 3000), 0);
            calls = sim.calls - before;
            at = 0;
        } else {
            bool is_written;
            uint64_t number[SNAPSHOT_LIST_MAX];
            sim.crash_at = sim.calls + at;
            is_written = write_one(2, 3000) == 0;
            sim_disk_cut();
            err = (struct error){""};
            int count = snapshot_file_list(&folder, number);
            assert_true(count == 1 || count == 2);
            assert_true(count == 2 || !is_written);
            for (int i = 0; i < count; i++) {
                if (snapshot_file_read(&folder, number[i], &got, &why, &err) != 0)
                    fail_msg("cut at call %" PRIu64 ": %s", at, err.text);
                assert_int_equal(got.facts.at_ms, 1000 + (int64_t)number[i]);
                snapshot_content_release(&got);
            }
            not_there += count == 1;
        }
        sim_disk_end();
    }
    assert_true(calls > 5);
    assert_true(not_there > 0);
}

static void a_disk_that_fails_leaves_what_was_there(void **unused)
{
    static const int faults[] = {-EIO, -ENOSPC};
    uint64_t number[SNAPSHOT_LIST_MAX];

    (void)unused;
    for (size_t f = 0; f < 2; f++)
        for (uint64_t at = 1; at <= 6; at++) {
            begin();
            assert_int_equal(write_one(1, 3000), 0);
            sim.fault_at = sim.calls + at;
            sim.fault_errno = faults[f];
            if (write_one(2, 3000) != 0)
                assert_int_equal(snapshot_file_list(&folder, number), 1);
            sim.fault_at = 0;
            assert_int_equal(write_one(3, 3000), 0); /* what is left behind is in nobody's way */
            assert_int_equal(snapshot_file_list(&folder, number) >= 2, true);
            assert_int_equal(number[0], 3);
            sim_disk_end();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_back_as_it_was_written),
        cmocka_unit_test(folders_list_the_newest_first),
        cmocka_unit_test(any_other_bytes_are_refused_with_their_place),
        cmocka_unit_test(C12_a_file_of_version_1_is_read),
        cmocka_unit_test(a_file_of_another_directory_is_refused),
        cmocka_unit_test(a_power_cut_leaves_the_new_one_whole_or_not_there),
        cmocka_unit_test(a_disk_that_fails_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
