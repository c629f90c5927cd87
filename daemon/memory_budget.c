/* memory_budget.c - see memory_budget.h. */
#include "daemon/memory_budget.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "correlate/engine.h"

enum { FILE_BYTES = 64 << 10, PATH_BYTES = 4096, MIB = 1 << 20 };

/* ---- what the system says ---- */

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* A file that holds one number; 0: it cannot be read, or says "max", or a number that stands for
 * the same in the first version of cgroups. */
static uint64_t read_limit(const char *folder, const char *name)
{
    char path[PATH_BYTES], *text = NULL;
    uint64_t limit = 0;
    size_t bytes;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
        host_read_file(path, FILE_BYTES, &text, &bytes) != 0)
        return 0;
    limit = strtoull(text, NULL, 10); /* of "max": 0 */
    free(text);
    return limit < UINT64_C(1) << 60 ? limit : 0;
}

/* A group is also held to the limits of those that it lies in. Inside of a container its own path
 * may not be there, and the root is the container's. */
static uint64_t limit_on_way(const char *root, const char *path, const char *name)
{
    char folder[PATH_BYTES];
    uint64_t limit = 0;

    if (snprintf(folder, sizeof(folder), "%s%s", root, path) >= (int)sizeof(folder))
        return 0;
    for (;;) {
        limit = least_of(limit, read_limit(folder, name));
        char *last = strrchr(folder, '/');
        if (strlen(folder) <= strlen(root) || last == NULL)
            return limit;
        *last = '\0';
    }
}

/* Whether `list`, as in "cpu,memory", names memory. */
static bool names_memory(const char *list)
{
    for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == strlen("memory") && strncmp(at, "memory", strlen("memory")) == 0)
            return true;
    return false;
}

uint64_t memory_limit_of_cgroup(void)
{
    char *text = NULL, *next = NULL;
    uint64_t limit = 0;
    size_t bytes;

    if (host_read_file("/proc/self/cgroup", FILE_BYTES, &text, &bytes) != 0)
        return 0;
    /* Lines "number:controllers:path"; the second version has no controllers. */
    for (char *line = strtok_r(text, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next)) {
        char *list = strchr(line, ':');
        char *path = list != NULL ? strchr(list + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        if (list[1] == '\0')
            limit = least_of(limit, limit_on_way("/sys/fs/cgroup", path, "memory.max"));
        else if (names_memory(list + 1))
            limit = least_of(limit,
                             limit_on_way("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
    }
    free(text);
    return limit;
}

static uint64_t memory_of_machine(void)
{
    char *text = NULL;
    uint64_t kib = 0;
    size_t bytes;

    if (host_read_file("/proc/meminfo", FILE_BYTES, &text, &bytes) != 0)
        return 0;
    const char *at = strstr(text, "MemTotal:");
    if (at != NULL)
        kib = strtoull(at + strlen("MemTotal:"), NULL, 10);
    free(text);
    return kib * 1024;
}

uint64_t memory_resident(void)
{
    char *text = NULL, *at;
    uint64_t pages = 0;
    size_t bytes;

    if (host_read_file("/proc/self/statm", FILE_BYTES, &text, &bytes) != 0)
        return 0;
    at = strchr(text, ' '); /* behind its size is what is resident */
    if (at != NULL)
        pages = strtoull(at, NULL, 10);
    free(text);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- what comes of it ---- */

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Least sizes are such that the least budget still moves. */
static void share(struct memory_budget *budget, unsigned workers)
{
    struct engine_config usual;
    uint64_t bytes = budget->bytes > 0 ? budget->bytes : UINT64_MAX;

    engine_config_init(&usual);
    budget->fetched_bytes = within(bytes / 16, UINT64_C(4) * MIB, UINT64_C(256) * MIB);
    budget->bins_bytes =
        within(bytes / 8 / (workers > 0 ? workers : 1), UINT64_C(2) * MIB, usual.bins_bytes_max);
    budget->step_touches = within(bytes / 8 / ENGINE_TOUCH_BYTES, 4096, usual.step_touches);
    budget->outbox_bytes = bytes / 4;
}

void memory_budget_find(int64_t configured, unsigned workers, struct memory_budget *out)
{
    uint64_t machine = memory_of_machine(), cgroup = memory_limit_of_cgroup();

    *out = (struct memory_budget){.bytes = (uint64_t)configured, .reason = "memory.budget"};
    if (configured == 0) {
        bool is_of_cgroup = cgroup > 0 && (machine == 0 || cgroup < machine);
        out->limit_bytes = is_of_cgroup ? cgroup : machine;
        out->bytes = out->limit_bytes / 4 * 3;
        out->reason = is_of_cgroup           ? "3/4 of the cgroup's limit"
                      : out->limit_bytes > 0 ? "3/4 of the machine's memory"
                                             : "no limit is known";
    }
    share(out, workers);
}
