/*
 * tocsin_killed.c - tocsin that is killed at a durable step which its environment names (semantics
 * H3): TOCSIN_KILL_AT=STEP:WHEN:N, where STEP is a call of the host table that makes something
 * durable (write, sync, rename, sync_dir, unlink), WHEN is before, after or, for write, half, and N
 * says which of these calls, from 1.
 *
 * STEP may also be one of what a log does, in the order of its calls: release, where a segment that
 * nobody needs loses its name, and release_sync, the sync of its folder behind that; checkpoint,
 * the write of one into the intake log, and checkpoint_sync behind it. TOCSIN_KILL_IN=WORDS: of
 * names alone whose path has these words.
 *
 * It dies as by kill -9, within the call, while all other threads go on until then. Without the
 * variable it is tocsin.
 *
 * TOCSIN_SEGMENT_BYTES makes segments of that size, so that a short run begins and lets go of many.
 *
 * alloc:fail:N is an allocation of its own (F7), from 1: from there on the system gives it no more
 * memory, and that is found out at once.
 *
 * It also dies of what it reads (F2), where a record says so: die-decode-SIGNAL while it is
 * decoded, die-match-SIGNAL while the rules are asked about its event. SIGNAL is segv, abrt, fpe,
 * ill, bus or kill; the linker puts the functions below in front of those of the product.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/host.h"
#include "base/standard_files.h"
#include "daemon/commands.h"
#include "daemon/silences.h"
#include "ingest/decoder.h"
#include "rules/rule_set.h"
#include "store/segment_log.h"

static struct host watched;
static const struct host *inner;
static char step_wanted[16], when_wanted[16];
static unsigned long number_wanted;
static const char *folder_wanted; /* words of its path; NULL: any */
static atomic_ulong number;

/* Of this thread, of the last call but the syncs: what they make durable. */
static _Thread_local bool has_released;
static _Thread_local int checkpoint_fd = -1;

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static bool is_it(const char *step)
{
    return strcmp(step, step_wanted) == 0 && atomic_fetch_add(&number, 1) + 1 == number_wanted;
}

static void die_if(bool is_here, const char *when)
{
    if (is_here && strcmp(when, when_wanted) == 0)
        die();
}

static bool is_within(const char *path)
{
    return folder_wanted == NULL || strstr(path, folder_wanted) != NULL;
}

static bool is_segment(const char *path)
{
    const char *end = strrchr(path, '.');

    return end != NULL && strcmp(end, ".seg") == 0;
}

/* One name goes, or becomes another. */
static bool is_name_here(const char *step, const char *path)
{
    if (!is_within(path))
        return false;
    has_released = is_segment(path);
    return is_it(step) || (has_released && is_it("release"));
}

static ssize_t watched_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    static const char word[] = "tocsin" INTAKE_CHECKPOINT_WHAT; /* who, and what */
    bool is_checkpoint = memmem(from, bytes, word, sizeof(word) - 1) != NULL;
    bool is_here = is_it("write") || (is_checkpoint && is_it("checkpoint"));
    ssize_t put;

    if (is_checkpoint)
        checkpoint_fd = fd;

    die_if(is_here, "before");
    if (is_here && strcmp("half", when_wanted) == 0)
        bytes = bytes / 2 + 1;
    put = inner->pwrite(self, fd, from, bytes, at);
    die_if(is_here, "half");
    die_if(is_here, "after");
    return put;
}

static int watched_sync(void *self, int fd)
{
    bool is_here = is_it("sync") || (fd == checkpoint_fd && is_it("checkpoint_sync"));
    int rc;

    checkpoint_fd = -1;
    die_if(is_here, "before");
    rc = inner->sync(self, fd);
    die_if(is_here, "after");
    return rc;
}

static int watched_rename(void *self, const char *from, const char *to)
{
    bool is_here = is_name_here("rename", from);
    int rc;

    die_if(is_here, "before");
    rc = inner->rename(self, from, to);
    die_if(is_here, "after");
    return rc;
}

static int watched_sync_dir(void *self, const char *path)
{
    bool is_here =
        is_within(path) && (is_it("sync_dir") || (has_released && is_it("release_sync")));
    int rc;

    has_released = false;
    die_if(is_here, "before");
    rc = inner->sync_dir(self, path);
    die_if(is_here, "after");
    return rc;
}

