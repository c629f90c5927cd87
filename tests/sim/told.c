/* told.c - see told.h. */
#include "sim/told.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/commands.h"
#include "sim/disk.h"
#include "sim/fibers.h"

#define PUSHED "tenant=pushed host="

static const char *const sink_names[SCENARIO_SINKS] = {"hook", "pager", "snow", "zen"};

/* `tocsin digest --incidents told.jsonl data`, as a process of its own on the disk of the world. */
static bool write_told(void)
{
    char *argv[] = {"digest", "--incidents", DISK_TOLD, DISK_DATA, NULL};
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        static struct host table;
        bool is_told = world->is_told;
        int fd;
        table = *host();
        disk_fill_host(&table);
        host_set(&table);
        fibers_begin();
        world->began_ns = world->now_ns;
        world->plan = scenario_quiet_life();
        world->is_told = false;
        if (!is_told && (fd = open("/dev/null", O_WRONLY)) >= 0)
            dup2(fd, STDOUT_FILENO);
        status = cmd_digest(4, argv);
        fflush(stdout);
        world->is_told = is_told;
        _exit(status);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    disk_let_go();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static struct told_incident *incident_of(struct told *told, const char *id)
{
    for (size_t i = told->incident_count; i-- > 0;)
        if (strcmp(told->incident[i].id, id) == 0)
            return &told->incident[i];
    snprintf(told->incident[told->incident_count].id, sizeof(told->incident[0].id), "%s", id);
    return &told->incident[told->incident_count++];
}

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    return text != NULL ? text : "";
}

static void take_op(struct told *told, const json_t *line)
{
    struct told_op *op = &told->op[told->op_count++];
    struct told_incident *incident = incident_of(told, text_of(line, "incident"));
    const char *kind = text_of(line, "op"), *sink = text_of(line, "sink");

    snprintf(op->id, sizeof(op->id), "%s", text_of(line, "id"));
    snprintf(op->incident, sizeof(op->incident), "%s", incident->id);
    snprintf(op->kind, sizeof(op->kind), "%s", kind);
    while (op->sink < SCENARIO_SINKS && strcmp(sink_names[op->sink], sink) != 0)
        op->sink++;
    assert(op->sink < SCENARIO_SINKS);
    incident->sink[op->sink].is_opened |= strcmp(kind, "open") == 0;
    incident->sink[op->sink].is_resolved |= strcmp(kind, "resolve") == 0;
}

static bool take_line(struct told *told, char *text)
{
    json_t *line = json_loads(text, 0, NULL);

    if (line == NULL)
        return false;
    told->line[told->line_count++] =
        (struct told_line){text, json_integer_value(json_object_get(line, "at")),
                           (size_t)(incident_of(told, text_of(line, "incident")) - told->incident)};
    if (json_object_get(line, "op") != NULL)
        take_op(told, line);
    else if (strncmp(text_of(line, "key"), PUSHED, strlen(PUSHED)) == 0)
        snprintf(incident_of(told, text_of(line, "incident"))->pushed,
                 sizeof(told->incident[0].pushed), "%s", text_of(line, "key") + strlen(PUSHED));
    json_decref(line);
    return true;
}

bool told_read(struct told *told)
{
    const char *text;
    size_t bytes = 0, lines = 1;
    char *rest, *line;

    if (!write_told() || (text = disk_look(DISK_TOLD, &bytes)) == NULL)
        return false;
    told->text = malloc(bytes + 1);
    assert(told->text != NULL);
    memcpy(told->text, text, bytes);
    told->text[bytes] = '\0';
    for (size_t i = 0; i < bytes; i++)
        lines += told->text[i] == '\n';
    told->line = calloc(lines, sizeof(*told->line));
    told->incident = calloc(lines, sizeof(*told->incident));
    told->op = calloc(lines, sizeof(*told->op));
    assert(told->line != NULL && told->incident != NULL && told->op != NULL);
    rest = told->text;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0' && !take_line(told, line))
            return false;
    return true;
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
    for (size_t i = 0; i < told->op_count; i++)
        if (strcmp(told->op[i].id, id) == 0)
            return &told->op[i];
    return NULL;
}

bool told_has_incident(const struct told *told, const char *id)
{
    for (size_t i = told->incident_count; i-- > 0;)
        if (strncmp(told->incident[i].id, id, 32) == 0)
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
        if (strcmp(before->line[i].text, now->line[i].text) != 0)
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
        size_t line_bytes = (size_t)(next - file);
        while (at < told->line_count && (strlen(told->line[at].text) != line_bytes ||
                                         memcmp(told->line[at].text, file, line_bytes) != 0))
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
