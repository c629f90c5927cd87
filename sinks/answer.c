/* answer.c - see answer.h. */
#include "sinks/answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DESCRIBE_BODY_BYTES = 160 };

static bool parse_seconds(const char *at, uint64_t *out)
{
    uint64_t ms = 0;

    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++)
        if (ms <= ANSWER_RETRY_AFTER_MS_MAX) /* stop growing, go on reading */
            ms = ms * 10 + (uint64_t)(*at - '0') * 1000;
    at += strspn(at, " \t");
    *out = ms < ANSWER_RETRY_AFTER_MS_MAX ? ms : ANSWER_RETRY_AFTER_MS_MAX;
    return *at == '\0';
}

static bool parse_date(const char *at, int64_t *out_ms)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate */
        "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
        "%a %b %d %H:%M:%S %Y",      /* asctime */
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0};
        const char *end = strptime(at, forms[i], &tm);
        if (end != NULL && end[strspn(end, " \t")] == '\0') {
            *out_ms = (int64_t)timegm(&tm) * 1000;
            return true;
        }
    }
    return false;
}

bool answer_retry_after_ms(const char *header, int64_t wall_ms, uint64_t *out)
{
    int64_t date_ms;

    header += strspn(header, " \t");
    if (parse_seconds(header, out))
        return true;
    if (!parse_date(header, &date_ms))
        return false;
    if (date_ms <= wall_ms)
        *out = 0;
    else if (date_ms - wall_ms > ANSWER_RETRY_AFTER_MS_MAX)
        *out = ANSWER_RETRY_AFTER_MS_MAX;
    else
        *out = (uint64_t)(date_ms - wall_ms);
    return true;
}

static enum sink_verdict status_verdict(int status, bool says_when)
{
    if (status >= 200 && status < 300)
        return SINK_DELIVERED;
    if (status == 429)
        return says_when ? SINK_THROTTLED : SINK_RETRY;
    if (status == 401 || status == 403 || status == 407)
        return SINK_HELD;
    if (status >= 400 && status < 500 && status != 408 && status != 425)
        return SINK_REJECTED;
    /* 408, 425, 5xx. Redirects too: they are not followed, and come from maintenance and
     * log-in pages that go away. */
    return SINK_RETRY;
}

enum sink_verdict answer_verdict(const struct transport_answer *answer)
{
    uint64_t ms;

    switch (answer->result) {
    case TRANSPORT_ANSWERED:
        /* Only whether it parses matters here, so any `now` will do. */
        return status_verdict(answer->status, answer_retry_after_ms(answer->retry_after, 0, &ms));
    case TRANSPORT_AFTER_FIRST_BYTE:
        return SINK_UNCERTAIN;
    case TRANSPORT_PROXY_REFUSED:
        return SINK_HELD;
    case TRANSPORT_CONNECT:
    case TRANSPORT_TLS:
    case TRANSPORT_BEFORE_FIRST_BYTE:
    case TRANSPORT_RESULT_COUNT:
        break;
    }
    return SINK_RETRY;
}

void answer_describe(const struct transport_answer *answer, char *to, size_t bytes)
{
    if (answer->result == TRANSPORT_ANSWERED)
        snprintf(to, bytes, "HTTP %d%s%.*s", answer->status, answer->body_bytes > 0 ? ": " : "",
                 DESCRIBE_BODY_BYTES, answer->body);
    else
        snprintf(to, bytes, "%s%s", answer->detail,
                 answer->result == TRANSPORT_AFTER_FIRST_BYTE ? " (may have been taken)" : "");
    /* Other bytes than ASCII may be cut sequences, or no UTF-8 at all. */
    for (char *at = to; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = (unsigned char)*at < 0x80 ? ' ' : '?';
}
