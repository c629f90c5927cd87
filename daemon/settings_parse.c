/*
 * settings_parse.c - what the text of settings says, for who goes by it again. See settings_text.h.
 *
 * The text is our own, from a file that is known by its hash: a line that cannot be read is one of
 * a version that is not known, and says nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "correlate/quota.h"
#include "daemon/settings_text.h"
#include "daemon/units.h"

enum { VALUE_BYTES = 64 };

/* What the line `key` says, in `to`. False: there is none. */
static bool value_of(const char *text, const char *key, char to[VALUE_BYTES])
{
    const size_t length = strlen(key);

    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        if (bytes > length + 1 && bytes - length - 1 < VALUE_BYTES &&
            memcmp(text, key, length) == 0 && text[length] == ' ') {
            memcpy(to, text + length + 1, bytes - length - 1);
            to[bytes - length - 1] = '\0';
            return true;
        }
        text += bytes + (text[bytes] == '\n');
    }
    return false;
}

static void take_duration(const char *text, const char *key, int64_t *to)
{
    char value[VALUE_BYTES];
    struct error err;
    int64_t ms;

    if (value_of(text, key, value) && unit_parse_duration(value, &ms, &err) == 0)
        *to = ms;
}

static void take_count(const char *text, const char *key, unsigned *to)
{
    char value[VALUE_BYTES];
    struct error err;
    int64_t count;

    if (value_of(text, key, value) && unit_parse_count(value, &count, &err) == 0 && count >= 0 &&
        count <= UINT32_MAX)
        *to = (unsigned)count;
}

void settings_terms(const char *text, struct engine_terms *terms)
{
    take_count(text, "engine.alerts.max", &terms->alerts_max);
    take_duration(text, "engine.expire", &terms->expire_ms);
    take_duration(text, "engine.flap.window", &terms->flap_window_ms);
    take_count(text, "engine.flap.start", &terms->flap_start);
    take_count(text, "engine.flap.stop", &terms->flap_stop);
}

/* ---- topics ---- */

#define TOPIC_LINE "input.topics "

/* Cuts `from` before the first `word`, and returns what is behind it; NULL: it is not there. */
static char *cut_before(char *from, const char *word)
{
    char *at = from != NULL ? strstr(from, word) : NULL;

    if (at == NULL)
        return NULL;
    *at = '\0';
    return at + strlen(word);
}

/* The last one: what stands before may hold any text. */
static char *cut_before_last(char *from, const char *word)
{
    char *at = NULL, *next = from;

    while (from != NULL && (next = strstr(next, word)) != NULL)
        at = next++;
    if (at == NULL)
        return NULL;
    *at = '\0';
    return at + strlen(word);
}

/* "NAME: format F, disorder L, log_append_time B, tenant T, tenant_fixed B", cut up. */
static bool take_topic(char *line, struct topic_config *to)
{
    char *format = cut_before(line, ": format ");
    char *disorder = cut_before(format, ", disorder ");
    char *log_append = cut_before(disorder, ", log_append_time ");
    char *tenant = cut_before(log_append, ", tenant ");
    char *fixed = cut_before_last(tenant, ", tenant_fixed ");
    struct error err;

    if (fixed == NULL)
        return false;
    *to =
        (struct topic_config){.topic = strcmp(line, "(others)") != 0 ? line : NULL,
                              .format = strcmp(format, "native") == 0         ? FORMAT_NATIVE
                                        : strcmp(format, "alertmanager") == 0 ? FORMAT_ALERTMANAGER
                                                                              : FORMAT_AUTO,
                              .log_append_time = strcmp(log_append, "true") == 0,
                              .tenant = tenant[0] != '\0' ? tenant : NULL,
                              .tenant_fixed = strcmp(fixed, "true") == 0};
    return unit_parse_duration(disorder, &to->disorder_ms, &err) == 0;
}

/* ---- quotas ---- */

#define QUOTA_LINE "quotas"

