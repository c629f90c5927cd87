/*
 * page.h - one page as the receiver got it, whichever form it came in.
 *
 * Both forms are read into the same record, so that showing, counting and
 * scoring do not know where a page came from. A record is kept as a JSON line.
 */
#ifndef DAEMON_PAGE_H
#define DAEMON_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum page_channel { PAGE_BY_PAGER, PAGE_BY_WEBHOOK, PAGE_CHANNEL_COUNT };
enum page_kind { PAGE_OPEN, PAGE_UPDATE, PAGE_ACK, PAGE_RESOLVE, PAGE_KIND_COUNT };

/* Longer texts are cut. An acknowledge or resolve by PagerDuty's form has no words but its id. */
struct page {
    enum page_channel channel;
    enum page_kind kind;
    int64_t received_ms; /* wall clock of the receiver */
    int64_t opened_ms;   /* effective time of the incident's opening; 0 unknown */
    int64_t change;      /* number of the incident's change; 0 unknown */
    int64_t alerts;      /* that ever belonged to it; 0 unknown */
    char id[64];         /* of the incident */
    char tenant[64];
    char rule[96];
    char key[256];
    char priority[4];
    char severity[12];
    char cause[24];
    char title[200];
    char why[400];
};

const char *page_kind_name(enum page_kind kind);
const char *page_channel_name(enum page_channel channel);

/* Reads a body. `received_ms` is left to the caller. A trigger does not say which op it was: that
 * of a later change is PAGE_UPDATE here, and opens the incident of whoever has not seen it. Errors:
 * -EINVAL with a sentence fit for the answer (no quotes in it), -ENOMEM. */
int page_from_pagerduty(struct page *page, const char *body, size_t bytes, struct error *err);
int page_from_webhook(struct page *page, const char *body, size_t bytes, struct error *err);

/* One JSON line with its end; the caller frees it. NULL when memory is short. */
char *page_to_line(const struct page *page);
int page_from_line(struct page *page, const char *line, size_t bytes, struct error *err);

#endif
