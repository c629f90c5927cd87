/* event_form.c - see event_form.h. */
#include "bench/event_form.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { TIME_DIGITS = 13 };

void event_form_make(struct event_form *form, const char *host, const char *check,
                     const char *severity, const char *state, const char *words, size_t bytes)
{
    static const char prose[] = "the value is out of the range that is set for it; ";
    char *at = form->text, *end = form->text + sizeof(form->text);

    at += snprintf(at, (size_t)(end - at), "{\"tenant\":\"acme\",\"time\":");
    form->time_at = (uint32_t)(at - form->text);
    at +=
        snprintf(at, (size_t)(end - at),
                 "1700000000000,\"source\":\"node-exporter\",\"resource\":\"%s\",\"check\":\"%s\","
                 "\"severity\":\"%s\",\"state\":\"%s\",\"value\":93.25,\"labels\":{\"host\":\"%s\","
                 "\"site\":\"dc1\",\"rack\":\"dc1-r07\"%s},\"message\":\"",
                 host, check, severity, state, host, words);
    assert(at + 2 < end);
    while ((size_t)(at - form->text) + 2 < bytes && at + 3 < end) {
        *at = prose[(size_t)(at - form->text) % (sizeof(prose) - 1)];
        at++;
    }
    memcpy(at, "\"}", 3);
    form->bytes = (uint32_t)(at + 2 - form->text);
}

void event_form_date(struct event_form *form, int64_t time_ms)
{
    char *at = form->text + form->time_at + TIME_DIGITS;

    for (int i = 0; i < TIME_DIGITS; i++, time_ms /= 10)
        *--at = (char)('0' + time_ms % 10);
}
