/*
 * mute_reader.h - silences, maintenance windows and inhibitions of a YAML file into their
 * compiled form.
 */
#ifndef RULES_MUTE_READER_H
#define RULES_MUTE_READER_H

#include "rules/mute.h"
#include "rules/rule_reader.h"

/* The open part comes first: a pointer to one is a pointer to the other. */
struct compiled_mute {
    struct mute open;
    struct program where;  /* `where`, or `target` of an inhibition */
    struct program source; /* of an inhibition */
    bool is_same;          /* both say the same, if in other words */
    struct span id_span;   /* while loading */
    struct compiled_mute *next;
};

/* The top-level key of a rule file for a kind: "silences", "maintenance", "inhibit". */
const char *mute_section_name(enum mute_kind kind);

/* Reads one entry of a section. Everything that is wrong with it is diagnosed.
 * Errors: false. */
bool mute_read(const struct yaml_node *node, enum mute_kind kind, struct rule_build *build,
               struct compiled_mute *out);

#endif
