/*
 * operands.h - what an instruction reads by itself, for whoever asks what a program reads.
 *
 *   message.contains(labels.owner)    [ CONTAINS message, labels.owner ]
 *   check == "a" + labels.owner       [ COMPARE | LOAD check | ARITHMETIC | LOAD "a" | LOAD .. ]
 *   size(labels) > 3                  [ COMPARE | COUNT_LABELS | LOAD 3 ]: every label
 *
 * What is computed first has instructions of its own, so going over all of a program comes to each
 * name that it reads.
 *
 * Thread: any.
 */
#ifndef RULES_OPERANDS_H
#define RULES_OPERANDS_H

#include "rules/program.h"

enum { OPERANDS_MAX = 2 };

struct operands {
    uint32_t count;
    const struct operand *at[OPERANDS_MAX]; /* the instruction's; constants, too */
    bool every_label; /* whichever label there is, or one by a name that the event tells */
};

struct operands operands_of(const struct instruction *at);

#endif
