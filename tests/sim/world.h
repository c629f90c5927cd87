/*
 * world.h - what outlives a process of the daemon: time, the disk, the broker's records, and what
 * a life is to meet.
 *
 *   one seed:  judge's process --fork--> life 1 --killed--> life 2 --power cut--> ... --> the last
 *                    |                       |
 *                    |                       +-- world, in shared memory --+
 *                    +-- desk: the systems that are told (desk.h), asked through a pipe
 *
 * All of it is one struct in shared memory, mapped before the first fork, without pointers into the
 * memory of a life. Time is that of the world; what a life's clocks show is made from it.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "correlate/engine.h"
#include "sim/dice.h"

enum {
    WORLD_PARTITIONS_MAX = 6,
    WORLD_RECORDS_MAX = 8192, /* of a partition */
    WORLD_TEXT_BYTES = 8 << 20,
    WORLD_LIVES_MAX = 12,
    WORLD_FILES = 384,
    WORLD_FILE_BYTES = 8 << 20,
    WORLD_SECTOR = 512,
    WORLD_PATH_BYTES = 120,
    WORLD_CHANGES_MAX = 512,
    WORLD_CONFIG_BYTES = 8 << 10,
    WORLD_PUSHES_MAX = 512,
    WORLD_ACTS_MAX = 256,
    WORLD_SILENCE_BYTES = 64,
    WORLD_FOLDS_MAX = 8192,
    WORLD_MACHINES = 2,
    WORLD_APARTS = 4,
};

#define WORLD_WALL_MS INT64_C(1769940000000) /* when time begins: 2026-02-01T10:00:00Z */
#define SECOND_NS UINT64_C(1000000000)
#define MILLI_NS UINT64_C(1000000)

/* How a life came to its end: exit codes of its process, beside those of the daemon. */
enum {
    LIFE_WAS_KILLED = 100,
    LIFE_IS_STUCK,   /* every thread waits, and nothing is due */
    LIFE_IS_ENDLESS, /* no end in sight after a long time of the world */
    LIFE_IS_ASTRAY,  /* it did what only the owner of its unit may do */
};

/* ---- the disk (disk.h) ---- */

struct world_file {
    uint64_t bytes, durable_bytes;
    uint64_t reach;                /* all behind it is zero, in both */
    uint64_t dirty_from, dirty_to; /* sectors */
    uint32_t open_count[WORLD_MACHINES];
    bool is_used, is_folder;
    bool is_locked[WORLD_MACHINES];
};

struct world_name {
    char path[WORLD_PATH_BYTES]; /* "": free */
    int32_t file;
};

struct world_change { /* of names: from then on path names file; -1: nothing */
    char path[2][WORLD_PATH_BYTES];
    int32_t file[2];
    bool is_tree; /* all below path[1] is below path[0] then */
};

struct world_disk {
    struct world_file file[WORLD_FILES];
    struct world_name now[WORLD_FILES], durable[WORLD_FILES];
    struct world_change change[WORLD_CHANGES_MAX];
    int change_count;
    uint64_t bytes_used; /* of all files, as they are seen */
    unsigned char dirty[WORLD_FILES][WORLD_FILE_BYTES / WORLD_SECTOR];
    char data[WORLD_FILES][2][WORLD_FILE_BYTES]; /* as it is seen, as it is durable */
};

/* ---- the broker (broker.h) ---- */

struct world_record {
    uint64_t at_ns; /* when it can be fetched */
    int64_t log_time_ms;
    uint32_t from, bytes; /* in the text */
};

struct world_partition {
    struct world_record record[WORLD_RECORDS_MAX];
    uint32_t count;
};

/* ---- what people did (people.h) ---- */

/* As who asked for it knows it. */
enum { WORLD_ASKED, WORLD_TAKEN, WORLD_REFUSED };

struct world_pushes {
    uint32_t count;
    unsigned char state[WORLD_PUSHES_MAX];
};

