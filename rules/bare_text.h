/*
 * bare_text.h - text whose quotes were forgotten, told for what it is.
 *
 *   rule == host-down           reads as a difference of host and down
 *   check == login.failed       as a member of login
 *   host.startsWith(web)        as a field web
 *
 * Each would be refused for the first of its parts that names nothing, and a word that is near to
 * that part offered in its place. Beside what can be compared with text alone the whole of it is
 * meant. But null, nil and None, which other languages have, are meant as that: has() says the same
 * of what may be missing, and of the rest it is told what it is.
 *
 * Thread: one load, one thread.
 */
#ifndef RULES_BARE_TEXT_H
#define RULES_BARE_TEXT_H

#include "rules/ast.h"

/* What a lone name is where the expression stands. */
enum bare_name {
    BARE_NAME_NOTHING,
    BARE_NAME_SLIP,  /* nothing, but near to something that stands there */
    BARE_NAME_TEXT,  /* a field that is text */
    BARE_NAME_OTHER, /* another field, a constant, a set, a table, labels */
};

/* How a thing can be missing, beside null. */
enum bare_lack {
    BARE_LACK_HAS,    /* has() asks for it */
    BARE_LACK_NEVER,  /* it is always there */
    BARE_LACK_ALWAYS, /* it is never there */
    BARE_LACK_SIZE,   /* labels, where they can be counted */
    BARE_LACK_NAME,   /* labels, where they cannot */
    BARE_LACK_OTHER,  /* nothing that an event has */
};

/* What names mean where the expression stands. */
struct bare_names {
    enum bare_name (*meaning)(struct text name, const void *of);
    enum bare_lack (*lack)(struct text name, const void *of);
    const void *of;
};

/* Looks at one node: a comparison, an `in` with a list, a function of text. Before its names are
 * resolved. Errors: false, diagnosed: text without quotes beside what is text, or null. */
bool bare_text_check(const struct ast *ast, const struct bare_names *names,
                     struct diagnostics *diag);

#endif
