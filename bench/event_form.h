/*
 * event_form.h - for benches: events as JSON of a wanted size, of which only the time is written
 * anew when they are sent, so that a sender is not what is measured.
 */
#ifndef BENCH_EVENT_FORM_H
#define BENCH_EVENT_FORM_H

#include <stddef.h>
#include <stdint.h>

enum { EVENT_BYTES_MAX = 2400 };

struct event_form {
    uint32_t bytes;
    uint32_t time_at; /* its 13 digits */
    char text[EVENT_BYTES_MAX];
};

/* A problem, or its clear, of `check` on `host`; `words` are further labels: "" or
 * ",\"name\":\"value\"...". The message is as long as it takes for all to be `bytes`, if that is
 * more than the rest. */
void event_form_make(struct event_form *form, const char *host, const char *check,
                     const char *severity, const char *state, const char *words, size_t bytes);

/* The same as of another moment, milliseconds since 1970 of the years 2001 to 2286. */
void event_form_date(struct event_form *form, int64_t time_ms);

#endif
