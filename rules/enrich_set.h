/*
 * enrich_set.h - the compiled form of enrich.h's steps, for those who read and run them.
 */
#ifndef RULES_ENRICH_SET_H
#define RULES_ENRICH_SET_H

#include "rules/capture.h"
#include "rules/enrich.h"
#include "rules/program.h"

enum deed_kind { DEED_EXTRACT, DEED_SEVERITY, DEED_MESSAGE, DEED_VALUE, DEED_LABEL, DEED_REMOVE };

struct deed {
    enum deed_kind kind;
    const char *what;              /* see struct enrich_deed */
    struct text label;             /* DEED_LABEL, DEED_REMOVE */
    struct program program;        /* of what it sets, or extracts from */
    struct capture *capture;       /* DEED_EXTRACT */
    const char *const *group_what; /* "labels.<group>" of each, in the order of names */
    const uint32_t *group_order;   /* groups by the name's bytes */
};

struct compiled_step {
    struct enrich_step open;
    bool has_where, reads_unstable;
    struct program where;
    uint32_t deed_count;
    struct deed *deeds;  /* in the order in which they run */
    struct span id_span; /* while loading */
    struct compiled_step *next;
};

struct enrich_set {
    uint32_t count;
    uint32_t drop_reach;
    bool reads_unstable; /* a step that does not drop reads message, value, ts or age */
    struct compiled_step *steps;
};

#endif
