/* load_work.c - see load_work.h. */
#include "rules/load_work.h"

#include <stdio.h>
#include <string.h>

static const uint64_t max_ns = (uint64_t)LOAD_WORK_MAX_US * 1000;

static const char *const part_names[LOAD_PARTS] = {
    [LOAD_RULES] = "the rules themselves",
    [LOAD_SHEETS] = "files of sets, tables and keys",
    [LOAD_CALENDARS] = "calendars",
    [LOAD_EXTRACTS] = "patterns of extract",
    [LOAD_PATTERNS] = "patterns of conditions",
};

void load_work_add(struct load_work *work, enum load_part part, uint64_t ns)
{
    work->ns[part] += ns;
}

uint64_t load_work_left(const struct load_work *work)
{
    uint64_t spent = 0;

    for (int part = 0; part < LOAD_PARTS; part++)
        spent += work->ns[part];
    return spent < max_ns ? max_ns - spent : 0;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* The part that takes the most of those that are not yet told; LOAD_PARTS: of the rest each takes
 * too little to be worth a word. */
static int next_part(const struct load_work *work, unsigned told)
{
    int most = LOAD_PARTS;

    for (int part = 0; part < LOAD_PARTS; part++)
        if ((told >> part & 1) == 0 && work->ns[part] >= max_ns / 100 &&
            (most == LOAD_PARTS || work->ns[part] > work->ns[most]))
            most = part;
    return most;
}

bool load_work_refuse(const struct load_work *work, struct diagnostics *diag, struct span span)
{
    char parts[300] = "";
    unsigned told = 0;

    for (int part; (part = next_part(work, told)) < LOAD_PARTS; told |= 1u << part) {
        size_t used = strlen(parts);
        snprintf(parts + used, sizeof(parts) - used, "%s%s %.2f s", told == 0 ? "" : ", ",
                 part_names[part], seconds(work->ns[part]));
    }
    diagnose(diag, span,
             "what the set holds and names takes too long to read up to here, more than %.1f s by "
             "an estimate: %s; make less of the first",
             seconds(max_ns), parts);
    return false;
}
