/*
 * plain.h - texts of events, on their way to a person.
 *
 * Whoever can send an event says what stands in its labels, and so in titles and keys. A terminal
 * obeys some of that: it would clear the screen, begin a line of its own that reads like one of
 * ours, or turn the order of what follows. So what a command prints for people of such a text goes
 * through here, and each of these is shown as one ?:
 *
 *   U+0000 to U+001F, U+007F to U+009F   control characters, new lines and tabs among them
 *   U+2028, U+2029                       ends of lines and of paragraphs
 *   U+202A to U+202E, U+2066 to U+2069   what turns the direction of writing
 *   a byte that is no UTF-8              a terminal may take it for one of the first row
 *
 * What is printed as JSON is escaped there and comes here for the last row alone.
 *
 * Thread: any, a stream in one at a time.
 */
#ifndef DAEMON_PLAIN_H
#define DAEMON_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/event.h"

/* The first character of a text that is not empty: its length in bytes, and whether it may be
 * shown. A byte that begins no character of UTF-8 is one by itself. */
uint32_t plain_character(struct text text, bool *is_plain);

void plain_print(const char *text, FILE *to);
void plain_print_text(struct text text, FILE *to);

/* For a document in UTF-8, which escapes by itself: only a byte that begins no character is not
 * printed as it is, U+FFFD stands in its place. */
void plain_print_utf8(const char *text, FILE *to);

/* As fprintf(), of a line or a part of one: what is printed has no line end, wherever it came
 * from. Without memory for it, it says so in its place. */
void plain_printf(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
