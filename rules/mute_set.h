/*
 * mute_set.h - all mutes of a rule set, gathered file by file.
 */
#ifndef RULES_MUTE_SET_H
#define RULES_MUTE_SET_H

#include "rules/mute_reader.h"

/* While a set is loaded. Zero to begin with. */
struct mute_gathering {
    struct compiled_mute *first, *last;
    struct compiled_mute *spare; /* one that was wrong: room for the next */
    uint32_t count, seen;        /* seen: with those that were wrong */
    /* How far places were counted: a section is read from its begin to its end, so that a thousand
     * mutes of one file do not cost a thousand looks through it. */
    const struct script *counted;
    uint32_t counted_to, line, line_start;
};

struct mute_set {
    uint32_t count;
    struct compiled_mute *mutes; /* by (kind, id) */
};

/* Reads the sections of one file; `kept` lives until the end of the load. */
void mute_gather(struct mute_gathering *gathering, const struct yaml_node *root,
                 struct rule_build *build, struct arena *kept);

/* Sorts them into `arena` and adds what they say to *hash.
 * Errors: false, diagnosed: an id given twice. */
bool mute_set_make(const struct mute_gathering *gathering, struct arena *arena, struct arena *kept,
                   struct diagnostics *diag, struct mute_set *out, struct id128 *hash);

#endif
