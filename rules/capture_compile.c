/*
 * capture_compile.c - a pattern's written form into a program. See capture.h.
 *
 * A repetition is a piece compiled several times from the same bytes.
 */
#include <stdio.h>
#include <string.h>
#include "rules/capture_program.h"
#include "rules/capture_required.h"
#include "rules/capture_run.h"
#include "rules/capture_written.h"

struct compiler {
    const char *text; /* the written form */
    struct arena *arena;
    struct capture_instruction code[CAPTURE_PROGRAM_MAX];
    struct capture_class classes[CAPTURE_PROGRAM_MAX];
    struct written_classes written;
    uint32_t code_count, class_count;
    bool has_no_groups; /* which match is found does not matter */
    bool is_too_large, is_out_of_memory;
};

static uint16_t emit(struct compiler *compiler, enum capture_opcode op, uint32_t first)
{
    if (compiler->code_count == CAPTURE_PROGRAM_MAX) {
        compiler->is_too_large = true;
        return 0;
    }
    compiler->code[compiler->code_count] =
        (struct capture_instruction){.op = (uint8_t)op, .first = (uint16_t)first};
    return (uint16_t)compiler->code_count++;
}

static bool starts(const struct compiler *compiler, uint32_t at, const char *word)
{
    return strncmp(compiler->text + at, word, strlen(word)) == 0;
}

/* A character of the class. One that was kept a while ago is not kept again, as in (x[0-9]){100}.
 */
static void emit_class(struct compiler *compiler, const struct capture_class *class)
{
    enum { LOOKED_AT = 64 };
    uint32_t count = compiler->class_count, known = count;
    uint32_t first = count > LOOKED_AT ? count - LOOKED_AT : 0;

    while (known > first && !capture_class_is(&compiler->classes[known - 1], class))
        known--;
    if (known > first) {
        emit(compiler, CAPTURE_CHARACTER, known - 1);
    } else if (count == CAPTURE_PROGRAM_MAX) {
        compiler->is_too_large = true;
    } else {
        compiler->classes[count] = *class;
        compiler->class_count++;
        emit(compiler, CAPTURE_CHARACTER, count);
    }
}

/* The piece from `at` to `end`, which is one class. */
static void emit_one(struct compiler *compiler, uint32_t at, uint32_t end)
{
    struct capture_class class;

    if (!written_class(compiler->text, at, end, &compiler->written, &class))
        compiler->is_too_large = compiler->is_out_of_memory = true;
    else
        emit_class(compiler, &class);
}

static void emit_alternation(struct compiler *compiler, uint32_t at, uint32_t end);

/* "(?:", "(?P<3>", "(?m:^)", "(?m:$)" */
static void emit_group(struct compiler *compiler, uint32_t at, uint32_t end)
{
    uint32_t group = 0;

    if (starts(compiler, at, "(?m:")) {
        emit(compiler, CAPTURE_ASSERT,
             compiler->text[at + 4] == '^' ? ASSERT_LINE_BEGIN : ASSERT_LINE_END);
        return;
    }
    if (starts(compiler, at, "(?:")) {
        emit_alternation(compiler, at + 3, end - 1);
        return;
    }
    for (at += 4; compiler->text[at] != '>'; at++)
        group = group * 10 + (uint32_t)(compiler->text[at] - '0');
    emit(compiler, CAPTURE_SAVE, 2 * group);
    emit_alternation(compiler, at + 1, end - 1);
    emit(compiler, CAPTURE_SAVE, 2 * group + 1);
}

static void emit_piece(struct compiler *compiler, uint32_t at, uint32_t end)
{
    static const struct {
        const char *word;
        enum capture_assertion assertion;
    } assertions[] = {{"\\A", ASSERT_TEXT_BEGIN},
                      {"\\z", ASSERT_TEXT_END},
                      {"\\b", ASSERT_WORD_BORDER},
                      {"\\B", ASSERT_NO_WORD_BORDER}};

    for (size_t i = 0; i < sizeof(assertions) / sizeof(assertions[0]); i++)
        if (starts(compiler, at, assertions[i].word)) {
            emit(compiler, CAPTURE_ASSERT, assertions[i].assertion);
            return;
        }
    if (written_is_class(compiler->text, at))
        emit_one(compiler, at, end);
    else
        emit_group(compiler, at, end);
}

/* The other way of a split is what comes next. */
static void split_here(struct compiler *compiler, uint16_t split, bool is_lazy)
{
    struct capture_instruction *at = &compiler->code[split];
    uint16_t inside = (uint16_t)(split + 1), behind = (uint16_t)compiler->code_count;

    if (compiler->is_too_large)
        return;
    at->first = is_lazy ? behind : inside;
    at->second = is_lazy ? inside : behind;
}

