/*
 * Aim: the memory budget is what is configured, or is derived from what the system allows (F7), and
 * its shares fit it. Method: files of the kernel as they look under both versions of cgroups, with
 * and without a container, on a host of the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/host.h"
#include "daemon/memory_budget.h"

enum { FILES_MAX = 8, FD_FIRST = 1000 };
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct file {
    const char *path, *text;
};

static const struct file *files;
static size_t read_up_to[FILES_MAX];

static int file_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)flags, (void)mode;
    for (int i = 0; i < FILES_MAX && files[i].path != NULL; i++)
        if (strcmp(files[i].path, path) == 0) {
            read_up_to[i] = 0;
            return FD_FIRST + i;
        }
    return -ENOENT;
}

static ssize_t file_read(void *self, int fd, void *to, size_t bytes)
{
    const char *text = files[fd - FD_FIRST].text;
    size_t *at = &read_up_to[fd - FD_FIRST];
    size_t left = strlen(text) - *at;

    (void)self;
    bytes = bytes < left ? bytes : left;
    memcpy(to, text + *at, bytes);
    *at += bytes;
    return (ssize_t)bytes;
}

static bool file_is_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

static int64_t file_size(void *self, int fd)
{
    (void)self, (void)fd;
    return 0; /* as the kernel's do */
}

static int file_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static struct memory_budget find(const struct file *list, int64_t configured, unsigned workers)
{
    struct memory_budget budget;
    struct host fake = *host();

    fake.open = file_open;
    fake.read = file_read;
    fake.size = file_size;
    fake.close = file_close;
    fake.is_regular = file_is_regular;
    files = list;
    host_set(&fake);
    memory_budget_find(configured, workers, &budget);
    host_set(NULL);
    return budget;
}

static const struct file machine_of_8_gib[] = {
    {"/proc/meminfo", "MemTotal:        8388608 kB\nMemFree:         1000000 kB\n"}, {NULL, NULL}};

static void F7_the_budget_is_what_is_configured(void **state)
{
    (void)state;
    struct memory_budget budget = find(machine_of_8_gib, 512 * MIB, 2);

    assert_int_equal(budget.bytes, 512 * MIB);
    assert_int_equal(budget.limit_bytes, 0);
    assert_string_equal(budget.reason, "memory.budget");
}

static void F7_without_one_it_is_three_quarters_of_what_the_system_allows(void **state)
{
    (void)state;
    static const struct {
        struct file file[FILES_MAX];
        uint64_t limit;
        const char *reason;
    } rows[] = {
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"}},
         8 * GIB,
         "3/4 of the machine's memory"},
        /* The second version of cgroups, the limit on the group itself. */
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"},
          {"/proc/self/cgroup", "0::/system.slice/tocsin.service\n"},
          {"/sys/fs/cgroup/system.slice/tocsin.service/memory.max", "1073741824\n"},
          {"/sys/fs/cgroup/system.slice/memory.max", "max\n"}},
         GIB,
         "3/4 of the cgroup's limit"},
        /* On one that it lies in, which is lower than its own. */
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"},
          {"/proc/self/cgroup", "0::/pods/one/two\n"},
          {"/sys/fs/cgroup/pods/one/two/memory.max", "4294967296\n"},
          {"/sys/fs/cgroup/pods/memory.max", "2147483648\n"}},
         2 * GIB,
         "3/4 of the cgroup's limit"},
        /* In a container, whose root is the group. */
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"},
          {"/proc/self/cgroup", "0::/\n"},
          {"/sys/fs/cgroup/memory.max", "536870912\n"}},
         512 * MIB,
         "3/4 of the cgroup's limit"},
        /* The first version: memory by itself, and in a container the path is not there. */
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"},
          {"/proc/self/cgroup", "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n0::/docker/ab\n"},
          {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"},
          {"/sys/fs/cgroup/memory.limit_in_bytes", "1\n"}},
         512 * MIB,
         "3/4 of the cgroup's limit"},
        /* What stands for no limit there. */
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"},
          {"/proc/self/cgroup", "4:hugetlb,memory:/\n"},
          {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}},
         8 * GIB,
         "3/4 of the machine's memory"},
        /* A limit above what the machine has is none. */
        {{{"/proc/meminfo", "MemTotal:        8388608 kB\n"},
          {"/proc/self/cgroup", "0::/\n"},
          {"/sys/fs/cgroup/memory.max", "17179869184\n"}},
         8 * GIB,
         "3/4 of the machine's memory"},
        {{{"/proc/self/cgroup", "nothing that anybody knows\n::\n"}}, 0, "no limit is known"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct memory_budget budget = find(rows[i].file, 0, 2);
        assert_int_equal(budget.limit_bytes, rows[i].limit);
        assert_int_equal(budget.bytes, rows[i].limit / 4 * 3);
        assert_string_equal(budget.reason, rows[i].reason);
    }
}

static void F7_the_shares_fit_the_budget_and_none_is_larger_than_without_one(void **state)
{
    (void)state;
    static const struct {
        uint64_t budget, fetched, bins, touches, outbox;
        unsigned workers;
    } rows[] = {
        {128 * MIB, 8 * MIB, 8 * MIB, 21845, 32 * MIB, 2},
        {512 * MIB, 32 * MIB, 32 * MIB, 87381, 128 * MIB, 2},
        {512 * MIB, 32 * MIB, 8 * MIB, 87381, 128 * MIB, 8},
        {16 * GIB, 256 * MIB, 64 * MIB, 1 << 20, 4 * GIB, 8},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct memory_budget budget =
            find(machine_of_8_gib, (int64_t)rows[i].budget, rows[i].workers);
        assert_int_equal(budget.fetched_bytes, rows[i].fetched);
        assert_int_equal(budget.bins_bytes, rows[i].bins);
        assert_int_equal(budget.step_touches, rows[i].touches);
        assert_int_equal(budget.outbox_bytes, rows[i].outbox);
    }
    /* Nothing is known: as if there were no bound. */
    struct memory_budget none = find(&machine_of_8_gib[1], 0, 2);
    assert_int_equal(none.bytes, 0);
    assert_int_equal(none.fetched_bytes, 256 * MIB);
    assert_int_equal(none.bins_bytes, 64 * MIB);
    assert_true(none.outbox_bytes >= GIB);
}

static void what_is_resident_is_known(void **state)
{
    (void)state;
    assert_in_range(memory_resident(), MIB, 4 * GIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F7_the_budget_is_what_is_configured),
        cmocka_unit_test(F7_without_one_it_is_three_quarters_of_what_the_system_allows),
        cmocka_unit_test(F7_the_shares_fit_the_budget_and_none_is_larger_than_without_one),
        cmocka_unit_test(what_is_resident_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
