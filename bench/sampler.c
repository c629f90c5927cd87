/* sampler.c - see sampler.h. */
#include "bench/sampler.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { SAMPLES_MAX = 1 << 16, PERIOD_NS = 1000000 };

static uintptr_t sample[SAMPLES_MAX];
static _Atomic uint32_t sample_count;

const char *const sample_stage_name[SAMPLE_STAGES] = {
    [SAMPLE_CLIENT] = "client", [SAMPLE_LIBC] = "libc", [SAMPLE_DECODE] = "decode",
    [SAMPLE_PACK] = "pack",     [SAMPLE_HASH] = "hash", [SAMPLE_BINS] = "bins",
    [SAMPLE_INGEST] = "ingest", [SAMPLE_SORT] = "sort", [SAMPLE_DEDUP] = "dedup",
    [SAMPLE_RULES] = "rules",   [SAMPLE_SEAL] = "seal", [SAMPLE_REST] = "rest"};

/* The first that a symbol begins with counts. */
static const struct {
    const char *prefix;
    enum sample_stage stage;
} prefixes[] = {
    {"feed_", SAMPLE_CLIENT},
    {"kafka_", SAMPLE_CLIENT},
    {"wake_reader", SAMPLE_CLIENT},
    {"native_", SAMPLE_DECODE},
    {"decode", SAMPLE_DECODE},
    {"json_", SAMPLE_DECODE},
    {"index_", SAMPLE_DECODE},
    {"find_word", SAMPLE_DECODE},
    {"utf8_", SAMPLE_DECODE},
    {"event_time_", SAMPLE_DECODE},
    {"severity_", SAMPLE_DECODE},
    {"event_fingerprint", SAMPLE_HASH},
    {"event_attr_hash", SAMPLE_HASH},
    {"XXH", SAMPLE_HASH},
    {"hash_", SAMPLE_HASH},
    {"event_text_", SAMPLE_PACK},
    {"pack", SAMPLE_PACK},
    {"bin_", SAMPLE_BINS},
    {"bins_", SAMPLE_BINS},
    {"ingest_", SAMPLE_INGEST},
    {"record_", SAMPLE_INGEST},
    {"part_", SAMPLE_INGEST},
    {"log_time", SAMPLE_INGEST},
    {"timing_", SAMPLE_INGEST},
    {"marks_", SAMPLE_INGEST},
    {"mark_", SAMPLE_INGEST},
    {"passed_", SAMPLE_INGEST},
    {"counts_", SAMPLE_INGEST},
    {"clock_look", SAMPLE_INGEST},
    {"low_", SAMPLE_INGEST},
    {"reclaim", SAMPLE_INGEST},
    {"memory_", SAMPLE_INGEST},
    {"sort", SAMPLE_SORT},
    {"dedup_", SAMPLE_DEDUP},
    {"alert_", SAMPLE_DEDUP},
    {"text_store", SAMPLE_DEDUP},
    {"touch_", SAMPLE_DEDUP},
    {"slab_", SAMPLE_DEDUP},
    {"rule", SAMPLE_RULES},
    {"match_", SAMPLE_RULES},
    {"key_", SAMPLE_RULES},
    {"window", SAMPLE_RULES},
    {"watch_", SAMPLE_RULES},
    {"incident_", SAMPLE_RULES},
    {"plan_", SAMPLE_RULES},
    {"eval", SAMPLE_RULES},
    {"sequencer_", SAMPLE_SEAL},
    {"seal", SAMPLE_SEAL},
    {"parts_", SAMPLE_SEAL},
    {"step", SAMPLE_SEAL},
    {"stages_", SAMPLE_SEAL},
    {"worker_", SAMPLE_SEAL},
    {"poll_all", SAMPLE_SEAL},
    {"rest", SAMPLE_SEAL},
    {"real_", SAMPLE_SEAL},
    {"counting_", SAMPLE_SEAL},
    {"engine_", SAMPLE_SEAL},
};