static bool sides_may_be_empty(const struct compiler *compiler, uint32_t at, uint32_t end);

/* Can the piece match without taking a character? */
static bool piece_may_be_empty(const struct compiler *compiler, uint32_t at, uint32_t end)
{
    const char *text = compiler->text;

    if (text[at] == '\\')
        return text[at + 1] != 'x';
    if (written_is_class(text, at))
        return false;
    if (starts(compiler, at, "(?m:"))
        return true;
    at += (uint32_t)strcspn(text + at, ":>") + 1;
    return sides_may_be_empty(compiler, at, end - 1);
}

static bool sides_may_be_empty(const struct compiler *compiler, uint32_t at, uint32_t end)
{
    bool may_be_empty = true;

    while (at < end) {
        struct written_times times;
        uint32_t behind;
        if (compiler->text[at] == '|') {
            if (may_be_empty)
                return true;
            may_be_empty = true;
            at++;
            continue;
        }
        behind = written_piece_end(compiler->text, at);
        bool is_empty = piece_may_be_empty(compiler, at, behind);
        at = written_times_at(compiler->text, behind, &times);
        may_be_empty = may_be_empty && (is_empty || times.min == 0);
    }
    return may_be_empty;
}

/* As often as it goes, but once at least. */
static void emit_plus(struct compiler *compiler, uint32_t at, uint32_t end, bool is_lazy)
{
    uint32_t begin = compiler->code_count;
    uint16_t split;

    emit_piece(compiler, at, end);
    split = emit(compiler, CAPTURE_SPLIT, 0);
    if (compiler->is_too_large)
        return;
    compiler->code[split].first = (uint16_t)(is_lazy ? split + 1u : begin);
    compiler->code[split].second = (uint16_t)(is_lazy ? begin : split + 1u);
}

/* The loop looks at one place whether to go on. Where the piece may be empty, RE2 takes x* for
 * (x+)?: which empty match is preferred depends on it. */
static void emit_star(struct compiler *compiler, uint32_t at, uint32_t end, bool is_lazy)
{
    uint16_t split = emit(compiler, CAPTURE_SPLIT, 0);

    if (piece_may_be_empty(compiler, at, end)) {
        emit_plus(compiler, at, end, is_lazy);
    } else {
        emit_piece(compiler, at, end);
        emit(compiler, CAPTURE_JUMP, split);
    }
    split_here(compiler, split, is_lazy);
}

/* x{2,4} is xx(x(x)?)?: all splits leave for the same end. */
static void emit_counted(struct compiler *compiler, uint32_t at, uint32_t end, uint32_t min,
                         uint32_t max, bool is_lazy)
{
    uint16_t splits[PATTERN_REPEAT_MAX];
    uint32_t split_count = 0;

    for (uint32_t i = 0; i < min && !compiler->is_too_large; i++)
        emit_piece(compiler, at, end);
    for (uint32_t i = min; i < max && !compiler->is_too_large; i++) {
        uint16_t split = emit(compiler, CAPTURE_SPLIT, 0);
        emit_piece(compiler, at, end);
        splits[split_count++] = split;
        compiler->code[split].is_run =
            compiler->code_count == split + 2u && compiler->code[split + 1].op == CAPTURE_CHARACTER;
    }
    while (split_count > 0)
        split_here(compiler, splits[--split_count], is_lazy);
}

/* x{2,} is xx+. */
static void emit_at_least(struct compiler *compiler, uint32_t at, uint32_t end, uint32_t min,
                          bool is_lazy)
{
    for (uint32_t i = 1; i < min && !compiler->is_too_large; i++)
        emit_piece(compiler, at, end);
    emit_plus(compiler, at, end, is_lazy);
}

static void emit_class_times(struct compiler *compiler, const struct capture_class *class,
                             uint32_t times)
{
    for (uint32_t i = 0; i < times && !compiler->is_too_large; i++)
        emit_class(compiler, class);
}