static uint8_t digit_of(char c)
{
    return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* In its place: a name as it was before add_name(). */
static void name_restore(char *name)
{
    char *to = name;

    for (const char *from = name; *from != '\0'; from++) {
        if (from[0] != '%' || from[1] == '\0' || from[2] == '\0') {
            *to++ = *from;
            continue;
        }
        *to++ = (char)(digit_of(from[1]) << 4 | digit_of(from[2]));
        from += 2;
    }
    *to = '\0';
}

/* ": events N, burst N[, tracked N]" and " NAME: events N, burst N", behind the first word. */
static void take_quota(char *line, struct quota_config *quotas, struct quota_tenant *tenants)
{
    char *name = line[0] == ' ' ? line + 1 : NULL, *rest = strstr(line, ": events ");
    unsigned events, burst, tracked = 0;

    if (rest == NULL ||
        sscanf(rest, ": events %u, burst %u, tracked %u", &events, &burst, &tracked) < 2)
        return;
    *rest = '\0';
    if (name == NULL) {
        quotas->events = events;
        quotas->burst = burst;
        quotas->tenants_max = tracked;
        return;
    }
    name_restore(name);
    tenants[quotas->tenant_count++] = (struct quota_tenant){name, events, burst};
}

void settings_inputs(const char *text, const struct engine_config *now, struct settings_inputs *out)
{
    const size_t bytes = strlen(text) + 1;
    size_t lines = 1;

    for (const char *at = text; *at != '\0'; at++)
        lines += *at == '\n';
    out->text = memory_alloc(bytes);
    memcpy(out->text, text, bytes);
    out->topics = memory_alloc(lines * sizeof(*out->topics));
    out->tenants = memory_alloc(lines * sizeof(*out->tenants));
    out->inputs = (struct engine_inputs){
        .value = mark_input_value(hash128(text, bytes - 1, 0)),
        .past_ms = now->past_ms,
        .future_ms = now->future_ms,
        .behind_ms = now->behind_ms,
        .topics = out->topics,
        .quotas.tenants = out->tenants,
    };
    take_duration(text, "engine.past", &out->inputs.past_ms);
    take_duration(text, "engine.future", &out->inputs.future_ms);
    take_duration(text, "engine.behind", &out->inputs.behind_ms);
    for (char *line = out->text, *end; line < out->text + bytes - 1; line = end + 1) {
        end = line + strcspn(line, "\n");
        *end = '\0';
        if (strncmp(line, TOPIC_LINE, strlen(TOPIC_LINE)) == 0 &&
            take_topic(line + strlen(TOPIC_LINE), &out->topics[out->inputs.topic_count]))
            out->inputs.topic_count++;
        if (strncmp(line, QUOTA_LINE, strlen(QUOTA_LINE)) == 0)
            take_quota(line + strlen(QUOTA_LINE), &out->inputs.quotas, out->tenants);
    }
}

void settings_inputs_release(struct settings_inputs *inputs)
{
    free(inputs->topics);
    free(inputs->tenants);
    free(inputs->text);
    *inputs = (struct settings_inputs){.text = NULL};
}

static const struct topic_config *row_of(const struct engine_inputs *inputs, const char *topic)
{
    const struct topic_config *others = NULL;

    for (size_t i = 0; i < inputs->topic_count; i++) {
        const struct topic_config *row = &inputs->topics[i];
        if (row->topic != NULL && strcmp(row->topic, topic) == 0)
            return row;
        others = row->topic == NULL ? row : others;
    }
    return others;
}

bool settings_lists(const struct engine_inputs *inputs, const char *topic)
{
    const struct topic_config *row = row_of(inputs, topic);

    return row != NULL && row->topic != NULL;
}

bool settings_read_alike(const struct engine_inputs *a, const struct engine_inputs *b,
                         const char *topic)
{
    const struct topic_config *x = row_of(a, topic), *y = row_of(b, topic);

    if (a->past_ms != b->past_ms || a->future_ms != b->future_ms || a->behind_ms != b->behind_ms ||
        !quota_equal(&a->quotas, &b->quotas))
        return false;
    if (topic[0] == '@') /* what is pushed is read as it is written */
        return true;
    return x != NULL && y != NULL && x->format == y->format && x->disorder_ms == y->disorder_ms &&
           x->log_append_time == y->log_append_time && x->tenant_fixed == y->tenant_fixed &&
           strcmp(x->tenant != NULL ? x->tenant : "", y->tenant != NULL ? y->tenant : "") == 0;
}
