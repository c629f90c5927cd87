/*
 * rule_set_parts.h - what a rule set consists of, for those who build one (rule_load.c) and those
 * who ask it (rule_set.c).
 */
#ifndef RULES_RULE_SET_PARTS_H
#define RULES_RULE_SET_PARTS_H

#include "base/arena.h"
#include "rules/enrich.h"
#include "rules/match_index.h"
#include "rules/mute_set.h"
#include "rules/rule_reader.h"
#include "rules/rule_set.h"

struct rule_set {
    struct arena *arena;
    uint32_t count;
    bool reads_message;
    unsigned inputs;             /* bits: those that some rule has */
    struct compiled_rule *rules; /* by id */
    struct program *where;       /* of each rule, apart: the hot part lies together */
    struct match_index *index;
    struct pattern_set *patterns; /* NULL when no rule has one */
    struct mute_set mutes;
    const struct enrich_set *enrich; /* NULL: no steps */
    struct id128 hash;
    const char *passed_over; /* see rule_set.h */
};

#endif
