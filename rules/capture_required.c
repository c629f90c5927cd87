/*
 * capture_required.c - see capture_required.h.
 *
 * A program runs from its first instruction to its last, the match, and what comes later in the
 * pattern comes later in the program. A way that never stands at an instruction between leads past
 * it at last from somewhere before it, forward. Hence an instruction over which no split and no
 * jump leads forward is one at which each way stands; loops lead backward and are none of that.
 */
#include "rules/capture_required.h"

uint32_t capture_required_find(const struct capture_instruction *code, uint32_t count,
                               uint16_t *required)
{
    uint32_t found = 0, farthest = 0; /* where an instruction before this one leads */

    for (uint32_t i = 0; i < count; i++) {
        if (code[i].op == CAPTURE_CHARACTER && farthest <= i)
            required[found++] = code[i].first;
        if ((code[i].op == CAPTURE_SPLIT || code[i].op == CAPTURE_JUMP) && code[i].first > farthest)
            farthest = code[i].first;
        if (code[i].op == CAPTURE_SPLIT && code[i].second > farthest)
            farthest = code[i].second;
    }
    return found;
}

bool capture_required_in(const struct capture *capture, struct text text)
{
    uint32_t at = 0, bytes;

    for (uint32_t i = 0; i < capture->required_count; i++) {
        const struct capture_class *class = &capture->classes[capture->required[i]];
        bool is_found = false;
        for (; !is_found && at < text.len; at += bytes)
            is_found = capture_class_holds(class, capture_character_at(text, at, &bytes));
        if (!is_found)
            return false;
    }
    return true;
}
