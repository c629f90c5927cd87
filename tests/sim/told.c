/* told.c - see told.h. */
#include "sim/told.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "daemon/command.h"
#include "daemon/commands.h"
#include "daemon/data_look.h"
#include "sim/disk.h"
#include "sim/errand.h"
#include "store/segment_format.h"

#define PUSHED "tenant=pushed host="

static const char *const sink_names[SCENARIO_SINKS] = {"hook", "pager", "snow", "zen"};

/* `tocsin digest --incidents told.jsonl data`. Who judges by a part of it unknowingly would be
 * blind to the rest. */
static bool may_begin_late;

static int write_told(void)
{
    char data[WORLD_PATH_BYTES];
    char *argv[] = {"digest", "--incidents", DISK_TOLD, data, NULL};
    struct data_look_begin begin;
    struct data_look look;
    struct error err;

    snprintf(data, sizeof(data), "%s", disk_data());
    if (may_begin_late && freopen("/dev/null", "w", stderr) == NULL) /* a note of its beginning */
        return EXIT_IO;
    if (data_look_open(&look, data, &err) != 0 || data_look_begin(&look, &begin, &err) != 0 ||
        (begin.frame > 1 && !may_begin_late))
        return EXIT_DATA;
    return cmd_digest(4, argv);
}

/* Ids that come from a system that was told may be followed by more. */
static uint64_t hash_of_id(const char *id)
{
    return hash64(id, strnlen(id, ID128_TEXT_BYTES - 1), 0);
}

static struct told_incident *incident_of(struct told *told, const char *id)
{
    uint64_t hash = hash_of_id(id);
    struct told_incident *incident;

    for (size_t i = told->incident_count; i-- > 0;)
        if (told->incident[i].hash == hash)
            return &told->incident[i];
    incident = &told->incident[told->incident_count++];
    incident->hash = hash;
    snprintf(incident->id, sizeof(incident->id), "%.39s", id);
    return incident;
}

enum { VALUE_BYTES = 64 };

/* The start of what stands behind a name of the line, as incident_log.h writes lines: flat, without
 * spaces, each name once. "": nothing does. */
static const char *value_of(const char *line, const char *name, char to[VALUE_BYTES])
{
    size_t bytes = strlen(name);

    to[0] = '\0';
    for (const char *at = line + 1; *at == '"';) {
        const char *value = strchr(at + 1, '"') + 2, *end = value;
        bool is_it = strncmp(at + 1, name, bytes) == 0 && at[1 + bytes] == '"';
        if (*value == '"')
            for (end++; *end != '"'; end++)
                end += *end == '\\';
        end += strcspn(end, ",}");
        if (is_it) {
            int quote = *value == '"';
            snprintf(to, VALUE_BYTES, "%.*s", (int)(end - value) - 2 * quote, value + quote);
            break;
        }
        at = end + 1;
    }
    return to;
}

static bool is_among(const struct world_folds *ops, uint64_t op)
{
    for (uint32_t i = 0; i < ops->count; i++)
        if (ops->op[i] == op)
            return true;
    return false;
}

static void take_op(struct told *told, const char *line, const char *kind)
{
    struct told_op *op = &told->op[told->op_count++];
    char id[VALUE_BYTES], sink[VALUE_BYTES];
    struct told_incident *incident = incident_of(told, value_of(line, "incident", id));

    snprintf(op->id, sizeof(op->id), "%.39s", value_of(line, "id", sink));
    op->hash = hash_of_id(op->id);
    snprintf(op->incident, sizeof(op->incident), "%s", incident->id);
    snprintf(op->kind, sizeof(op->kind), "%.15s", kind);
    value_of(line, "sink", sink);
    while (op->sink < SCENARIO_SINKS && strcmp(sink_names[op->sink], sink) != 0)
        op->sink++;
    assert(op->sink < SCENARIO_SINKS);
    op->may_be_folded = is_among(&world->folds, op->hash);
    incident->sink[op->sink].may_be_folded |= op->may_be_folded && strcmp(kind, "open") == 0;
    incident->sink[op->sink].was_refused |=
        strcmp(kind, "open") == 0 && is_among(&world->refused, op->hash);
    incident->sink[op->sink].is_opened |= strcmp(kind, "open") == 0;
    incident->sink[op->sink].is_resolved |= strcmp(kind, "resolve") == 0;
}

/* What somebody said of an incident names itself in its comment. */
static void take_act(struct told *told, const char *comment)
{
    unsigned number;

    if (comment[0] == '\0')
        return;
    if (sscanf(comment, "act-%u", &number) == 1 && number < WORLD_ACTS_MAX)
        told->act[number]++;
    else
        told->strange_acts++;
}

static void take_change(struct told *told, const char *line, struct told_incident *incident,
                        const char *change)
{
    char value[VALUE_BYTES];

    incident->is_open = strcmp(change, "closed") != 0;
    incident->may_be_unwatched =
        incident->is_open && strcmp(value_of(line, "cause", value), "evicted") == 0;
    value_of(line, "key", value);
    if (strncmp(value, PUSHED, strlen(PUSHED)) == 0)
        snprintf(incident->pushed, sizeof(incident->pushed), "%.15s", value + strlen(PUSHED));
    take_act(told, value_of(line, "comment", value));
}

static bool take_line(struct told *told, const char *line)
{
    char id[VALUE_BYTES], at[VALUE_BYTES], what[VALUE_BYTES];
    struct told_incident *incident = incident_of(told, value_of(line, "incident", id));

    value_of(line, "at", at);
    if (at[0] == '\0' || strlen(incident->id) != 32)
        return false;
    told->line[told->line_count++] =
        (struct told_line){line, hash64(line, strlen(line), 0), strtoll(at, NULL, 10),
                           (size_t)(incident - told->incident)};
    if (value_of(line, "op", what)[0] != '\0')
        take_op(told, line, what);
    else
        take_change(told, line, incident, value_of(line, "change", what));
    return true;
}

