/*
 * Aim (X5): files that are kept by an id come back whole or are refused with their name, whenever
 * the power goes and whatever bit rots. Method: a disk in memory, its power cut at every call, and
 * every byte of what it holds flipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include "store/crc32c.h"
#include "store/kept_files.h"
#include "tests/sim_disk.h"

static const struct id128 one = {1, 0xfedcba9876543210u}, other = {2, 7};
static const char folder[] = "blobs";

static struct kept_files some(const char *rules)
{
    struct kept_files files = {0};

    kept_files_add(&files, 'f', "./rules.yaml", rules, strlen(rules));
    kept_files_add(&files, 'f', " a name\nof two lines ", "a,b\n1,2\n", 8);
    kept_files_add(&files, 'l', "", "", 0);
    kept_files_add(&files, 'f', "nul", "\0\0x", 3);
    return files;
}

static int save(struct id128 id, const char *rules)
{
    struct kept_files files = some(rules);
    struct error err = {""};
    int rc = kept_files_save(folder, id, &files, &err);

    assert_true((rc == 0) == (err.text[0] == '\0'));
    kept_files_release(&files);
    return rc;
}

static void assert_kept(struct id128 id, const char *rules)
{
    struct kept_files files, as = some(rules);
    struct error err = {""};

    assert_int_equal(kept_files_load(folder, id, &files, &err), 0);
    assert_int_equal(files.file.count, as.file.count);
    for (size_t i = 0; i < as.file.count; i++) {
        assert_int_equal(files.file.at[i].kind, as.file.at[i].kind);
        assert_string_equal(files.file.at[i].name, as.file.at[i].name);
        assert_int_equal(files.file.at[i].bytes, as.file.at[i].bytes);
        assert_memory_equal(files.file.at[i].at, as.file.at[i].at, as.file.at[i].bytes + 1);
    }
    kept_files_release(&files);
    kept_files_release(&as);
}

static void begin(uint64_t seed)
{
    sim_disk_begin(seed);
    assert_int_equal(host()->mkdir(host()->self, folder, 0700), 0);
}

static size_t names;
static char name_seen[SIM_FILES][SIM_NAME];

static void count_name(void *self, const char *name)
{
    (void)self;
    snprintf(name_seen[names++], SIM_NAME, "%s", name);
}

static size_t count_files(void)
{
    names = 0;
    assert_int_equal(host()->list(host()->self, folder, count_name, NULL), 0);
    return names;
}

static void lists_share_what_is_the_same(void **state)
{
    const struct id128 ids[] = {one, other, one};
    struct kept_counts counts;
    struct error err = {""};
    uint64_t writes;

    (void)state;
    begin(1);
    assert_int_equal(save(one, "rules: []\n"), 0);
    assert_int_equal(save(other, "rules: [ ]\n"), 0);
    assert_kept(one, "rules: []\n");
    assert_kept(other, "rules: [ ]\n");
    assert_int_equal(kept_files_look(folder, ids, 3, false, &counts, &err), 0);
    assert_int_equal(counts.lists, 2);
    assert_int_equal(counts.contents, 5); /* two of rules, and three of the others */
    assert_int_equal(counts.bytes, 10 + 11 + 8 + 0 + 3);
    assert_int_equal(counts.removed, 0);
    assert_int_equal(count_files(), 7);
    writes = sim.writes;
    assert_int_equal(save(one, "rules: []\n"), 0);
    assert_int_equal(sim.writes, writes);
    sim_disk_end();
}

static void what_no_list_needs_goes(void **state)
{
    struct kept_counts counts;
    struct error err = {""};
    int fd;

    (void)state;
    begin(2);
    assert_int_equal(save(one, "rules: []\n"), 0);
    assert_int_equal(save(other, "rules: [ ]\n"), 0);
    fd = host()->open(host()->self, "blobs/README", O_WRONLY | O_CREAT, 0600);
    host()->close(host()->self, fd);
    fd = host()->open(host()->self, "blobs/00000000000000020000000000000007.new",
                      O_WRONLY | O_CREAT, 0600);
    host()->close(host()->self, fd);
    assert_int_equal(kept_files_look(folder, &other, 1, true, &counts, &err), 0);
    assert_int_equal(counts.removed, 3); /* a list, its rules, and what was not finished */
    assert_int_equal(count_files(), 6);
    assert_kept(other, "rules: [ ]\n");
    assert_int_equal(kept_files_look(folder, &one, 1, true, &counts, &err), -ENOENT);
    assert_non_null(strstr(err.text, "blobs/0000000000000001fedcba9876543210.files: "
                                     "the file is missing; put back"));
    assert_int_equal(count_files(), 6);
    sim_disk_end();
}

