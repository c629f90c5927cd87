/*
 * text_buffer.h - a growing piece of text, on the stack as long as it is short.
 *
 * Thread: its owner's.
 */
#ifndef CORRELATE_TEXT_BUFFER_H
#define CORRELATE_TEXT_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct text_buffer {
    char *at; /* always terminated */
    size_t used, room;
    char first[1024];
};

void text_begin(struct text_buffer *buffer);
void text_end(struct text_buffer *buffer);

void text_put(struct text_buffer *to, const char *text, size_t len);
void text_put_string(struct text_buffer *to, const char *text);
void text_put_number(struct text_buffer *to, int64_t number);
/* 10m, 1m30s, 1h30m, 250ms, 0ms */
void text_put_duration(struct text_buffer *to, int64_t ms);

/* The largest length <= max at which the text can be cut between characters. */
size_t text_cut(const char *text, size_t len, size_t max);

#endif