/* Some characters of one class, in place of a group that is no more than that. */
static void emit_run(struct compiler *compiler, const struct capture_run *run)
{
    uint16_t splits[CAPTURE_PROGRAM_MAX];
    uint32_t split_count = 0;

    if (run->max == UINT32_MAX) {
        emit_class_times(compiler, &run->class, run->min);
        splits[split_count++] = emit(compiler, CAPTURE_SPLIT, 0);
        emit_class(compiler, &run->class);
        emit(compiler, CAPTURE_JUMP, splits[0]);
    } else {
        emit_class_times(compiler, &run->class, run->min);
        for (uint32_t i = run->min; i < run->max && !compiler->is_too_large; i++) {
            splits[split_count] = emit(compiler, CAPTURE_SPLIT, 0);
            compiler->code[splits[split_count++]].is_run = true;
            emit_class(compiler, &run->class);
        }
    }
    while (split_count > 0)
        split_here(compiler, splits[--split_count], false);
}

/* The piece from `at` to `end` with what follows it; returns what is behind. */
static uint32_t emit_repeated(struct compiler *compiler, uint32_t at, uint32_t end)
{
    struct written_times times;
    uint32_t behind = written_times_at(compiler->text, end, &times);
    struct capture_run run;

    if (compiler->has_no_groups && compiler->text[at] == '(' &&
        capture_run_find(compiler->text, at, behind, &compiler->written, &run)) {
        emit_run(compiler, &run);
        return behind;
    }
    if (behind == end)
        emit_piece(compiler, at, end);
    else if (times.max != UINT32_MAX)
        emit_counted(compiler, at, end, times.min, times.max, times.is_lazy);
    else if (times.min == 0)
        emit_star(compiler, at, end, times.is_lazy);
    else
        emit_at_least(compiler, at, end, times.min, times.is_lazy);
    return behind;
}

/* Sides of which the first that leads to a match is taken. */
static void emit_alternation(struct compiler *compiler, uint32_t at, uint32_t end)
{
    uint16_t jumps[PATTERN_BYTES_MAX];
    uint32_t jump_count = 0, side;

    for (; !compiler->is_too_large; at = side + 1) {
        uint16_t split = 0;
        side = written_side_end(compiler->text, at, end);
        if (side < end)
            split = emit(compiler, CAPTURE_SPLIT, 0);
        while (at < side && !compiler->is_too_large)
            at = emit_repeated(compiler, at, written_piece_end(compiler->text, at));
        if (side == end)
            break;
        jumps[jump_count++] = emit(compiler, CAPTURE_JUMP, 0);
        split_here(compiler, split, false);
    }
    while (!compiler->is_too_large && jump_count > 0)
        compiler->code[jumps[--jump_count]].first = (uint16_t)compiler->code_count;
}

/* ---- making ---- */

static const void *copy_of(struct compiler *compiler, const void *from, size_t count, size_t bytes)
{
    void *copy = arena_alloc_many(compiler->arena, count + 1, bytes);

    if (copy == NULL)
        compiler->is_out_of_memory = true;
    else
        memcpy(copy, from, count * bytes);
    return copy;
}

static struct text text_copy(struct compiler *compiler, const char *from, uint32_t bytes)
{
    return (struct text){copy_of(compiler, from, bytes, 1), bytes};
}

/* What can be looked for without the program. */
static void keep_texts(struct compiler *compiler, const struct pattern *pattern,
                       struct capture *capture)
{
    uint32_t longest = 0;

    capture->at_start = pattern->at_start;
    if (!pattern->at_start)
        capture->prefix = text_copy(compiler, pattern->literal, pattern->literal_bytes);
    if (pattern->part_count == 0)
        return;
    for (uint32_t i = 1; i < pattern->part_count; i++)
        if (pattern->part[i].bytes > pattern->part[longest].bytes)
            longest = i;
    capture->part = text_copy(compiler, pattern->parts + pattern->part[longest].from,
                              pattern->part[longest].bytes);
}

static void keep_required(struct compiler *compiler, struct capture *capture)
{
    uint16_t required[CAPTURE_PROGRAM_MAX];

    capture->required_count = capture_required_find(compiler->code, compiler->code_count, required);
    capture->required = copy_of(compiler, required, capture->required_count, sizeof(required[0]));
}

static void first_add(struct capture *capture, const struct capture_class *class)
{
    capture->first[0] |= class->ascii[0];
    capture->first[1] |= class->ascii[1];
    capture->first_is_wide |= class->range_count > 0;
}

