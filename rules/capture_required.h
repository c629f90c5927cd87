/*
 * capture_required.h - what a text must hold, and in which order, for a program to find anything.
 *
 *   pattern:  (?P<all>a{1,50}b[0-9]?!)
 *   required: a, then b, then !
 *
 * An instruction that nothing leads past has its character in each match. To look for these, one
 * after the other, takes one walk over the text, where the program takes one for each of its ways.
 *
 * Thread:  a capture is immutable.
 */
#ifndef RULES_CAPTURE_REQUIRED_H
#define RULES_CAPTURE_REQUIRED_H

#include "rules/capture_program.h"

/* Writes the classes that all matches of `code` need, in their order, to `required`, which has room
 * for CAPTURE_PROGRAM_MAX. Returns how many. */
uint32_t capture_required_find(const struct capture_instruction *code, uint32_t count,
                               uint16_t *required);

/* False: the pattern is not found in `text`. */
bool capture_required_in(const struct capture *capture, struct text text);

#endif
