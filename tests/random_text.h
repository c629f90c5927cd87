/*
 * random_text.h - for tests that write random rules: picking from lists, and a text that grows.
 *
 * Picking needs the test's own `uint32_t below(uint32_t n)`: what a seed brings is the test's.
 */
#ifndef TESTS_RANDOM_TEXT_H
#define TESTS_RANDOM_TEXT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))
#define PICK(list) (list)[below((uint32_t)COUNT_OF(list))]

/* Appends to `at`, of which there is always enough; returns its new end. */
static inline char *put(char *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline char *put(char *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    at += vsprintf(at, format, args);
    va_end(args);
    return at;
}

#endif
