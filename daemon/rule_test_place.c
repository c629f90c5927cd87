/*
 * rule_test_place.c - line and column in a test file.
 *
 * A thousand failed tests of one file ask for ten thousand places in it; to count lines from its
 * beginning each time was a fifth of what they cost.
 */
#include <stddef.h>
#include "daemon/rule_test.h"

void rule_test_note_lines(struct rule_test_file *file)
{
    const struct script *script = &file->script;
    uint32_t count = 1;

    for (size_t i = 0; i < script->bytes; i++)
        count += script->text[i] == '\n';
    file->line_at = arena_alloc_many(file->arena, count, sizeof(*file->line_at));
    if (file->line_at == NULL)
        return;
    for (size_t i = 0; i < script->bytes; i++)
        if (script->text[i] == '\n')
            file->line_at[++file->line_count] = (uint32_t)i + 1;
    file->line_count++; /* the first begins at 0 */
}

struct place rule_test_place(struct span span)
{
    const struct rule_test_file *file =
        (const void *)((const char *)span.script - offsetof(struct rule_test_file, script));
    uint32_t low = 0, high = file->line_count;

    if (high == 0)
        return script_place(span.script, span.from);
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (file->line_at[middle] <= span.from)
            low = middle;
        else
            high = middle;
    }
    const uint32_t start = file->line_at[low];
    const struct script line = {span.script->name, span.script->text + start,
                                span.script->bytes - start};
    struct place place = script_place(&line, span.from - start);
    place.line += low;
    return place;
}
