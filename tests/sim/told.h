/*
 * told.h - the incident log that a data directory holds in the end, as `tocsin digest --incidents`
 * writes it, taken apart.
 */
#ifndef TESTS_SIM_TOLD_H
#define TESTS_SIM_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/scenario.h"

struct told_incident {
    uint64_t hash; /* of the id */
    char id[40];
    bool is_open;
    bool may_be_unwatched; /* open, and by its last change a bound may have let go of its key */
    char pushed[16];       /* the host that was pushed; "": of the records */
    struct {
        bool is_opened, is_resolved;
        bool may_be_folded; /* nobody has to be told (struct world_folds) */
        bool was_refused;   /* its opening, for good */
    } sink[SCENARIO_SINKS];
};

struct told_op {
    uint64_t hash; /* of the id */
    char id[40], incident[40], kind[16];
    int sink;
    unsigned came, came_plainly; /* for who counts; plainly: as if it had not come before */
    bool may_be_folded;
};

struct told_line {
    const char *text; /* in the log; ends with a zero */
    uint64_t hash;    /* of the text */
    int64_t at_ms;
    size_t incident; /* its place */
};

struct told {
    bool begins_late; /* with an image of another machine's: it lacks what was told before */
    char *text;
    struct told_line *line;
    size_t line_count;
    struct told_incident *incident;
    size_t incident_count;
    struct told_op *op;
    size_t op_count;
    unsigned char act[WORLD_ACTS_MAX]; /* changes that say this act */
    uint32_t strange_acts;             /* changes that say something that nobody did */
};

/* Reads the data directory on the disk of the world. False: it cannot be read, or begins late and
 * may not. */
bool told_read(struct told *told, bool may_be_late);
void told_release(struct told *told);

/* What `late` says, which begins late, behind what `whole` says before its first line. Owner: the
 * caller, of all three. */
void told_complete(const struct told *whole, const struct told *late, struct told *out);

/* Whether it names this incident: its id has the first 32 of these characters. */
bool told_has_incident(const struct told *told, const char *id);

/* Whether the first so many lines are those of `before`, all of them. */
bool told_goes_on(const struct told *before, const struct told *now);

/* Whether each whole line of the file, which is none of ours where it is NULL, is one of ours, in
 * their order; in `missing` how many of ours it lacks. */
bool told_has_lines(const struct told *told, const char *file, size_t bytes, size_t *missing);

/* NULL: there is none of this id. */
struct told_op *told_find_op(struct told *told, const char *id);

/* How many incidents of this pushed host were opened. */
unsigned told_count_pushed(const struct told *told, const char *host);

/* Whether both say the same of the records before this time; where not, `why` has the first
 * difference. */
bool told_is_same(const struct told *a, const struct told *b, int64_t to_ms, char *why,
                  size_t bytes);

#endif