static int watched_unlink(void *self, const char *path)
{
    bool is_here = is_name_here("unlink", path);
    int rc;

    die_if(is_here, "before");
    rc = inner->unlink(self, path);
    die_if(is_here, "after");
    return rc;
}

/* ---- no more memory ---- */

enum { MORE_THAN_IS_LEFT = 256 << 20 };
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

/* The allocator has something in reserve: it is asked for more than that. */
static bool is_short(void)
{
    static const struct rlimit none = {0, 0};

    if (!is_it("alloc"))
        return false;
    setrlimit(RLIMIT_DATA, &none);
    setrlimit(RLIMIT_AS, &none);
    return __real_malloc(MORE_THAN_IS_LEFT) == NULL;
}

void *__wrap_malloc(size_t bytes)
{
    return is_short() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return is_short() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    return is_short() ? NULL : __real_realloc(block, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return is_short() ? NULL : __real_aligned_alloc(alignment, bytes);
}

/* ---- what it cannot read ---- */

static volatile uintptr_t wild = 16;

static void die_of(const char *text, size_t bytes, const char *where)
{
    const char *at = memmem(text, bytes, where, strlen(where)), *end = text + bytes;

    if (at == NULL || end - at < (ptrdiff_t)strlen(where) + 4)
        return;
    at += strlen(where);
    if (memcmp(at, "segv", 4) == 0)
        *(volatile int *)wild = 1;
    if (memcmp(at, "abrt", 4) == 0)
        abort();
    if (memcmp(at, "kill", 4) == 0)
        die();
    raise(memcmp(at, "fpe", 3) == 0 ? SIGFPE : memcmp(at, "ill", 3) == 0 ? SIGILL : SIGBUS);
}

const struct decode_result *__real_decoder_decode(struct decoder *decoder, enum event_format format,
                                                  const char *record, size_t bytes,
                                                  struct text default_tenant);
const struct decode_result *__wrap_decoder_decode(struct decoder *decoder, enum event_format format,
                                                  const char *record, size_t bytes,
                                                  struct text default_tenant);
const struct decode_result *__wrap_decoder_decode(struct decoder *decoder, enum event_format format,
                                                  const char *record, size_t bytes,
                                                  struct text default_tenant)
{
    die_of(record, bytes, "die-decode-");
    return __real_decoder_decode(decoder, format, record, bytes, default_tenant);
}

size_t __real_rule_set_match(const struct rule_set *set, const struct event_view *view,
                             uint32_t *out, size_t max);
size_t __wrap_rule_set_match(const struct rule_set *set, const struct event_view *view,
                             uint32_t *out, size_t max);
size_t __wrap_rule_set_match(const struct rule_set *set, const struct event_view *view,
                             uint32_t *out, size_t max)
{
    die_of((const char *)view->text, view->text->bytes, "die-match-");
    return __real_rule_set_match(set, view, out, max);
}

int __real_segment_log_open(const struct segment_config *config, const struct segment_end *end,
                            struct segment_log **out, struct error *err);
int __wrap_segment_log_open(const struct segment_config *config, const struct segment_end *end,
                            struct segment_log **out, struct error *err);
int __wrap_segment_log_open(const struct segment_config *config, const struct segment_end *end,
                            struct segment_log **out, struct error *err)
{
    const char *bytes = getenv("TOCSIN_SEGMENT_BYTES");
    struct segment_config own = *config;

    if (bytes != NULL)
        own.segment_bytes = (uint32_t)strtoul(bytes, NULL, 10);
    return __real_segment_log_open(&own, end, out, err);
}

int main(int argc, char **argv)
{
    const char *at = getenv("TOCSIN_KILL_AT");

    folder_wanted = getenv("TOCSIN_KILL_IN");

    standard_files_hold();
    if (at != NULL) {
        if (sscanf(at, "%15[a-z_]:%15[a-z]:%lu", step_wanted, when_wanted, &number_wanted) != 3) {
            fprintf(stderr, "TOCSIN_KILL_AT is STEP:WHEN:N, not '%s'\n", at);
            return 2;
        }
        inner = host();
        watched = *inner;
        watched.pwrite = watched_pwrite;
        watched.sync = watched_sync;
        watched.rename = watched_rename;
        watched.sync_dir = watched_sync_dir;
        watched.unlink = watched_unlink;
        host_set(&watched);
    }
    return commands_run(argc, argv);
}
