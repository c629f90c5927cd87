/*
 * Fuzzes what a sink may answer: the first byte picks status and type, the text up
 * to the first line end is the Retry-After header, the rest the body. Whatever
 * comes, a delay stays within its bound, a description is printable and fits, and
 * nothing but a success says delivered.
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
        .name = "s", .type = type, .option = {{key, value}}, .option_count = 1};
    struct error err;
    struct sink *sink;

    if (sink_create(&config, true, &sink, &err) != 0)
        abort();
    return sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const int statuses[] = {200, 202, 400, 429, 503, 404, 401, 302};
    static struct sink *sinks[2];
    struct transport_answer answer = {.result = TRANSPORT_ANSWERED, .detail = ""};
    struct error why = {""};
    enum sink_verdict by_status, verdict;
    char *text, *body, line[200];
    const struct sink *sink;
    uint64_t ms;

    if (bytes == 0)
        return 0;
    if (sinks[0] == NULL) {
        sinks[0] = make("pagerduty", "routing_key", "0123456789abcdef0123456789abcdef");
        sinks[1] = make("webhook", "url", "http://hook.example/T0/secret");
    }
    text = malloc(bytes);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = '\0';
    body = memchr(text, '\n', bytes - 1);
    if (body != NULL)
        *body++ = '\0';
    else
        body = text + bytes - 1;
    answer.status = statuses[data[0] & 7];
    answer.retry_after = text;
    answer.body = body;
    answer.body_bytes = (size_t)(text + bytes - 1 - body);
    sink = sinks[(data[0] >> 3) & 1];

    if (answer_retry_after_ms(text, 784111777000, &ms))
        assert(ms <= ANSWER_RETRY_AFTER_MS_MAX);
    by_status = answer_verdict(&answer);
    verdict = sink->type->judge(sink, &answer, by_status, &why);
    assert(verdict < SINK_VERDICT_COUNT);
    assert(verdict != SINK_DELIVERED || answer.status / 100 == 2);
    answer_describe(&answer, line, sizeof(line));
    for (const char *at = line; *at != '\0'; at++)
        assert(*at >= 0x20 && *at < 0x7f);
    memcpy(why.text, line, sizeof(line));
    sink_redact(sink, why.text);
    assert(strstr(why.text, "/T0/secret") == NULL || sink != sinks[1]);
    free(text);
    return 0;
}