static bool journal_begins_late(void)
{
    char path[WORLD_PATH_BYTES];
    struct segment_head head;
    const char *first;
    size_t bytes = 0;

    snprintf(path, sizeof(path), "%s/journal/%016d.seg", disk_data(), 1);
    first = disk_look(path, &bytes);
    if (first == NULL || bytes < sizeof(head))
        return true;
    memcpy(&head, first, sizeof(head));
    return head.first_frame > 1;
}

/* Room for so many lines of so much text. */
static void make_room(struct told *told, size_t bytes, size_t lines)
{
    told->text = malloc(bytes + 1);
    told->line = calloc(lines + 1, sizeof(*told->line));
    told->incident = calloc(lines + 1, sizeof(*told->incident));
    told->op = calloc(lines + 1, sizeof(*told->op));
    assert(told->text != NULL && told->line != NULL && told->incident != NULL && told->op != NULL);
}

bool told_read(struct told *told, bool may_be_late)
{
    const char *text;
    size_t bytes = 0, lines = 1;
    char *rest, *line;

    may_begin_late = may_be_late;
    if (errand_run(write_told) != 0 || (text = disk_look(DISK_TOLD, &bytes)) == NULL)
        return false;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    make_room(told, bytes, lines);
    told->begins_late = journal_begins_late();
    memcpy(told->text, text, bytes);
    told->text[bytes] = '\0';
    rest = told->text;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0' && !take_line(told, line))
            return false;
    return true;
}

static size_t find_line(const struct told *told, const struct told_line *line)
{
    size_t at = 0, before = 0;

    while (at < told->line_count && told->line[at].hash != line->hash) {
        before += told->line[at].at_ms < line->at_ms;
        at++;
    }
    return at < told->line_count ? at : before;
}

void told_complete(const struct told *whole, const struct told *late, struct told *out)
{
    size_t from_whole = late->line_count > 0 ? find_line(whole, &late->line[0]) : whole->line_count;
    size_t count = from_whole + late->line_count, bytes = 0;

    *out = (struct told){0};
    for (size_t i = 0; i < count; i++)
        bytes += 1 + strlen(i < from_whole ? whole->line[i].text : late->line[i - from_whole].text);
    make_room(out, bytes, count);
    for (size_t i = 0, at = 0; i < count; i++) {
        const char *line = i < from_whole ? whole->line[i].text : late->line[i - from_whole].text;
        size_t used = strlen(line) + 1;
        memcpy(out->text + at, line, used);
        bool is_taken = take_line(out, out->text + at);
        assert(is_taken);
        (void)is_taken; /* it was, before */
        at += used;
    }
}

void told_release(struct told *told)
{
    free(told->text);
    free(told->line);
    free(told->incident);
    free(told->op);
    *told = (struct told){0};
}

struct told_op *told_find_op(struct told *told, const char *id)
{
    uint64_t hash = hash_of_id(id);

    for (size_t i = 0; i < told->op_count; i++)
        if (told->op[i].hash == hash)
            return &told->op[i];
    return NULL;
}

bool told_has_incident(const struct told *told, const char *id)
{
    uint64_t hash = hash_of_id(id);

    for (size_t i = told->incident_count; i-- > 0;)
        if (told->incident[i].hash == hash)
            return true;
    return false;
}

unsigned told_count_pushed(const struct told *told, const char *host)
{
    unsigned count = 0;

    for (size_t i = 0; i < told->incident_count; i++)
        count += strcmp(told->incident[i].pushed, host) == 0;
    return count;
}

bool told_goes_on(const struct told *before, const struct told *now)
{
    if (now->line_count < before->line_count)
        return false;
    for (size_t i = 0; i < before->line_count; i++)
        if (before->line[i].hash != now->line[i].hash)
            return false;
    return true;
}

bool told_has_lines(const struct told *told, const char *file, size_t bytes, size_t *missing)
{
    const char *end = file != NULL ? file + bytes : NULL, *next;
    size_t at = 0;

    *missing = told->line_count;
    for (; file != NULL && (next = memchr(file, '\n', (size_t)(end - file))) != NULL;
         file = next + 1) {
        uint64_t hash = hash64(file, (size_t)(next - file), 0);
        while (at < told->line_count && told->line[at].hash != hash)
            at++;
        if (at == told->line_count)
            return false;
        at++;
        --*missing;
    }
    return true;
}

static const char *next_before(const struct told *told, size_t *at, int64_t to_ms)
{
    while (*at < told->line_count && (told->line[*at].at_ms >= to_ms ||
                                      told->incident[told->line[*at].incident].pushed[0] != '\0'))
        ++*at;
    return *at < told->line_count ? told->line[(*at)++].text : NULL;
}

bool told_is_same(const struct told *a, const struct told *b, int64_t to_ms, char *why,
                  size_t bytes)
{
    size_t at_a = 0, at_b = 0;

    for (;;) {
        const char *one = next_before(a, &at_a, to_ms), *other = next_before(b, &at_b, to_ms);
        if (one == NULL && other == NULL)
            return true;
        if (one != NULL && other != NULL && strcmp(one, other) == 0)
            continue;
        snprintf(why, bytes, "  undisturbed: %.1200s\n  disturbed:   %.1200s",
                 one != NULL ? one : "nothing more", other != NULL ? other : "nothing more");
        return false;
    }
}
