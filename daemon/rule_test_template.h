/*
 * rule_test_template.h - texts of repeated events: {i} is the number of the repetition, from 1,
 * {i:3} the same with zeros in front, {NAME} a value of `each`, {{ and }} braces.
 */
#ifndef DAEMON_RULE_TEST_TEMPLATE_H
#define DAEMON_RULE_TEST_TEMPLATE_H

#include "daemon/rule_test.h"

struct template_fault {
    uint32_t from, to; /* bytes of the text */
    char why[200];
};

/* Whether every brace names something. `event` NULL: any name might be one of its `each`. */
bool template_check(struct text text, const struct rule_test_event *event,
                    struct template_fault *fault);

/* The text of the record that is number `i` (from 0) in time and `combination` of `each`, given
 * to `put` piece by piece. A text that template_check() has refused comes as it is. */
void template_expand(struct text text, const struct rule_test_event *event, uint32_t i,
                     uint32_t combination, void (*put)(void *self, const char *at, size_t bytes),
                     void *self);

#endif