/* Marks what is reached from the begin on without a character, by assertions of the set alone. */
static void find_reached(const struct capture *capture, unsigned assertions,
                         bool seen[CAPTURE_PROGRAM_MAX])
{
    uint16_t pending[2 * CAPTURE_PROGRAM_MAX + 1] = {0};
    uint32_t count = 1;

    while (count > 0) {
        uint16_t at = pending[--count];
        const struct capture_instruction *code = &capture->code[at];
        if (seen[at])
            continue;
        seen[at] = true;
        switch ((enum capture_opcode)code->op) {
        case CAPTURE_CHARACTER:
        case CAPTURE_MATCH:
            break;
        case CAPTURE_SPLIT:
            pending[count++] = code->second;
            pending[count++] = code->first;
            break;
        case CAPTURE_JUMP:
            pending[count++] = code->first;
            break;
        case CAPTURE_ASSERT:
            if (assertions >> code->first & 1)
                pending[count++] = (uint16_t)(at + 1);
            break;
        case CAPTURE_SAVE:
            pending[count++] = (uint16_t)(at + 1);
        }
    }
}

/* What stands last in the program is the match. */
static void find_first(struct capture *capture)
{
    bool seen[CAPTURE_PROGRAM_MAX] = {false}, between[CAPTURE_PROGRAM_MAX] = {false};

    find_reached(capture, ~0u, seen);
    for (uint32_t i = 0; i < capture->code_count; i++)
        if (seen[i] && capture->code[i].op == CAPTURE_CHARACTER)
            first_add(capture, &capture->classes[capture->code[i].first]);
    capture->has_first = !seen[capture->code_count - 1];
    if (capture->has_first)
        return;
    find_reached(capture, 1u << ASSERT_NO_WORD_BORDER, between);
    capture->splits_characters = between[capture->code_count - 1];
}

/* As measured of some twenty patterns all of whose steps are alive all the time: a look at each,
 * and of those that take a character a copy of the places. */
static uint32_t ns_per_byte(const struct capture *capture)
{
    uint32_t tenths = 200 + 33 * capture->code_count;

    for (uint32_t i = 0; i < capture->code_count; i++)
        if (capture->code[i].op == CAPTURE_CHARACTER)
            tenths += 3 * capture->group_count;
    return tenths / 10;
}

static struct capture *too_large(struct text text, struct pattern_fault *fault)
{
    *fault = (struct pattern_fault){0, text.len, ""};
    snprintf(fault->why, sizeof(fault->why),
             "the pattern is too large to extract with: it takes more than %d steps",
             CAPTURE_CODE_MAX);
    return NULL;
}

struct capture *capture_program_create(struct text text, struct arena *arena,
                                       struct pattern_fault *fault)
{
    struct pattern pattern;
    struct pattern_groups groups;
    struct compiler compiler; /* what is read of its code is written first */
    struct capture *capture = arena_alloc(arena, sizeof(*capture));

    compiler.text = pattern.written;
    compiler.arena = arena;
    compiler.code_count = compiler.class_count = 0;
    compiler.written.arena = arena;
    compiler.written.work = compiler.written.count = 0;
    compiler.is_too_large = compiler.is_out_of_memory = false;
    fault->why[0] = '\0';
    if (capture == NULL || !pattern_read_groups(text, &pattern, &groups, fault))
        return NULL;
    compiler.has_no_groups = groups.count == 0;
    emit_alternation(&compiler, 0, pattern.bytes);
    emit(&compiler, CAPTURE_MATCH, 0);
    if (compiler.is_too_large && !compiler.is_out_of_memory)
        return too_large(text, fault);
    capture->code_count = compiler.code_count;
    capture->class_count = compiler.class_count;
    capture->work = compiler.written.work;
    capture->code =
        copy_of(&compiler, compiler.code, compiler.code_count, sizeof(compiler.code[0]));
    capture->classes =
        copy_of(&compiler, compiler.classes, compiler.class_count, sizeof(compiler.classes[0]));
    keep_texts(&compiler, &pattern, capture);
    keep_required(&compiler, capture);
    capture->group_count = groups.count;
    if (!compiler.is_out_of_memory) {
        find_first(capture);
        capture->ns_per_byte = ns_per_byte(capture);
    }
    for (uint32_t i = 0; i < groups.count; i++)
        capture->name[i] =
            text_copy(&compiler, text.at + groups.group[i].from, groups.group[i].bytes);
    return compiler.is_out_of_memory ? NULL : capture;
}

struct capture *capture_create(struct text text, struct arena *arena, struct pattern_fault *fault)
{
    struct capture *capture = capture_program_create(text, arena, fault);

    if (capture != NULL && capture->code_count > CAPTURE_CODE_MAX)
        return too_large(text, fault);
    if (capture == NULL || capture->group_count > 0)
        return capture;
    *fault = (struct pattern_fault){0, text.len, ""};
    snprintf(fault->why, sizeof(fault->why),
             "the pattern has no named group, (?P<name>...), to extract");
    return NULL;
}