/* Whatever is there after a cut: what was kept before stays, and what is new is whole or not there.
 */
static void the_power_may_go_at_every_call(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 60; at++) {
        struct kept_files files;
        struct error err = {""};
        uint64_t before;
        int rc;
        begin(at);
        assert_int_equal(save(one, "rules: []\n"), 0);
        assert_int_equal(host()->sync_dir(host()->self, "."), 0);
        before = sim.calls;
        sim.crash_at = before + at;
        rc = save(other, "rules: [ ]\n");
        sim_disk_cut();
        assert_kept(one, "rules: []\n");
        if (rc == 0) {
            assert_kept(other, "rules: [ ]\n");
        } else {
            int found = kept_files_load(folder, other, &files, &err);
            if (found == 0)
                kept_files_release(&files);
            assert_true(found == 0 || found == -ENOENT);
        }
        assert_int_equal(save(other, "rules: [ ]\n"), 0);
        assert_kept(other, "rules: [ ]\n");
        sim_disk_end();
    }
}

static void what_is_damaged_is_named(void **state)
{
    struct kept_counts counts;
    struct error err;
    size_t flips = 0;

    (void)state;
    begin(3);
    assert_int_equal(save(one, "rules: []\n"), 0);
    count_files();
    for (size_t f = 0; f < 5; f++) {
        char path[SIM_NAME + 8];
        struct sim_file *file;
        snprintf(path, sizeof(path), "%s/%.100s", folder, name_seen[f]);
        file = sim_disk_file(path);
        for (size_t i = 0; i < file->now_bytes; i++, flips++) {
            file->now[i] = (char)(file->now[i] ^ 1 << i % 8);
            assert_int_equal(kept_files_look(folder, &one, 1, true, &counts, &err), -EBADMSG);
            assert_memory_equal(err.text, path, strlen(path));
            file->now[i] = (char)(file->now[i] ^ 1 << i % 8);
        }
        for (size_t cut = 1; cut <= file->now_bytes; cut++, flips++) {
            file->now_bytes -= cut;
            assert_int_equal(kept_files_look(folder, &one, 1, true, &counts, &err), -EBADMSG);
            file->now_bytes += cut;
        }
    }
    assert_true(flips > 500);
    assert_int_equal(count_files(), 5);
    assert_kept(one, "rules: []\n");
    sim_disk_end();
}

/* As many as can be kept are read; a list with one more, which nobody wrote, is none. */
static void a_list_of_too_many_files_is_damaged(void **state)
{
    static const char line[] = "f 0123456789abcdef0123456789abcdef 0 1 x\n"; /* as long as each */
    struct kept_files files = {0};
    struct kept_counts counts;
    struct error err = {""};
    struct sim_file *list;
    size_t tail = strlen("checksum 01234567\n"), bytes;
    char last[sizeof(line)];

    (void)state;
    begin(4);
    for (int i = 0; i < KEPT_FILES_MAX; i++)
        kept_files_add(&files, 'f', "x", "", 0);
    assert_int_equal(kept_files_save(folder, one, &files, &err), 0);
    assert_int_equal(kept_files_look(folder, &one, 1, false, &counts, &err), 0);
    kept_files_add(&files, 'f', "x", "", 0);
    assert_int_equal(kept_files_save(folder, other, &files, &err), -E2BIG);
    kept_files_release(&files);

    list = sim_disk_file("blobs/0000000000000001fedcba9876543210.files");
    bytes = list->now_bytes - tail;
    memcpy(last, list->now + bytes - strlen(line), strlen(line));
    sim_room(list, bytes + strlen(line) + tail);
    memcpy(list->now + bytes, last, strlen(line));
    bytes += strlen(line);
    list->now_bytes = bytes + tail;
    snprintf(last, sizeof(last), "checksum %08" PRIx32 "\n", crc32c(0, list->now, bytes));
    memcpy(list->now + bytes, last, tail);
    assert_int_equal(kept_files_look(folder, &one, 1, false, &counts, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "the file is damaged"));
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_share_what_is_the_same),
        cmocka_unit_test(what_no_list_needs_goes),
        cmocka_unit_test(the_power_may_go_at_every_call),
        cmocka_unit_test(what_is_damaged_is_named),
        cmocka_unit_test(a_list_of_too_many_files_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