/* Acknowledgements and closes by hand; the number of each is its comment. */
struct world_acts {
    uint32_t count;
    unsigned char state[WORLD_ACTS_MAX];
    char silence[WORLD_SILENCE_BYTES]; /* id of the one that was made last; "": none */
};

/* ---- the shared store (redis_wire.c) ---- */

enum { WORLD_REDIS_AWAYS = 3 };

struct world_redis_away {
    uint64_t from_ns, to_ns; /* 0, 0: never */
    bool is_silent;          /* nothing comes back; else it is refused at once */
};

struct world_redis {
    struct world_redis_away away[WORLD_REDIS_AWAYS];
    uint64_t save_ns;    /* what is there then is what a restart finds; 0: nothing is */
    uint64_t restart_ns; /* 0: never */
    unsigned restarts;   /* that there were */
    unsigned lost;       /* of 100 commands, or their answers, so many are */
    uint64_t way_ns;     /* to it, at most; and back */
    uint64_t calm_ns;    /* from then on nothing is lost */
};

/* Ops that nobody has to be told of: where the shared store knew nothing, and the directory
 * neither, what was over before it was caught up with is told to no one (S4). */
struct world_folds {
    uint32_t count;
    uint64_t op[WORLD_FOLDS_MAX]; /* hashes of their ids as text */
};

/* ---- what a life is to meet ---- */

enum life_end { LIFE_STOPS, LIFE_KILLED, LIFE_POWER_CUT };

struct life_plan {
    enum life_end end;
    uint64_t end_ns;   /* in the world's time: stops, or dies, then; UINT64_MAX: not by time */
    uint64_t die_step; /* dies at this durable step; 0: not by steps */
    uint64_t die_name; /* or at this change of a name, 0: not so, and so many steps behind it */
    uint64_t die_behind;
    uint64_t die_answer; /* or as somebody has been answered so often; 0: not so */
    uint64_t die_sent;   /* or as so many requests have left; the same */
    uint64_t die_when;   /* 0 before it, 1 in the middle, 2 after it */
    uint64_t down_ns;    /* until the next one begins */
    int64_t skew_ms;     /* of the wall clock */
    uint64_t mono_ns;    /* what the monotonic clock begins with */
    unsigned machine;    /* whose disk it has: 0 or, where there is a shared store, 1 */
    unsigned workers, epoch_ms, take;
    unsigned snapshot_ms; /* between two snapshots */
    uint64_t turn_ns;     /* what a turn of a thread costs, at most */
    unsigned preempts;    /* one of so many calls gives the processor away */
    unsigned favours;     /* 0: all threads alike; 1: the one that runs goes on; 2: one starves */
    uint64_t sync_ns;     /* what a sync takes, at most */
    /* What the disk does: at this step, once or from then on. */
    uint64_t fault_step;
    int fault_errno; /* 0: a short write */
    bool fault_stays;
    uint64_t full_from_ns, full_to_ns; /* no room for new bytes between these */
    /* Of one of two (pair.h): frozen at this time, or as so many requests leave, for so long. */
    uint64_t freeze_from_ns, freeze_ns;
    uint64_t freeze_sent; /* 0: not by requests */
};

struct life_report {
    bool has_counters;
    struct engine_counters engine;
    int64_t watermark_ms;
    uint64_t undelivered;
    uint64_t ops, done, dead, superseded, waiting, redriven, possible_repeats, duplicates;
    uint64_t answers, sent;
    uint64_t steps, names, turns; /* durable steps, changes of names among them, turns of threads */
    bool was_fault_met, was_full_met;
    bool has_begun; /* the daemon was started */
    /* It has taken over: when the other's lease was over, when it had the unit, and when it had
     * recovered. 0: it has not, or not yet. */
    uint64_t former_end_ns, taken_ns, ready_ns;
    bool is_from_image;
    bool is_owner;         /* it had the unit, as the log says */
    bool is_catching_up;   /* from nothing, as the log says (S4) */
    bool is_history_aside; /* the history's file could not be gone on with */
    uint64_t memory_kib;
    char sentence[512]; /* why it ended with a code of its own */
};

