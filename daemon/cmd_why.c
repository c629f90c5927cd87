/*
 * cmd_why.c - `tocsin why` and `tocsin whynot`: why an incident opened, or why an event or a
 * key did not open one, told by running the input again.
 *
 * The input is what `tocsin replay` takes: recordings, or topics of a Kafka. Without either it is
 * the input of the configuration's daemon for the last hour, with the marks that it wrote: the
 * daemon itself pays nothing for the answer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "daemon/why_run.h"

/* Of 1973: what is less is a year, a date or seconds, and not the time of an event. */
#define AT_MS_MIN INT64_C(100000000000)

static const struct option_row rows_why[] = {
    WHY_RUN_ROWS(0),
};

/* The table's other half: what only one of the two takes. */
#define WHY_ABOUT_INPUT                                                                            \
    " FILE is what tocsin replay takes; without one it is a range of Kafka topics, or, with "      \
    "--config alone, the last hour of what the daemon of that configuration reads."

static const struct option_table table_why = {
    .command = "why",
    .usage = "[options] INCIDENT [FILE...]",
    .about = "Tells why an incident opened: the events, what deduplication made of them, which "
             "tests of the rule they passed, the counts of its window, and what became of it. "
             "INCIDENT is its id or the first digits of it." WHY_ABOUT_INPUT,
    .rows = rows_why,
    .row_count = OPTION_ROWS(rows_why),
    .arguments_min = 1,
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct why_run, arguments),
    .exits = "0 1 64 65 66 69 70 71 74 78",
};

static const struct option_row rows_whynot[] = {
    WHY_RUN_ROWS(0),
    {"--rule", OPTION_TEXT, offsetof(struct why_run, rule), "ID", NULL,
     "Only what this rule made of it.", 0, 0, NULL},
    {"--at", OPTION_TIME, offsetof(struct why_run, at_ms), "TIME", NULL,
     "How the event or the key stood then: what is later does not count.", 0, 0, NULL},
};

static const struct option_table table_whynot = {
    .command = "whynot",
    .usage = "[options] (EVENT | KEY) [FILE...]",
    .about = "Tells why an event, or a rule's key, opened no incident: the last line is the first "
             "thing that stopped it. EVENT is topic/partition/offset, or topic/partition/offset/N "
             "for one of several in a record (@derived/-1/TIME/N: one that tocsin made); KEY is "
             "what an incident shows, \"tenant=acme "
             "host=db01\"." WHY_ABOUT_INPUT,
    .rows = rows_whynot,
    .row_count = OPTION_ROWS(rows_whynot),
    .arguments_min = 1,
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct why_run, arguments),
    .exits = "0 1 64 65 66 69 70 71 74 78",
};

static int answer(const struct option_table *table, int argc, char **argv,
                  int (*ask)(const char *text, struct why_question *out, struct error *err))
{
    struct why_run run = {.at_ms = INT64_MAX, .since_ms = -1};
    struct error err = {{0}};
    int code;

    if (!options_read(table, argc, argv, &run, &code))
        return code;
    if (run.at_ms < AT_MS_MIN) {
        fprintf(stderr,
                "tocsin %s: --at: %" PRId64
                " milliseconds since 1970 are a time before 1973: write it "
                "like 2026-02-01T10:00:00Z\n",
                table->command, run.at_ms);
        return EXIT_USAGE;
    }
    if (ask(run.arguments.item[0], &run.question, &err) != 0) {
        fprintf(stderr, "tocsin %s: %s\n", table->command, err.text);
        return EXIT_USAGE;
    }
    code = why_run(&run, table->command, &err);
    if (code != EXIT_OK && code != EXIT_CHANGED)
        fprintf(stderr, "tocsin %s: %s\n", table->command, err.text);
    return code;
}

int cmd_why(int argc, char **argv)
{
    return answer(&table_why, argc, argv, why_ask_incident);
}

int cmd_whynot(int argc, char **argv)
{
    return answer(&table_whynot, argc, argv, why_ask_whynot);
}
