/*
 * Fuzzes what a sink may answer: the first byte picks status and type, the second the step, the
 * text up to the first line end is the Retry-After header, the rest the body. Whatever comes, a
 * delay stays within its bound, a description is printable and fits, nothing but a success says
 * delivered, and what tickets are called is fit to be part of an address.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sinks/answer.h"
#include "sinks/sink.h"

static struct sink *make(const char *type, const char *key, const char *value)
{
    struct sink_config config = {
        .name = "s", .type = type, .option = {{key, value}, {"token", "t0k3n"}}, .option_count = 1};
    struct error err;
    struct sink *sink;

    if (strcmp(type, "servicenow") == 0 || strcmp(type, "zendesk") == 0)
        config.option_count = 2;
    if (sink_create(&config, true, &sink, &err) != 0)
        abort();
    return sink;
}

/* What an answer to a step of a ticket must leave behind. */
static void check_found(enum sink_step step, enum sink_verdict verdict,
                        const struct sink_found *found)
{
    assert(found->count <= SINK_FOUND_MAX);
    assert(verdict != SINK_DELIVERED || step != SINK_STEP_CREATE || found->count == 1);
    for (size_t i = 0; i < found->count; i++) {
        const struct sink_ticket *ticket = &found->ticket[i];
        assert(ticket->remote.ref[0] != '\0');
        assert(memchr(ticket->remote.ref, '\0', SINK_REF_BYTES) != NULL);
        assert(memchr(ticket->remote.label, '\0', SINK_LABEL_BYTES) != NULL);
        assert(memchr(ticket->created, '\0', sizeof(ticket->created)) != NULL);
        assert(strpbrk(ticket->remote.ref, "/?#%. \r\n\"") == NULL);
        assert(i == 0 || strcmp(found->ticket[i - 1].created, ticket->created) <= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const int statuses[] = {200, 202, 400, 429, 503, 404, 401, 302};
    static struct sink *sinks[4];
    struct id128 incident = {0x0123456789abcdefu, 7};
    struct transport_answer answer = {.result = TRANSPORT_ANSWERED, .detail = ""};
    struct error why = {""};
    enum sink_verdict by_status, verdict;
    char *text, *body, line[200];
    const struct sink *sink;
    uint64_t ms;

    if (bytes < 2)
        return 0;
    if (sinks[0] == NULL) {
        sinks[0] = make("pagerduty", "routing_key", "0123456789abcdef0123456789abcdef");
        sinks[1] = make("webhook", "url", "http://hook.example/T0/secret");
        sinks[2] = make("servicenow", "url", "http://desk.example/T0/secret");
        sinks[3] = make("zendesk", "url", "http://desk.example/T0/secret");
    }
    text = malloc(bytes - 1);
    if (text == NULL)
        return 0;
    memcpy(text, data + 2, bytes - 2);
    text[bytes - 2] = '\0';
    body = memchr(text, '\n', bytes - 2);
    if (body != NULL)
        *body++ = '\0';
    else
        body = text + bytes - 2;
    answer.status = statuses[data[0] & 7];
    answer.retry_after = text;
    answer.body = body;
    answer.body_bytes = (size_t)(text + bytes - 2 - body);
    sink = sinks[(data[0] >> 3) & 3];

    if (answer_retry_after_ms(text, 784111777000, &ms))
        assert(ms <= ANSWER_RETRY_AFTER_MS_MAX);
    by_status = answer_verdict(&answer);
    if (sink->type->read != NULL) {
        enum sink_step step = SINK_STEP_FIND + data[1] % (SINK_STEP_COUNT - SINK_STEP_FIND);
        struct sink_found found = {0};
        verdict = sink->type->read(sink, step, incident, &answer, by_status, &found, &why);
        check_found(step, verdict, &found);
    } else {
        verdict = sink->type->judge(sink, &answer, by_status, &why);
    }
    assert(verdict < SINK_VERDICT_COUNT);
    assert(verdict != SINK_DELIVERED || answer.status / 100 == 2);
    answer_describe(&answer, line, sizeof(line));
    for (const char *at = line; *at != '\0'; at++)
        assert(*at >= 0x20 && *at < 0x7f);
    memcpy(why.text, line, sizeof(line));
    sink_redact(sink, why.text);
    assert(strstr(why.text, "/T0/secret") == NULL || sink == sinks[0]);
    free(text);
    return 0;
}
