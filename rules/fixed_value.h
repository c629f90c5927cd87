/*
 * fixed_value.h - the one value of a field with which a condition can be true, told from the
 * condition alone.
 *
 *   check == "a" && severity >= MAJOR    check is "a"
 *   check == "a" || check == "b"         nothing is said
 *
 * What a rule counts by has that value in each of its incidents.
 */
#ifndef RULES_FIXED_VALUE_H
#define RULES_FIXED_VALUE_H

#include "rules/program.h"

/* False when the program may be true with others, or this does not see that it cannot. Never an
 * empty value: an absent label makes the same key. *value lives as long as the program. */
bool fixed_value(const struct program *program, const struct operand *of, struct text *value);

#endif
