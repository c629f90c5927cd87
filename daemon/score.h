/*
 * score.h - holds the incidents that were opened against the truth of an estate.
 *
 *   truth.jsonl  (tocsin generate --truth)     \
 *                                                >  each fault: caught, when, or missed
 *   pages.jsonl  (tocsin receive --out)        /    each incident: why it is there
 *
 * An incident that opens while a fault lasts, by one of the rules that the truth
 * expects and with its key, catches the fault; the first one counts. One that
 * opens while a fault lasts and is about something that the fault touches is a
 * side incident. All others are false.
 */
#ifndef DAEMON_SCORE_H
#define DAEMON_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"
#include "daemon/page.h"

enum {
    SCORE_GRACE_MS = 5000, /* after a fault's end an incident may still be due to it */
    SCORE_ROWS_MAX = 24,   /* faults that are printed, beside the missed ones */
};

enum score_verdict { SCORE_CATCHES, SCORE_SIDE, SCORE_FALSE };

struct score_fault {
    char kind[48];
    char root_kind[24];
    char root[64];
    char key[256];
    char **rules;    /* NULL-terminated, owned */
    char **affected; /* "host:x", NULL-terminated, owned */
    int64_t start_ms;
    int64_t end_ms;
    size_t caught_by; /* index of an incident, SIZE_MAX: missed */
    uint32_t side_count;
};

struct score_incident {
    struct page opened;
    int64_t resolved_ms; /* wall clock, 0: not resolved */
    uint32_t update_count;
    enum score_verdict verdict;
    size_t fault; /* SIZE_MAX for a false one */
};

struct score {
    struct score_fault *faults; /* that began before the stream ended, in order */
    size_t fault_count;
    struct score_incident *incidents; /* in order of opening */
    size_t incident_count;
    int64_t stream_end_ms; /* own time of the last event; 0: the file does not say */
    uint64_t events_sent;
    /* Faults: caught, missed, or cut off by the stream's end before they could be caught. */
    size_t caught, missed, cut_off;
    size_t side, wrong;     /* incidents */
    int64_t page_ms_median; /* from a fault's first event to its page, of those caught */
    int64_t page_ms_worst;
};

/* Reads both files and fills *score. Only pages of `channel` are looked at.
 * Owner:  the caller, until score_release().
 * Errors: a negative errno with a sentence that names file and line. */
int score_load(struct score *score, const char *truth_path, const char *pages_path,
               enum page_channel channel, struct error *err);
void score_release(struct score *score);

/* One line per fault (of many only the last and the missed ones) and per false
 * incident, and a closing sentence. */
void score_print(const struct score *score, FILE *to, bool has_colour);

#endif
