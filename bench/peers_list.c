/* peers_list.c - see peers_list.h. */
#include "bench/peers_list.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 100, LINE_MAX_BYTES = 65536, SPAN_MS = 30000, CHECKS = 8, FEW = 4 };

#define START_MS 1769940000000LL /* 2026-02-01T10:00:00Z */

static const char *const checks[CHECKS] = {"cpu.high",      "memory.pressure", "fs.full",
                                           "net.errors",    "disk.latency",    "http.errors",
                                           "link.flapping", "cert.expiring"};
static const char *const severities[] = {"warning", "minor", "major", "critical"};
static const char *const jobs[] = {"node", "blackbox", "ingress", "storage", "batch"};

static const char *const sites[] = {"fra1", "ams2", "waw1"};

/* Steele, Lea and Flood: SplitMix64. */
static uint64_t random_of(uint64_t number)
{
    uint64_t z = (number + 1) * 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static bool is_incident(unsigned host)
{
    return host % 3 != 2;
}

/* Of every three hosts the alerts are numbered 0 to 7, 8 to 15, 16 to 19. */
static void alert_of(unsigned number, unsigned *host, unsigned *check)
{
    unsigned within = number % (2 * CHECKS + FEW), third = within / CHECKS;

    *host = number / (2 * CHECKS + FEW) * 3 + third;
    *check = within - third * CHECKS;
}

static FILE *opened(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    return file;
}

static void closed(FILE *file, const char *path)
{
    if (ferror(file) || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

void list_write(long events, int parts, double *text_bytes, double *json_bytes)
{
    FILE *text = opened("list.txt"), *json = opened("list.jsonl"), *part[PARTS_MAX];
    char path[32], line[512];
    double sums[2] = {0, 0};

    for (int p = 0; p < parts && p < PARTS_MAX; p++) {
        snprintf(path, sizeof(path), "part-%02d.jsonl", p);
        part[p] = opened(path);
    }
    for (long i = 0; i < events; i++) {
        uint64_t chance = random_of((uint64_t)i);
        /* 1,999 and 5,000 have no common divisor: each alert comes once among the first. */
        unsigned number =
            (unsigned)(i < LIST_ALERTS ? i * 1999 % LIST_ALERTS : (long)(chance % LIST_ALERTS));
        unsigned host, check;
        int ms = (int)(i * SPAN_MS / events);
        alert_of(number, &host, &check);
        const char *severity = severities[number % 4], *job = jobs[host % 5],
                   *site = sites[host % 3];
        double value = (double)(chance >> 40) / 1000;
        int bytes = fprintf(
            text,
            "2026-02-01T10:00:%02d.%03dZ host=web-%05u alert=%s sev=%s job=%s site=%s value=%.3f "
            "msg=\"%s on web-%05u is out of its range\"\n",
            ms / 1000, ms % 1000, host, checks[check], severity, job, site, value, checks[check],
            host);
        sums[0] += bytes - 1;
        bytes = snprintf(line, sizeof(line),
                         "{\"time\":%lld,\"resource\":\"web-%05u\",\"check\":\"%s\",\"severity\":"
                         "\"%s\",\"source\":\"%s\",\"value\":%.3f,\"labels\":{\"site\":\"%s\"},"
                         "\"message\":\"%s on web-%05u is out of its range\"}\n",
                         START_MS + ms, host, checks[check], severity, job, value, site,
                         checks[check], host);
        sums[1] += bytes - 1;
        fputs(line, json);
        if (parts > 0)
            fputs(line, part[i % parts]);
    }
    closed(text, "list.txt");
    closed(json, "list.jsonl");
    for (int p = 0; p < parts && p < PARTS_MAX; p++)
        closed(part[p], "part of the list");
    *text_bytes = sums[0] / (double)events;
    *json_bytes = sums[1] / (double)events;
}

static void take(struct list_answer *answer, const char *name)
{
    unsigned host = 0;
    int end = 0;

    if (sscanf(name, "web-%5u%n", &host, &end) == 1 && end == 9 && name[end] == '\0' &&
        host < LIST_HOSTS)
        answer->times[host]++;
    else
        answer->strange++;
}

/* A line of the incident log: an incident that opens, by its key. */
static void take_change(struct list_answer *answer, const char *line)
{
    const char *change, *key, *host;
    json_t *object = json_loads(line, 0, NULL);

    if (object == NULL || json_unpack(object, "{s:s, s:s}", "change", &change, "key", &key) != 0)
        answer->strange++;
    else if (strcmp(change, "opened") == 0)
        take(answer, (host = strstr(key, "resource=")) != NULL ? host + 9 : key);
    json_decref(object);
}

static bool read_lines(const char *path, struct list_answer *answer, char *why, size_t bytes,
                       void (*each)(struct list_answer *answer, const char *line))
{
    FILE *file = fopen(path, "r");
    static char line[LINE_MAX_BYTES];

    memset(answer, 0, sizeof(*answer));
    if (file == NULL) {
        snprintf(why, bytes, "it left no answer");
        return false;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        each(answer, line);
    }
    fclose(file);
    return true;
}

bool list_answer_read(const char *path, struct list_answer *answer, char *why, size_t bytes)
{
    return read_lines(path, answer, why, bytes, take);
}

bool list_answer_read_log(const char *path, struct list_answer *answer, char *why, size_t bytes)
{
    return read_lines(path, answer, why, bytes, take_change);
}

bool list_answer_is_right(const struct list_answer *answer, char *why, size_t bytes)
{
    unsigned missing = 0, wrong = 0, again = 0;

    for (unsigned h = 0; h < LIST_HOSTS; h++) {
        missing += is_incident(h) && answer->times[h] == 0;
        wrong += !is_incident(h) && answer->times[h] > 0;
        again += is_incident(h) && answer->times[h] > 1;
    }
    if (missing + wrong + again == 0 && answer->strange == 0)
        return true;
    snprintf(why, bytes,
             "of %d incidents %u are missing, %u were told more than once, %u hosts are none, "
             "%lu lines name no host",
             LIST_INCIDENTS, missing, again, wrong, answer->strange);
    return false;
}
