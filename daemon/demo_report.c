/*
 * demo_report.c - what came of a demo: counts, the pages held against the truth that the
 * generator wrote, and what to say when a part was lost.
 */
#include "daemon/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/host.h"
#include "daemon/score.h"

enum { LOG_LINES_SHOWN = 12 };

static void print_share(const struct demo *demo, const char *what, double part)
{
    char text[32];

    printf("    %-25s %12s   %5.1f %%\n", what, demo_grouped(part, text),
           demo->sample.events > 0 ? 100 * part / demo->sample.events : 0);
}

static void print_counts(const struct demo *demo, const struct score *score)
{
    const struct demo_sample *sample = &demo->sample;
    double lost = (double)score->events_sent - sample->events;
    char events[32], sent[32];

    printf("  events in                   %12s   of %s sent%s\n",
           demo_grouped(sample->events, events), demo_grouped((double)score->events_sent, sent),
           lost == 0 ? ", none lost" : "");
    print_share(demo, "repeats, folded", sample->duplicate);
    print_share(demo, "of no rule's interest", sample->unmatched);
    print_share(demo, "looked at by rules", sample->routed);
    if (sample->rejected > 0)
        print_share(demo, "rejected", sample->rejected);
    if (lost > 0 && !demo->is_interrupted)
        printf("  %.0f events did not reach the daemon: the broker keeps 5 MiB of each partition, "
               "and\n"
               "  the daemon did not keep up, or it was stopped before it had read them.\n",
               lost);
    printf("  incidents                   %12.0f   opened, %.0f resolved, %.0f open\n",
           sample->opened, sample->closed, sample->open);
    printf("  deliveries                  %12.0f   to two systems, %.0f repeated, %.0f given up\n",
           sample->done, sample->retries, sample->dead);
    for (size_t i = 0; i < demo->closing_count; i++)
        printf("%s    %s%s\n", DIM(demo), demo->closing[i], PLAIN(demo));
}

int demo_report(struct demo *demo, struct error *err)
{
    char truth[DEMO_PATH_BYTES], pages[DEMO_PATH_BYTES];
    struct score score;
    bool is_right;
    int rc;

    demo_path_in(demo, "truth.jsonl", truth);
    demo_path_in(demo, "pages.jsonl", pages);
    rc = score_load(&score, truth, pages, PAGE_BY_WEBHOOK, err);
    if (rc != 0)
        return rc;
    demo_status_wipe(demo);
    printf("\n%sWhat came of it%s\n", BOLD(demo), PLAIN(demo));
    print_counts(demo, &score);
    printf("\n%sWhat was wrong in the estate, and who found it%s\n", BOLD(demo), PLAIN(demo));
    score_print(&score, stdout, demo->is_terminal);
    is_right = score.missed == 0 && score.wrong == 0;
    score_release(&score);
    return is_right || demo->is_interrupted ? 0 : 1;
}

void demo_print_where_to_look(const struct demo *demo)
{
    if (demo->options.dir != NULL || demo->options.keep)
        printf("\n%sFiles kept in%s %s: tocsin.yaml, truth.jsonl, pages.jsonl, incidents.jsonl, "
               "*.log\n",
               DIM(demo), PLAIN(demo), demo->dir);
    else
        printf("\n%sNext: --forever goes on, --keep keeps configuration, truth, pages, logs.%s\n",
               DIM(demo), PLAIN(demo));
}

/* Says which part ended, and its last words. */
void demo_print_lost(struct demo *demo)
{
    const struct child *child = demo->lost;
    char status[64];
    char *text = NULL;
    size_t bytes;

    demo_status_wipe(demo);
    fprintf(stderr, "tocsin demo: the %s %s; the end of %s:\n", child->name,
            child_status_text(child, status), child->log);
    if (host_read_file(child->log, 64 << 20, &text, &bytes) == 0) {
        size_t at = bytes > 0 ? bytes - 1 : 0;
        for (int lines = 0; at > 0; at--)
            if (text[at - 1] == '\n' && ++lines == LOG_LINES_SHOWN)
                break;
        fprintf(stderr, "%s", text + at);
    }
    free(text);
}
