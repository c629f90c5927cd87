/*
 * Any bytes as a pattern (the first line) and a text (the rest): a fault inside of the pattern, or
 * something that answers, the same for a pattern alone and in company, and the same as its
 * positions; never a crash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "rules/capture_program.h"
#include "rules/pattern_scan.h"
#include "rules/positions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_ascii(struct text text)
{
    for (uint32_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    return true;
}

static bool has_flags(struct text pattern)
{
    for (uint32_t i = 0; i + 2 < pattern.len; i++)
        if (memcmp(pattern.at + i, "(?", 2) == 0 && strchr("P<:", pattern.at[i + 2]) == NULL)
            return true;
    return false;
}

/* Groups lie inside of the text; and what vectorscan finds is found, save where the two differ
 * (rules/pattern.h). */
static void extract(struct text pattern, struct text text, bool is_found)
{
    static struct capture_room *room;
    struct arena *arena = arena_create(64 << 20);
    struct text value[PATTERN_GROUPS_MAX];
    struct pattern_fault fault;
    struct capture *capture = capture_create(pattern, arena, &fault);

    if (room == NULL)
        room = calloc(1, capture_room_bytes());
    if (capture == NULL &&
        (fault.from > fault.to || fault.to > pattern.len || fault.why[0] == '\0'))
        abort();
    if (capture != NULL && room != NULL) {
        bool has = capture_search(capture, text, room, value);
        if (has != is_found && is_ascii(text) && !has_flags(pattern))
            abort();
        for (uint32_t i = 0; has && i < capture_count(capture); i++)
            if (value[i].at != NULL &&
                (value[i].at < text.at || value[i].at + value[i].len > text.at + text.len))
                abort();
    }
    arena_destroy(arena);
}

static bool asks_no_border(const struct capture *program)
{
    for (uint32_t i = 0; i < program->code_count; i++)
        if (program->code[i].op == CAPTURE_ASSERT &&
            program->code[i].first == ASSERT_NO_WORD_BORDER)
            return true;
    return false;
}

static void follow(struct text pattern, struct text text, bool is_found)
{
    struct arena *arena = arena_create(64 << 20);
    struct pattern_fault fault;
    const struct capture *program = capture_program_create(pattern, arena, &fault);
    const struct positions *positions = NULL;
    uint32_t work;

    if (program != NULL && !asks_no_border(program))
        positions = positions_create(program, arena, arena, &work);
    if (positions != NULL && positions_search(positions, text) != is_found && is_ascii(text))
        abort();
    arena_destroy(arena);
}

static void ask(struct text pattern, struct text text)
{
    struct arena *arena = arena_create(64 << 20);
    struct pattern_table *table = pattern_table_create(arena);
    struct script script = {"fuzz.yaml", "x", 1};
    struct span span = {&script, 0, 1};
    struct text column = {"message", 7}, none = {"", 0};
    struct diagnostics diag;
    struct error err;
    struct pattern_set *set = NULL;
    static struct pattern_scan scan;
    uint32_t alone, kept, other;

    diagnostics_init(&diag, &err);
    if (!pattern_table_add(table, none, pattern, span, &diag, &alone) ||
        !pattern_table_add(table, column, pattern, span, &diag, &kept) ||
        !pattern_table_add(table, column, (struct text){"a[bc]", 5}, span, &diag, &other))
        abort();
    if (pattern_set_build(table, arena, &diag, &set)) {
        struct text prefix = pattern_table_prefix(table, kept);
        pattern_scan_start(&scan, set);
        bool is_found = pattern_scan_test(&scan, kept, text);
        if (is_found != pattern_scan_test(&scan, alone, text))
            abort();
        extract(pattern, text, is_found);
        follow(pattern, text, is_found);
        if (is_found && (text.len < prefix.len || memcmp(text.at, prefix.at, prefix.len) != 0))
            abort();
    } else if (diagnostics_finish(&diag) != -22 || strncmp(err.text, "fuzz.yaml:1:1: ", 15) != 0) {
        abort();
    }
    pattern_set_destroy(set);
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t bytes = end != NULL ? (size_t)(end - data) : size;
    struct text pattern = {(const char *)data, (uint32_t)bytes};
    struct text text = {"", 0};
    struct pattern_fault fault;

    if (bytes < size)
        text = (struct text){(const char *)data + bytes + 1, (uint32_t)(size - bytes - 1)};
    if (pattern_check(pattern, &fault))
        ask(pattern, text);
    else if (fault.from > fault.to || fault.to > bytes || fault.why[0] == '\0')
        abort();
    return 0;
}