static void note(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    /* relaxed: read when the threads have been asked for nothing more. */
    uint32_t mine = atomic_fetch_add_explicit(&sample_count, 1, memory_order_relaxed);

    (void)number;
    (void)info;
    if (mine >= SAMPLES_MAX)
        return;
#if defined(__x86_64__)
    sample[mine] = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    sample[mine] = (uintptr_t)at->uc_mcontext.pc;
#else
    sample[mine] = 0;
#endif
}

void sampler_reset(void)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGPROF, &action, NULL);
    atomic_store(&sample_count, 0);
}

void sampler_join(void)
{
    const struct itimerspec each = {.it_interval.tv_nsec = PERIOD_NS,
                                    .it_value.tv_nsec = PERIOD_NS};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    timer_t timer;

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    /* It goes with the thread's clock: an ended thread uses no CPU. */
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0)
        timer_settime(timer, 0, &each, NULL);
}

/* --- what stands at an address ------------------------------------------------------------- */

struct program {
    const char *file; /* mapped */
    size_t bytes;
    const ElfW(Sym) * symbol;
    size_t symbols;
    const char *names;
    uintptr_t base; /* where it was loaded, and where it ends */
    uintptr_t end;
};

/* The first object that is told of is the program. */
static int program_place(struct dl_phdr_info *info, size_t size, void *data)
{
    struct program *program = data;

    (void)size;
    program->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t end =
                info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
            program->end = end > program->end ? end : program->end;
        }
    return 1;
}

static bool program_open(struct program *program)
{
    struct stat status;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    *program = (struct program){0};
    if (fd >= 0 && fstat(fd, &status) == 0) {
        void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            program->file = file;
            program->bytes = (size_t)status.st_size;
        }
    }
    if (fd >= 0)
        close(fd);
    if (program->file == NULL)
        return false;
    const ElfW(Ehdr) *head = (const void *)program->file;
    const ElfW(Shdr) *section = (const void *)(program->file + head->e_shoff);
    for (unsigned i = 0; i < head->e_shnum; i++)
        if (section[i].sh_type == SHT_SYMTAB) {
            program->symbol = (const void *)(program->file + section[i].sh_offset);
            program->symbols = section[i].sh_size / sizeof(*program->symbol);
            program->names = program->file + section[section[i].sh_link].sh_offset;
        }
    dl_iterate_phdr(program_place, program);
    return true;
}

static enum sample_stage stage_of(const struct program *program, uintptr_t at)
{
    Dl_info object;

    if (at < program->base || at >= program->end)
        return dladdr((const void *)at, &object) != 0 && object.dli_fname != NULL &&
                       strstr(object.dli_fname, "/libc.") == NULL
                   ? SAMPLE_CLIENT
                   : SAMPLE_LIBC;
    for (size_t s = 0; s < program->symbols; s++) {
        const ElfW(Sym) *symbol = &program->symbol[s];
        if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
            at - program->base - symbol->st_value >= symbol->st_size)
            continue;
        const char *name = program->names + symbol->st_name;
        for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++)
            if (strncmp(name, prefixes[p].prefix, strlen(prefixes[p].prefix)) == 0)
                return prefixes[p].stage;
        return SAMPLE_REST;
    }
    return SAMPLE_REST;
}

void sampler_shares(double share[SAMPLE_STAGES])
{
    uint32_t count = atomic_load(&sample_count);
    struct program program;

    count = count < SAMPLES_MAX ? count : SAMPLES_MAX;
    for (int s = 0; s < SAMPLE_STAGES; s++)
        share[s] = 0;
    if (count == 0 || !program_open(&program))
        return;
    for (uint32_t i = 0; i < count; i++)
        share[stage_of(&program, sample[i])] += 1.0 / count;
    munmap((void *)(uintptr_t)program.file, program.bytes);
}
