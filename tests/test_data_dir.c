/*
 * Aim: a data directory belongs to one process at a time, is made whole or not at all, and nothing
 * that is not ours is ever written over. Method: real directories for locks and modes, a disk in
 * memory whose power is cut at every call for the making.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "store/data_dir.h"
#include "tests/sim_disk.h"

static char root[] = "/tmp/tocsin_test_data_dir_XXXXXX";
static char path[256];
static int number;

static int enter(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(name);
}

static int leave(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *new_path(void)
{
    snprintf(path, sizeof(path), "%s/d%d", root, number++);
    return path;
}

static const char *inside(const char *name)
{
    static char full[512];

    snprintf(full, sizeof(full), "%s/%s", path, name);
    return full;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(inside(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 07777;
}

static void a_new_directory_is_made_and_found_again(void **state)
{
    static const char *const folders[] = {"journal", "intake", "snapshots", "blobs"};
    struct data_dir dir, again;
    enum data_dir_refusal why;
    struct error err = {""};

    (void)state;
    assert_int_equal(data_dir_open(&dir, new_path(), DATA_DIR_RUN, &why, &err), 0);
    assert_true(dir.is_new);
    assert_true(dir.id.hi != 0 || dir.id.lo != 0);
    assert_int_equal(mode_of(path), 0700);
    assert_int_equal(mode_of(inside("FORMAT")), 0600);
    assert_int_equal(mode_of(inside("LOCK")), 0600);
    for (int i = 0; i < 4; i++)
        assert_int_equal(mode_of(inside(folders[i])), 0700);
    data_dir_close(&dir);
    assert_int_equal(data_dir_open(&again, path, DATA_DIR_RUN, &why, &err), 0);
    assert_false(again.is_new);
    assert_memory_equal(&again.id, &dir.id, sizeof(dir.id));
    data_dir_close(&again);
}

/* C11. To look is allowed beside the one that runs. */
static void C11_one_process_at_a_time_uses_it(void **state)
{
    struct data_dir dir, other;
    enum data_dir_refusal why;
    struct error err = {""};
    char number_text[32];
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(data_dir_open(&dir, new_path(), DATA_DIR_RUN, &why, &err), 0);
    child = fork();
    if (child == 0)
        _exit(data_dir_open(&other, path, DATA_DIR_RUN, &why, &err) == -EAGAIN &&
                      why == DATA_DIR_LOCKED
                  ? 0
                  : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(data_dir_open(&other, path, DATA_DIR_RUN, &why, &err), -EAGAIN);
    snprintf(number_text, sizeof(number_text), "process %ld;", (long)getpid());
    assert_non_null(strstr(err.text, number_text));
    assert_int_equal(data_dir_open(&other, path, DATA_DIR_LOOK, &why, &err), 0);
    data_dir_close(&other);
    data_dir_close(&dir);
    assert_int_equal(data_dir_open(&other, path, DATA_DIR_RUN, &why, &err), 0);
    data_dir_close(&other);
}

/* Somebody takes LOCK for something that was left behind. */
static void C11_a_lock_that_was_removed_holds(void **state)
{
    struct data_dir dir, other;
    enum data_dir_refusal why;
    struct error err = {""};
    char lock[200];

    (void)state;
    assert_int_equal(data_dir_open(&dir, new_path(), DATA_DIR_RUN, &why, &err), 0);
    snprintf(lock, sizeof(lock), "%.150s/LOCK", path);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(data_dir_open(&other, path, DATA_DIR_RUN, &why, &err), -EAGAIN);
    assert_int_equal(why, DATA_DIR_LOCKED);
    assert_non_null(strstr(err.text, "although its LOCK was taken away"));
    data_dir_close(&dir);
    assert_int_equal(data_dir_open(&other, path, DATA_DIR_RUN, &why, &err), 0);
    data_dir_close(&other);
}

static void C11_a_directory_that_went_is_noticed(void **state)
{
    struct data_dir dir, other;
    enum data_dir_refusal why;
    struct error err = {""};
    char away[200];

    (void)state;
    assert_int_equal(data_dir_open(&dir, new_path(), DATA_DIR_RUN, &why, &err), 0);
    assert_int_equal(data_dir_is_there(&dir, &err), 0);
    snprintf(away, sizeof(away), "%.150s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(data_dir_is_there(&dir, &err), -ESTALE);
    assert_non_null(strstr(err.text, "is not there any more"));
    assert_int_equal(data_dir_open(&other, path, DATA_DIR_RUN, &why, &err), 0);
    assert_int_equal(data_dir_is_there(&dir, &err), -ESTALE); /* another has its name */
    assert_int_equal(data_dir_is_there(&other, &err), 0);
    data_dir_close(&other);
    data_dir_close(&dir);
}

static void S2_a_copy_has_another_place(void **state)
{
    char of[3][DATA_DIR_PLACE_BYTES], command[500];
    enum data_dir_refusal why;
    struct data_dir dir;
    struct error err = {""};

    (void)state;
    for (int i = 0; i < 2; i++) { /* itself, again */
        assert_int_equal(data_dir_open(&dir, i == 0 ? new_path() : path, DATA_DIR_RUN, &why, &err),
                         0);
        data_dir_place(&dir, of[i]);
        data_dir_close(&dir);
    }
    snprintf(command, sizeof(command), "cp -a %.150s %.150s.copy", path, path);
    assert_int_equal(system(command), 0);
    struct id128 id = dir.id;
    snprintf(command, sizeof(command), "%.150s.copy", path);
    assert_int_equal(data_dir_open(&dir, command, DATA_DIR_RUN, &why, &err), 0);
    assert_memory_equal(&id, &dir.id, sizeof(id));
    data_dir_place(&dir, of[2]);
    data_dir_close(&dir);
    assert_string_equal(of[0], of[1]);
    assert_string_not_equal(of[0], of[2]);
}

static void what_is_not_ours_is_left_alone(void **state)
{
    static const struct {
        const char *name, *text;
        enum data_dir_refusal why;
        const char *says;
    } rows[] = {
        {"photo.jpg", "x", DATA_DIR_FOREIGN, "holds photo.jpg and no FORMAT"},
        {"FORMAT", "something else\n", DATA_DIR_FOREIGN, "FORMAT:1: this is not the directory"},
        {"FORMAT", "", DATA_DIR_FOREIGN, "FORMAT:1: "},
        {"FORMAT",
         "tocsin data directory\nversion 2\nid 0123456789abcdef0123456789abcdef\nchecksum 0\n",
         DATA_DIR_DAMAGED, "FORMAT:2: version 2 was written by a newer tocsin"},
        {"FORMAT",
         "tocsin data directory\nversion 1\nid 0123456789abcdef0123456789abcdef\nchecksum 0\n",
         DATA_DIR_DAMAGED, "damaged"},
        {"FORMAT", "tocsin data directory\nversion 1\n", DATA_DIR_DAMAGED, "damaged"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct data_dir dir;
        enum data_dir_refusal why;
        struct error err = {""};
        char kept[200] = "";
        FILE *file;

        assert_int_equal(mkdir(new_path(), 0755), 0);
        put(rows[i].name, rows[i].text);
        assert_true(data_dir_open(&dir, path, DATA_DIR_RUN, &why, &err) < 0);
        assert_int_equal(why, rows[i].why);
        assert_non_null(strstr(err.text, rows[i].says));
        file = fopen(inside(rows[i].name), "r");
        assert_non_null(file);
        kept[fread(kept, 1, sizeof(kept) - 1, file)] = '\0';
        fclose(file);
        assert_string_equal(kept, rows[i].text);
        assert_int_equal(access(inside("journal"), F_OK), -1);
        assert_int_equal(access(inside("LOCK"), F_OK), -1);
        assert_true(data_dir_open(&dir, path, DATA_DIR_LOOK, &why, &err) < 0);
        assert_int_equal(why, rows[i].why);
    }
}

/* Without FORMAT it is ours where what lies in its folders looks so, whatever lies beside: history,
 * notes of refused starts, what a file system leaves. */
static void D1_a_directory_that_lost_its_format_is_not_foreign(void **state)
{
    static const struct {
        const char *folder, *name;
        enum data_dir_refusal why;
        const char *says;
    } rows[] = {
        {"journal", "journal/0000000000000001.seg", DATA_DIR_DAMAGED,
         "/FORMAT: it is missing, and "},
        {"intake", "intake/spare.0", DATA_DIR_DAMAGED, "/intake holds spare.0; put back the one"},
        {"snapshots", "snapshots/0000000000000003.snap", DATA_DIR_DAMAGED,
         "holds 0000000000000003"},
        {"blobs", "blobs/0123456789abcdef0123456789abcdef", DATA_DIR_DAMAGED, "holds 0123456789ab"},
        {"journal", "journal/a.txt", DATA_DIR_FOREIGN, "holds journal/a.txt and no FORMAT"},
        {"blobs", "blobs/cafe", DATA_DIR_FOREIGN, "holds blobs/cafe and no FORMAT"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct data_dir dir;
        enum data_dir_refusal why;
        struct error err = {""};
        bool is_ours = rows[i].why == DATA_DIR_DAMAGED;

        assert_int_equal(mkdir(new_path(), 0755), 0);
        assert_int_equal(mkdir(inside(rows[i].folder), 0755), 0);
        put(rows[i].name, "x");
        if (is_ours) {
            put("history.db-shm", "x");
            put("refusals", "x");
        }
        for (int use = DATA_DIR_RUN; use <= DATA_DIR_LOOK; use++) {
            assert_true(data_dir_open(&dir, path, (enum data_dir_use)use, &why, &err) < 0);
            assert_int_equal(why, rows[i].why);
            if (strstr(err.text, rows[i].says) == NULL)
                fail_msg("%s, not %s", err.text, rows[i].says);
        }
        assert_int_equal(access(inside("LOCK"), F_OK), -1);
    }
}

static void to_look_makes_nothing(void **state)
{
    struct data_dir dir;
    enum data_dir_refusal why;
    struct error err = {""};

    (void)state;
    assert_true(data_dir_open(&dir, new_path(), DATA_DIR_LOOK, &why, &err) < 0);
    assert_int_equal(why, DATA_DIR_MISSING);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(data_dir_open(&dir, path, DATA_DIR_LOOK, &why, &err) < 0);
    assert_int_equal(why, DATA_DIR_MISSING);
    assert_int_equal(access(inside("LOCK"), F_OK), -1);
}

/* Power cut at each call of the making: the next start makes it anew or finds it whole. */
static void a_power_cut_leaves_it_whole_or_not_begun(void **state)
{
    uint64_t whole = 0, anew = 0;

    (void)state;
    for (uint64_t call = 1; call < 40; call++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct data_dir dir;
            enum data_dir_refusal why;
            struct error err = {""};

            sim_disk_begin(seed);
            sim.crash_at = call;
            if (data_dir_open(&dir, "data", DATA_DIR_RUN, &why, &err) == 0)
                data_dir_close(&dir);
            sim_disk_cut();
            if (data_dir_open(&dir, "data", DATA_DIR_RUN, &why, &err) != 0)
                fail_msg("call %d: %s", (int)call, err.text);
            anew += dir.is_new;
            whole += !dir.is_new;
            data_dir_close(&dir);
            sim_disk_end();
        }
    assert_true(whole > 0);
    assert_true(anew > 0);
}

static char synced[8][SIM_NAME];
static int synced_count;

static int note_sync_dir(void *self, const char *folder)
{
    assert_true(synced_count < 8);
    snprintf(synced[synced_count++], SIM_NAME, "%s", folder);
    return sim_sync_dir(self, folder);
}

/* The folder in which its name is; that it is durable shows under a power cut. */
/* Calls that go well before all others that change or lock something fail. */
static const struct host *good;
static int calls_left;

static int failing_open(void *self, const char *name, int flags, unsigned mode)
{
    if ((flags & O_CREAT) != 0 && calls_left-- <= 0)
        return -ENOSPC;
    return good->open(self, name, flags, mode);
}

static int failing_mkdir(void *self, const char *name, unsigned mode)
{
    return calls_left-- > 0 ? good->mkdir(self, name, mode) : -ENOSPC;
}

static int failing_sync_dir(void *self, const char *name)
{
    return calls_left-- > 0 ? good->sync_dir(self, name) : -EIO;
}

static int failing_lock(void *self, int fd)
{
    return calls_left-- > 0 ? good->lock(self, fd) : -EIO;
}

/* C9: whatever fails of one that is as it was left, the disk did, and it is not damaged. */
static void C9_a_disk_that_fails_under_a_start_is_told_from_damage(void **state)
{
    struct host failing;
    struct data_dir dir;
    enum data_dir_refusal why;
    struct error err;
    int rc = -1, failed = 0;

    (void)state;
    new_path();
    assert_int_equal(data_dir_open(&dir, path, DATA_DIR_RUN, &why, &err), 0);
    data_dir_close(&dir);
    good = host();
    failing = *good;
    failing.open = failing_open;
    failing.mkdir = failing_mkdir;
    failing.sync_dir = failing_sync_dir;
    failing.lock = failing_lock;
    for (int calls = 0; rc != 0; calls++) {
        calls_left = calls;
        host_set(&failing);
        rc = data_dir_open(&dir, path, DATA_DIR_RUN, &why, &err);
        host_set(NULL);
        failed += rc != 0;
        if (rc != 0 && why != DATA_DIR_WORLD)
            fail_msg("after %d calls: %d: %s", calls, (int)why, err.text);
        data_dir_close(&dir);
    }
    assert_true(failed >= 7); /* its own name, LOCK and its lock, four folders and their sync */
    assert_int_equal(why, DATA_DIR_FINE);
}

static void the_name_of_a_new_directory_is_synced(void **state)
{
    static const char *const rows[][2] = {{"data", "."},   {"./data", "."},
                                          {"a/data", "a"}, {"/srv/data/", "/srv"},
                                          {"/data", "/"},  {"a//data//", "a"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum data_dir_refusal why;
        struct data_dir dir;
        struct error err = {""};
        struct host table;
        bool is_synced = false;

        sim_disk_begin(1);
        table = *host();
        table.sync_dir = note_sync_dir;
        host_set(&table);
        synced_count = 0;
        if (data_dir_open(&dir, rows[i][0], DATA_DIR_RUN, &why, &err) != 0)
            fail_msg("%s", err.text);
        data_dir_close(&dir);
        for (int j = 0; j < synced_count; j++)
            is_synced |= strcmp(synced[j], rows[i][1]) == 0;
        if (!is_synced)
            fail_msg("%s: %s is not synced", rows[i][0], rows[i][1]);
        sim_disk_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_is_made_and_found_again),
        cmocka_unit_test(C11_one_process_at_a_time_uses_it),
        cmocka_unit_test(C11_a_lock_that_was_removed_holds),
        cmocka_unit_test(C11_a_directory_that_went_is_noticed),
        cmocka_unit_test(S2_a_copy_has_another_place),
        cmocka_unit_test(what_is_not_ours_is_left_alone),
        cmocka_unit_test(D1_a_directory_that_lost_its_format_is_not_foreign),
        cmocka_unit_test(to_look_makes_nothing),
        cmocka_unit_test(a_power_cut_leaves_it_whole_or_not_begun),
        cmocka_unit_test(C9_a_disk_that_fails_under_a_start_is_told_from_damage),
        cmocka_unit_test(the_name_of_a_new_directory_is_synced),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