/* ---- two that live at once (pair.h) ---- */

/* What a machine is cut off from. */
enum apart { APART_REDIS, APART_KAFKA, APART_SINKS, APART_KINDS };

struct world_apart {
    enum apart what;
    unsigned machine;
    uint64_t from_ns, to_ns; /* 0, 0: never */
    bool is_silent;          /* nothing comes back; else it is refused at once */
};

/* What the world knows of a life that has not the turn. */
struct world_life {
    unsigned life, machine;
    struct life_plan plan;
    struct life_report report;
    struct dice turns, wire, fetches, steps, randoms, redis_dice;
    uint64_t began_ns;
};

struct world_machine {
    bool is_alive;
    uint64_t next_ns; /* when one of its threads is due */
    sem_t turn;
    struct world_life away;
};

struct world_pair {
    struct world_machine machine[WORLD_MACHINES];
    struct world_apart apart[WORLD_APARTS];
    struct dice dice;      /* whose turn it is */
    bool is_done;          /* all is worked off: who stands by need not any more */
    unsigned done_by;      /* machine that has all of it */
    unsigned owner;        /* machine that the unit was given to last */
    uint64_t lease_end_ns; /* when its lease is over */
    uint64_t thaws;        /* frozen machines that went on */
    /* Incidents that the pager was told of by a machine that had not the unit any more: hashes. */
    struct world_folds strays;
    bool is_lasting; /* the shared store never forgets who that is */
};

struct world {
    uint64_t seed;
    struct world_pair pair;
    bool is_told; /* the trace is printed */
    uint64_t now_ns;
    uint64_t hash; /* of all that happened */
    /* Between these no broker can be reached, or one partition cannot be read. */
    uint64_t outage_from_ns, outage_to_ns;
    int outage_partition; /* -1: all */

    unsigned partition_count;
    struct world_partition partition[WORLD_PARTITIONS_MAX];
    uint64_t last_record_ns;
    struct world_pushes pushes;
    struct world_acts acts;
    unsigned switches; /* of rules, by hand */
    struct world_redis redis;
    struct world_folds folds, refused; /* refused: for good, until it is sent again by hand */
    uint32_t text_bytes;
    char text[WORLD_TEXT_BYTES];

    /* Of the life that is lived. */
    unsigned life, machine;
    struct life_plan plan;
    struct life_report report;
    struct dice turns, wire, fetches, steps, randoms, redis_dice;
    uint64_t began_ns;

    struct world_disk disk;
};

extern struct world *world;

/* Maps it; dies where that is not possible. */
void world_create(void);
/* As it was before anything happened, with the same records. */
void world_reset(void);

/* Notes that something happened, and tells it where the trace is wanted. */
__attribute__((format(printf, 2, 3))) void world_note(const char *who, const char *form, ...);
/* The same, for what happens all the time: goes into the hash alone. */
static inline void world_hash(uint64_t what)
{
    world->hash = hash_mix(world->hash ^ what ^ world->now_ns);
}

/* ---- in a life ---- */

/* It ends here, as by kill -9; before that the last look, where one is
 * set, is taken. */
extern void (*world_last_look)(void);
_Noreturn void world_die(const char *why);
/* It ends here with a code of its own and a sentence. */
__attribute__((format(printf, 2, 3))) _Noreturn void world_end(int code, const char *form, ...);

static inline uint64_t world_mono_ns(void)
{
    return world->now_ns - world->began_ns + world->plan.mono_ns;
}

static inline int64_t world_wall_ms(void)
{
    return WORLD_WALL_MS + (int64_t)(world->now_ns / MILLI_NS) + world->plan.skew_ms;
}

#endif
