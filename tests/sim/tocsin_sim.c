/*
 * tocsin_sim.c - the simulator's command line; see README.md.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "sim/desk.h"
#include "sim/judge.h"
#include "sim/world.h"
#include "random_seed.h"

/* Numbers that a person can copy. */
#define FRESH_SEEDS UINT64_C(4000000000)

static const char usage[] =
    "usage: tocsin_sim [--from SEED|fresh] [--seeds N] [--events N] [--seconds N] [--twice] "
    "[--until-failed] [--pairs]\n"
    "       tocsin_sim --seed SEED [--events N] [--trace] [--keep FOLDER]\n"
    "       tocsin_sim --these SEED,SEED,... [--events N] [--twice]\n"
    "Lives scenarios of the daemon, one for each seed, and says which fail.\n";

struct command {
    struct judge_options judge;
    uint64_t from, seeds, seconds;
    const char *these; /* instead of a row of them; NULL: none */
    bool ends_failed;  /* the first that fails is the last */
};

static bool read_command(int argc, char **argv, struct command *command)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            command->judge.is_told = true;
            continue;
        }
        if (strcmp(argv[i], "--until-failed") == 0) {
            command->ends_failed = true;
            continue;
        }
        if (strcmp(argv[i], "--twice") == 0) {
            command->judge.is_twice = true;
            continue;
        }
        if (strcmp(argv[i], "--pairs") == 0) {
            command->judge.takes_pairs = true;
            continue;
        }
        if (strcmp(argv[i], "--keep") == 0 && i + 1 < argc) {
            command->judge.keep = argv[++i];
            continue;
        }
        if (strcmp(argv[i], "--from") == 0 && strcmp(value, "fresh") == 0) {
            command->from = random_seed("TOCSIN_SIM_FROM") % FRESH_SEEDS;
            i++;
            continue;
        }
        if (value[0] < '0' || value[0] > '9')
            return false;
        i++;
        if (strcmp(argv[i - 1], "--from") == 0) {
            command->from = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--seed") == 0) {
            command->from = strtoull(value, NULL, 10);
            command->seeds = 1;
        } else if (strcmp(argv[i - 1], "--these") == 0) {
            command->these = value;
        } else if (strcmp(argv[i - 1], "--seeds") == 0) {
            command->seeds = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--events") == 0) {
            command->judge.events = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--seconds") == 0) {
            command->seconds = strtoull(value, NULL, 10);
        } else {
            return false;
        }
    }
    return command->judge.events > 0 && command->judge.events <= WORLD_RECORDS_MAX / 2;
}

/* A signal ends the run behind the seed that is lived. */
static volatile sig_atomic_t must_end;

static void on_signal(int number)
{
    (void)number;
    must_end = 1;
}

/* Of this process and those that it has waited for. */
static double processor_s(void)
{
    double sum = 0;

    for (int i = 0; i < 2; i++) {
        struct rusage used;
        getrusage(i == 0 ? RUSAGE_SELF : RUSAGE_CHILDREN, &used);
        sum += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    }
    return sum;
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void live_seed(uint64_t seed, const struct command *command, struct judge_counts *counts)
{
    if (judge_seed(seed, &command->judge, counts))
        return;
    printf("again: tocsin_sim --seed %" PRIu64 " --events %u --trace\n", seed,
           command->judge.events);
}

static bool must_stop(const struct command *command, const struct judge_counts *counts,
                      double began)
{
    return must_end != 0 || (command->ends_failed && counts->failed > 0) ||
           (command->seconds > 0 && now_s() - began > (double)command->seconds);
}

int main(int argc, char **argv)
{
    struct command command = {.judge = {.events = 2000}, .from = 1, .seeds = 20};
    struct judge_counts counts = {0};
    double began = now_s(), took;

    if (!read_command(argc, argv, &command)) {
        fputs(usage, stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    world_create();
    desk_map();
    if (command.these != NULL) {
        command.from = strtoull(command.these, NULL, 10);
        for (const char *at = command.these; at != NULL && !must_stop(&command, &counts, began);
             at = (at = strchr(at, ',')) != NULL ? at + 1 : NULL)
            live_seed(strtoull(at, NULL, 10), &command, &counts);
    } else {
        for (uint64_t i = 0; i < command.seeds && !must_stop(&command, &counts, began); i++)
            live_seed(command.from + i, &command, &counts);
    }
    took = now_s() - began;
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed; %" PRIu64 " lives, %" PRIu64
           " killed, %" PRIu64 " without power, %" PRIu64 " with faults; %" PRIu64
           " events, %" PRIu64 " incidents, %" PRIu64 " ops; %" PRIu64
           " held against an undisturbed run; %" PRIu64 " lives from images, %" PRIu64
           " journals from another's, %" PRIu64 " acts, %" PRIu64 " histories, %" PRIu64
           " shared stores, %" PRIu64 " pairs with %" PRIu64 " take-overs, %" PRIu64
           " of them undisturbed and ready %.3f s after the lease at most, %" PRIu64
           " alerts left open; %" PRIu64 " MiB at most; %.1f s, %.2f "
           "seeds/s, %.2f a second of the processor\n",
           counts.seeds, command.from, counts.failed, counts.lives, counts.kills, counts.power_cuts,
           counts.faults, counts.events, counts.incidents, counts.ops, counts.held_against,
           counts.from_images, counts.completed, counts.acts, counts.histories, counts.shared,
           counts.pairs, counts.taken, counts.taken_in_time, (double)counts.taken_ns / 1e9,
           counts.left_open, counts.memory_kib >> 10, took, (double)counts.seeds / took,
           (double)counts.seeds / processor_s());
    return counts.failed > 0 || counts.seeds == 0;
}
