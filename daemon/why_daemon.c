/* why_daemon.c - see why_daemon.h. */
#include "daemon/why_daemon.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mark.h"
#include "base/plural.h"
#include "daemon/admin_client.h"
#include "daemon/config_running.h"
#include "daemon/units.h"

enum { INCIDENTS_MAX = 8, OPS_SAID = 20, LINE_BYTES = 1024 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

/* The answer as JSON, ours; NULL when there is none. */
static json_t *get(const char *address, const char *path, struct error *err)
{
    char *body = NULL;
    json_t *root;
    int status;

    if (admin_client_ask(address, NULL, false, path, &status, &body, err) != 0)
        return NULL;
    root = status == 200 ? json_loads(body, 0, NULL) : NULL;
    if (root == NULL)
        error_set(err, "the daemon at %s answers %d to %s", address, status, path);
    free(body);
    return root;
}

static void say_waiting(struct why *why, const char *incident, const json_t *list)
{
    const json_t *op; /* borrowed */
    size_t i;

    json_array_foreach (list, i, op) {
        char line[LINE_BYTES], delay[UNIT_TEXT_BYTES];
        json_int_t ms = json_integer_value(json_object_get(op, "delay_ms"));
        if (i == OPS_SAID)
            return;
        snprintf(line, sizeof(line), "the %s of incident %.32s still waits for %s: %s%s%s%s%s",
                 text_of(op, "kind"), incident, text_of(op, "sink"), text_of(op, "reason"),
                 ms > 0 ? ", for " : "", ms > 0 ? unit_format_duration(ms, delay) : "",
                 text_of(op, "error")[0] != '\0' ? "; it said " : "", text_of(op, "error"));
        why_remark(why, line);
    }
}

static void say_dead(struct why *why, const char *incident, const json_t *list)
{
    const json_t *op; /* borrowed */
    size_t i;

    json_array_foreach (list, i, op) {
        char line[LINE_BYTES];
        if (i == OPS_SAID)
            return;
        snprintf(line, sizeof(line), "%s was not told of the %s of incident %.32s: %s: %s",
                 text_of(op, "sink"), text_of(op, "kind"), incident, text_of(op, "cause"),
                 text_of(op, "error"));
        why_remark(why, line);
    }
}

/* False when the daemon does not answer. */
static bool ask_about(struct why *why, const char *address, struct id128 id, struct error *err)
{
    char incident[ID128_TEXT_BYTES], path[128];
    json_t *waiting, *dead;

    id128_format(id, incident);
    snprintf(path, sizeof(path), "/outbox/waiting?incident=%s", incident);
    waiting = get(address, path, err);
    if (waiting == NULL)
        return false;
    snprintf(path, sizeof(path), "/outbox/dead?incident=%s", incident);
    dead = get(address, path, err);
    say_waiting(why, incident, json_object_get(waiting, "waiting"));
    say_dead(why, incident, json_object_get(dead, "dead"));
    if (json_array_size(json_object_get(waiting, "waiting")) == 0 &&
        json_array_size(json_object_get(dead, "dead")) == 0 && dead != NULL) {
        char line[LINE_BYTES];
        snprintf(line, sizeof(line), "the daemon holds nothing of incident %s for its sinks",
                 incident);
        why_remark(why, line);
    }
    json_decref(waiting);
    json_decref(dead);
    return true;
}

/* The daemon's metrics, owned by the caller; NULL: it does not answer. */
static char *metrics(const char *address)
{
    struct error ignored;
    char *body = NULL;
    int status;

    if (admin_client_ask(address, NULL, false, "/metrics", &status, &body, &ignored) == 0 &&
        status == 200)
        return body;
    free(body);
    return NULL;
}

/* The number of a series; `name` has the line end before it and the blank behind it. NAN: unknown.
 */
static double metric(const char *body, const char *name)
{
    const char *at = body != NULL ? strstr(body, name) : NULL;

    return at != NULL ? strtod(at + strlen(name), NULL) : NAN;
}

static int64_t metric_ms(const char *body, const char *name)
{
    double seconds = metric(body, name);

    return seconds > 0 && seconds < (double)TIME_MS_MAX / 1000 ? llround(seconds * 1000)
                                                               : INT64_MIN;
}

void why_daemon_span(const char *address, int64_t *begin_ms, int64_t *watermark_ms)
{
    char *body = metrics(address);

    *begin_ms = metric_ms(body, "\ntocsin_watermark_begin_seconds ");
    *watermark_ms = metric_ms(body, "\ntocsin_watermark_seconds ");
    free(body);
}

/* The rules of the file are those of the daemon once it has reloaded; these keys are not. */
static void say_restart(struct why *why, const struct config *config, bool reads_as_daemon)
{
    char names[LINE_BYTES / 2], line[LINE_BYTES], *answer = NULL;
    struct error err = {{0}};
    int status;

    if (admin_client_ask(config->admin.listen, NULL, false, "/rules", &status, &answer, &err) ==
            0 &&
        status == 200 && config_running_restart(answer, config, names, sizeof(names)) > 0) {
        snprintf(line, sizeof(line),
                 "the daemon runs with other values than this configuration has, until it is "
                 "started again: %s; this answer was made with those of the configuration%s",
                 names,
                 reads_as_daemon ? ", but for how records are read, which goes by the daemon" : "");
        why_remark(why, line);
    }
    free(answer);
}

void why_daemon_ask(struct why *why, const struct config *config, bool has_rules,
                    bool reads_as_daemon)
{
    const char *address = config->admin.listen;
    struct id128 incidents[INCIDENTS_MAX];
    size_t count = why_incidents(why, incidents, INCIDENTS_MAX);
    struct error err = {{0}};
    char line[LINE_BYTES];
    double switched;

    for (size_t i = 0; i < count && i < INCIDENTS_MAX; i++)
        if (!ask_about(why, address, incidents[i], &err)) {
            snprintf(line, sizeof(line), "what waits for sinks is not known: %.900s", err.text);
            why_remark(why, line);
            return;
        }
    say_restart(why, config, reads_as_daemon);
    if (has_rules)
        return;
    char *body = metrics(address);
    switched = metric(body, "\ntocsin_reloads_total ");
    free(body);
    if (switched > 0) {
        snprintf(line, sizeof(line),
                 "the daemon has switched its rules %.0f time%s since its start; this answer was "
                 "made with those of now alone",
                 switched, plural((uint64_t)switched));
        why_remark(why, line);
    }
}
