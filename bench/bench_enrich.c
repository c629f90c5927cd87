/*
 * bench_enrich - what enrich steps cost an event that rules have to see.
 *
 * Unit:   one event run through all steps of a set, as stage D does it.
 * Clock:  CPU time of the thread around whole passes over 4,096 events of three labels and a
 *         message of 40 bytes; the median of the passes, and the least and the most.
 * Input:  ten steps of which none applies to any event; the same ten where all apply: two
 *         extractions, eight settings, two of them from a table of 1,000 rows, one removal.
 * Yardstick: matching the event with a hundred rules, in turns with them.
 * Check:  each event ends with the labels that were worked out from its number.
 *
 * usage: bench_enrich [passes, 31]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/text.h"
#include "bench/result.h"
#include "rules/enrich.h"

enum { EVENTS = 4096, HOSTS = 1000, TEXT_BYTES = 512, PASSES_MAX = 1000, SET_BYTES = 1 << 20 };

struct one {
    struct event_view view;
    char disk[8], team[16];
    _Alignas(8) char text[TEXT_BYTES];
};

static struct one events[EVENTS];
static struct enrich_tally tally[ENRICH_STEPS_MAX];

static void events_make(void)
{
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct one *one = &events[i];
        uint32_t host = i * 7919 % HOSTS;
        char resource[32], message[64];
        snprintf(one->disk, sizeof(one->disk), "sd%c", 'a' + (int)(i % 26));
        snprintf(one->team, sizeof(one->team), "team-%u", host % 17);
        snprintf(resource, sizeof(resource), "host%04u/%s", host, one->disk);
        snprintf(message, sizeof(message), "file system on disk %s is at %02u%%", one->disk,
                 i % 100);
        struct event_label labels[] = {{text_of("rack"), text_of("r7")},
                                       {text_of("site"), text_of("fra1")},
                                       {text_of("uid"), text_of("0123456789abcdef")}};
        struct event_draft draft = {.field = {text_of("acme"), text_of("node"), text_of(resource),
                                              text_of("disk.used"), text_of(""), text_of(message)},
                                    .labels = labels,
                                    .label_count = 3};
        one->view = (struct event_view){
            .text = event_text_pack(one->text, event_text_bytes(&draft), &draft, 1000),
            .severity = SEVERITY_WARNING,
            .et_ms = 1000};
    }
}

/* The table as a file: rules name one. */
static void owners_write(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        exit(1);
    fputs("host,team,level\n", file);
    for (uint32_t host = 0; host < HOSTS; host++)
        fprintf(file, "host%04u,team-%u,major\n", host, host % 17);
    fclose(file);
}

static struct rule_set *set_of(const char *where, uint32_t rules)
{
    static char text[SET_BYTES];
    struct rule_set *set = NULL;
    struct error err;
    size_t used = 0;

    used += (size_t)snprintf(text + used, sizeof(text) - used,
                             "tables:\n  owners: {file: /tmp/bench_enrich.csv, key: host}\n");
    if (where != NULL)
        used += (size_t)snprintf(
            text + used, sizeof(text) - used,
            "enrich:\n"
            "- {id: a, where: '%s', extract: {from: message, pattern: 'disk (?P<disk>[a-z0-9]+) is "
            "at (?P<used>[0-9]+)%%'}}\n"
            "- {id: b, where: '%s', set: {labels.team: 'owners[host].team'}}\n"
            "- {id: c, where: '%s', set: {severity: 'severity(owners[host].level)'}}\n"
            "- {id: d, where: '%s', set: {value: 'double(labels.used)'}}\n"
            "- {id: e, where: '%s', set: {labels.stage: '\"prod\"'}}\n"
            "- {id: f, where: '%s', set: {labels.full: 'int(labels.used) > 95'}}\n"
            "- {id: g, where: '%s', extract: {from: resource, pattern: '^(?P<node>[^/]+)/'}}\n"
            "- {id: h, where: '%s', set: {labels.place: 'labels.site + \"/\" + labels.rack'}}\n"
            "- {id: i, where: '%s', set: {message: '\"disk \" + labels.disk'}}\n"
            "- {id: j, where: '%s', remove: [labels.uid], set: {labels.kind: '\"disk\"'}}\n",
            where, where, where, where, where, where, where, where, where, where);
    if (rules > 0)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "rules:\n");
    for (uint32_t r = 0; r < rules; r++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "- {id: r%u, where: 'check == \"check-%u\" && severity >= MAJOR', "
                                 "by: [host], window: 5m, when: count() >= 3, incident: {title: "
                                 "t}, close: cleared()}\n",
                                 r, r);
    if (rule_set_parse("bench.yaml", text, used, &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return set;
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static bool is_right(const struct one *one, const struct event_view *view, bool applies)
{
    struct text disk = event_text_find_label(view->text, text_of("disk"));
    struct text team = event_text_find_label(view->text, text_of("team"));

    if (!applies)
        return view->text == one->view.text;
    return disk.len == strlen(one->disk) && memcmp(disk.at, one->disk, disk.len) == 0 &&
           team.len == strlen(one->team) && memcmp(team.at, one->team, team.len) == 0 &&
           event_text_find_label(view->text, text_of("uid")).at == NULL &&
           view->severity == SEVERITY_MAJOR;
}

static double pass_steps(const struct rule_set *set, struct enrich_room *room, bool applies)
{
    const struct enrich_set *steps = rule_set_enrich(set);
    double start = cpu_ns();

    for (uint32_t i = 0; i < EVENTS; i++) {
        struct enriching it;
        enrich_start(&it, steps, room, &events[i].view);
        enrich_run(&it, enrich_count(steps), tally);
        if (!is_right(&events[i], &it.view, applies)) {
            fprintf(stderr, "wrong answer: event %u\n", i);
            exit(1);
        }
    }
    return (cpu_ns() - start) / EVENTS;
}

static double pass_match(const struct rule_set *set)
{
    uint32_t out[128];
    size_t found = 0;
    double start = cpu_ns();

    for (uint32_t i = 0; i < EVENTS; i++)
        found += rule_set_match(set, &events[i].view, out, 128);
    if (found != 0)
        exit(1);
    return (cpu_ns() - start) / EVENTS;
}

int main(int argc, char **argv)
{
    static double none[PASSES_MAX], all[PASSES_MAX], match[PASSES_MAX];
    int passes = argc > 1 ? atoi(argv[1]) : 31;
    struct enrich_room *room = enrich_room_create();

    if (room == NULL || passes < 1 || passes > PASSES_MAX)
        return 1;
    result_begin("enrich", "%d events of three labels, CPU of the thread", EVENTS);
    events_make();
    owners_write("/tmp/bench_enrich.csv");
    struct rule_set *idle = set_of("source == \"other\"", 0),
                    *busy = set_of("source == \"node\"", 0);
    struct rule_set *rules = set_of(NULL, 100);
    for (int p = 0; p < passes; p++) {
        none[p] = pass_steps(idle, room, false);
        all[p] = pass_steps(busy, room, true);
        match[p] = pass_match(rules);
    }
    result_figure("none", "ten steps, none applies", "ns/event", none, passes);
    result_figure("all", "ten steps, all apply", "ns/event", all, passes);
    result_figure("match", "matching with 100 rules", "ns/event", match, passes);
    rule_set_destroy(idle);
    rule_set_destroy(busy);
    rule_set_destroy(rules);
    enrich_room_destroy(room);
    remove("/tmp/bench_enrich.csv");
    return result_answer(true, "each event has the labels that were worked out");
}
