/*
 * random_pattern.h - random patterns with named groups, and what they hold, told by a matcher that
 * is slow and obvious.
 *
 * A pattern is made as a tree, which is printed for the engines under test and walked by the
 * matcher here: one way after the other in the order of preference, back from each that fails. Its
 * rules are those of RE2 and Go: the leftmost match, of those the way that is preferred; e{2,4} is
 * ee(e(e)?)?; e+ looks behind each e whether to begin another one; e* looks there and before the
 * first, at the same step, but where e may be nothing it is (e+)?; no step is taken twice at one
 * place, for what failed there fails again. From that follows what loops of nothing do: (|a)* and
 * (|a)+ take nothing of "aa", because nothing is preferred each time.
 *
 * All texts are made of random_words, so a class is the list of those of their characters that are
 * in it.
 */
#ifndef TESTS_RANDOM_PATTERN_H
#define TESTS_RANDOM_PATTERN_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    RANDOM_GROUPS_MAX = 16,
    RANDOM_TEXT_MAX = 100,
    RANDOM_PATTERN_BYTES = 8000,
    RANDOM_NODES_MAX = 2000,
    RANDOM_STEPS_MAX = 6000,
};

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static const char *const random_words[] = {
    "a", "b",        "c",        "A", "k",  "K", "\xe2\x84\xaa", "ab", "aa",
    " ", "\xc3\xa9", "\xc3\x89", "1", "\n", "-", "ba",           "_",  "abc"};

/* ---- what patterns are made of ---- */

enum random_leaf_kind { LEAF_TEXT, LEAF_ONE_OF, LEAF_NONE_OF, LEAF_PLACE, LEAF_TEXT_OR_NOTHING };

static const struct random_leaf {
    const char *written;
    enum random_leaf_kind kind;
    const char *of; /* the text, the characters, or the place as one letter */
} random_leaves[] = {
    {"a", LEAF_TEXT, "a"},
    {"b", LEAF_TEXT, "b"},
    {"c", LEAF_TEXT, "c"},
    {"ab", LEAF_TEXT, "ab"},
    {"k", LEAF_TEXT, "k"},
    {".", LEAF_NONE_OF, "\n"},
    {"\\d", LEAF_ONE_OF, "1"},
    {"\\w", LEAF_ONE_OF, "abcAkK1_"},
    {"\\W", LEAF_NONE_OF, "abcAkK1_"},
    {"\\s", LEAF_ONE_OF, " \n"},
    {"[ab]", LEAF_ONE_OF, "ab"},
    {"[^a]", LEAF_NONE_OF, "a"},
    {"[a-c]", LEAF_ONE_OF, "abc"},
    {"[^k]", LEAF_NONE_OF, "k"},
    {"^", LEAF_PLACE, "A"},
    {"$", LEAF_PLACE, "z"},
    {"\\A", LEAF_PLACE, "A"},
    {"\\z", LEAF_PLACE, "z"},
    {"\\b", LEAF_PLACE, "b"},
    {"\\B", LEAF_PLACE, "B"},
    {"(?i:k)", LEAF_ONE_OF, "kK\xe2\x84\xaa"},
    {"(?m:^)", LEAF_PLACE, "^"},
    {"(?m:$)", LEAF_PLACE, "$"},
    {"()", LEAF_TEXT, ""},
    {"(?i:A)", LEAF_ONE_OF, "aA"},
    {"\\x{e9}", LEAF_TEXT, "\xc3\xa9"},
    {"\n", LEAF_TEXT, "\n"},
    {"1", LEAF_TEXT, "1"},
    {"-", LEAF_TEXT, "-"},
    {"\\Qa\\E", LEAF_TEXT, "a"},
    {"[\\d\\s]", LEAF_ONE_OF, "1 \n"},
    {"\xc3\xa9", LEAF_TEXT, "\xc3\xa9"},
    {"(?:)", LEAF_TEXT, ""},
    {"(?s:.)", LEAF_NONE_OF, ""},
    {"(?i:[^b])", LEAF_NONE_OF, "b"},
    {"(?:a|)", LEAF_TEXT_OR_NOTHING, "a"},
};

static const struct random_times {
    const char *written;
    uint32_t min, max; /* max 0: as often as it goes */
    bool is_lazy;
} random_times[] = {{"*", 0, 0, false},     {"+", 1, 0, false},     {"?", 0, 1, false},
                    {"{2}", 2, 2, false},   {"{0,2}", 0, 2, false}, {"{1,}", 1, 0, false},
                    {"*?", 0, 0, true},     {"+?", 1, 0, true},     {"?\?", 0, 1, true},
                    {"{1,3}?", 1, 3, true}, {"{0,1}", 0, 1, false}, {"{2,}?", 2, 0, true}};

/* A side of a group is a chain of nodes. */
struct random_node {
    const struct random_leaf *leaf;   /* NULL: a group */
    const struct random_times *times; /* NULL: once */
    int group;                        /* -1: without a name */
    bool is_bar;                      /* the next side begins here */
    bool is_capture;                  /* a group that is kept, with or without a name */
    struct random_node *inside, *next;
};

struct random_pattern {
    char written[RANDOM_PATTERN_BYTES];
    int group_count;
    bool is_ungreedy;
    struct random_node *first;
    uint32_t node_count;
    struct random_node nodes[RANDOM_NODES_MAX];
};

static void random_write(struct random_pattern *pattern, const char *word)
{
    assert(strlen(pattern->written) + strlen(word) < RANDOM_PATTERN_BYTES);
    strcat(pattern->written, word);
}

static struct random_node *random_inside(struct random_pattern *pattern, int depth)
{
    uint32_t count = random_below(4) + (depth == 0);
    struct random_node *first = NULL, **at = &first;

    for (uint32_t i = 0; i < count && pattern->node_count < RANDOM_NODES_MAX; i++) {
        struct random_node *node = &pattern->nodes[pattern->node_count++];
        uint32_t what = random_below(14);
        *node = (struct random_node){.group = -1, .is_bar = what == 6};
        *at = node;
        at = &node->next;
        if (node->is_bar) {
            random_write(pattern, "|");
            continue;
        }
        if (what < 6 && depth < 4) {
            char head[16];
            if (what > 1 && pattern->group_count < RANDOM_GROUPS_MAX)
                node->group = pattern->group_count++;
            node->is_capture = node->group >= 0 || what == 0;
            snprintf(head, sizeof(head), "(?P<g%d>", node->group);
            random_write(pattern, node->group >= 0 ? head : node->is_capture ? "(" : "(?:");
            node->inside = random_inside(pattern, depth + 1);
            random_write(pattern, ")");
        } else {
            node->leaf =
                &random_leaves[random_below(sizeof(random_leaves) / sizeof(random_leaves[0]))];
            random_write(pattern, node->leaf->written);
        }
        what = random_below(24);
        if (what < sizeof(random_times) / sizeof(random_times[0])) {
            node->times = &random_times[what];
            random_write(pattern, node->times->written);
        }
    }
    return first;
}

static void random_pattern_make(struct random_pattern *pattern)
{
    pattern->is_ungreedy = random_below(8) == 0;
    pattern->group_count = 0;
    pattern->node_count = 0;
    strcpy(pattern->written, pattern->is_ungreedy ? "(?U)" : "");
    pattern->first = random_inside(pattern, 0);
}

static void random_text_make(char text[RANDOM_TEXT_MAX])
{
    text[0] = '\0';
    for (uint32_t n = random_below(8); n > 0; n--)
        strcat(text, random_words[random_below(sizeof(random_words) / sizeof(random_words[0]))]);
}

/* ---- the defect of RE2 ---- */

static bool random_chain_may_be_empty(const struct random_node *node,
                                      const struct random_node *end);

static bool random_may_be_empty(const struct random_node *node)
{
    if (node->times != NULL && node->times->min == 0)
        return true;
    if (node->leaf != NULL)
        return node->leaf->kind == LEAF_PLACE || node->leaf->kind == LEAF_TEXT_OR_NOTHING ||
               (node->leaf->kind == LEAF_TEXT && node->leaf->of[0] == '\0');
    return random_chain_may_be_empty(node->inside, NULL);
}

/* One side of it is enough. */
static bool random_chain_may_be_empty(const struct random_node *node, const struct random_node *end)
{
    bool may_be_empty = true;

    for (; node != end; node = node->next)
        if (node->is_bar && may_be_empty)
            return true;
        else
            may_be_empty = node->is_bar || (may_be_empty && random_may_be_empty(node));
    return may_be_empty;
}

static bool random_has_loop(const struct random_node *chain)
{
    for (const struct random_node *node = chain; node != NULL; node = node->next)
        if (!node->is_bar && ((node->times != NULL && node->times->max == 0) ||
                              (node->leaf == NULL && random_has_loop(node->inside))))
            return true;
    return false;
}

/* RE2 as of June 2022 contradicts its own rule in loops like (|a+)*: it takes all of "aa" where
 * (|a+)+ and (|a)* take nothing, as the rule says, and Go's regexp with it. When it flattens its
 * program (Prog::Flatten), a step that is reached from two lists has to head a list of its own; it
 * looks for such steps once and does not look again behind those that it found. So where a loop in
 * the body leads back into the split of the outer loop, what stands in the body's lists may be in
 * another order than it was tried in; so too in (()((?:a+?)??)?)+b, where a step lies between.
 * Which of these it gets wrong hangs on the rest of the pattern. */
static bool random_meets_defect(const struct random_node *chain)
{
    for (const struct random_node *node = chain; node != NULL; node = node->next) {
        if (node->is_bar || node->leaf != NULL)
            continue;
        if (node->times != NULL && node->times->max == 0 &&
            random_chain_may_be_empty(node->inside, NULL) && random_has_loop(node->inside))
            return true;
        if (random_meets_defect(node->inside))
            return true;
    }
    return false;
}

/* The same RE2 makes one class of the sides [ab]|(?i:A), and forgets the other case. */
static bool random_re2_errs(const struct random_pattern *pattern)
{
    return random_meets_defect(pattern->first) ||
           (strchr(pattern->written, '|') != NULL && (strstr(pattern->written, "(?i:A)") != NULL ||
                                                      strstr(pattern->written, "(?i:k)") != NULL));
}

/* ---- the matcher ---- */

enum random_step_kind { STEP_SPLIT, STEP_ONE_OF, STEP_NONE_OF, STEP_PLACE, STEP_SAVE, STEP_END };

struct random_step {
    enum random_step_kind kind;
    char of[16];
    int slot;
    int next, other; /* `other` of a split: when `next` failed */
};

struct random_matcher {
    bool is_ungreedy, is_too_large;
    int step_count;
    struct random_step steps[RANDOM_STEPS_MAX];
    const char *text;
    int place[2 * RANDOM_GROUPS_MAX];
    bool tried[RANDOM_STEPS_MAX][RANDOM_TEXT_MAX];
};

/* Steps are made from the end to the beginning: each knows where it leads. */
static int random_step(struct random_matcher *matcher, struct random_step step)
{
    if (matcher->step_count == RANDOM_STEPS_MAX) {
        matcher->is_too_large = true;
        return 0;
    }
    matcher->steps[matcher->step_count] = step;
    return matcher->step_count++;
}

static uint32_t random_character_bytes(const char *at)
{
    unsigned char first = (unsigned char)*at;

    return first == '\0' ? 0 : first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static int random_text_steps(struct random_matcher *matcher, const char *text, int next)
{
    struct random_step step = {.kind = STEP_ONE_OF};
    uint32_t bytes = random_character_bytes(text);

    if (bytes == 0)
        return next;
    step.next = random_text_steps(matcher, text + bytes, next);
    memcpy(step.of, text, bytes);
    return random_step(matcher, step);
}

static int random_chain_steps(struct random_matcher *matcher, const struct random_node *chain,
                              int next);

static int random_leaf_steps(struct random_matcher *matcher, const struct random_leaf *leaf,
                             int next)
{
    struct random_step step = {.kind = leaf->kind == LEAF_PLACE     ? STEP_PLACE
                                       : leaf->kind == LEAF_NONE_OF ? STEP_NONE_OF
                                                                    : STEP_ONE_OF,
                               .next = next};

    if (leaf->kind == LEAF_TEXT)
        return random_text_steps(matcher, leaf->of, next);
    if (leaf->kind == LEAF_TEXT_OR_NOTHING)
        return random_step(matcher,
                           (struct random_step){.kind = STEP_SPLIT,
                                                .next = random_text_steps(matcher, leaf->of, next),
                                                .other = next});
    snprintf(step.of, sizeof(step.of), "%s", leaf->of);
    return random_step(matcher, step);
}

static int random_once_steps(struct random_matcher *matcher, const struct random_node *node,
                             int next)
{
    if (node->leaf != NULL)
        return random_leaf_steps(matcher, node->leaf, next);
    if (node->group >= 0)
        next = random_step(
            matcher,
            (struct random_step){.kind = STEP_SAVE, .slot = 2 * node->group + 1, .next = next});
    next = random_chain_steps(matcher, node->inside, next);
    if (node->group >= 0)
        next = random_step(matcher, (struct random_step){
                                        .kind = STEP_SAVE, .slot = 2 * node->group, .next = next});
    return next;
}

static int random_split(struct random_matcher *matcher, bool is_lazy, int inside, int behind)
{
    return random_step(matcher, (struct random_step){.kind = STEP_SPLIT,
                                                     .next = is_lazy ? behind : inside,
                                                     .other = is_lazy ? inside : behind});
}

static int random_repeated_steps(struct random_matcher *matcher, const struct random_node *node,
                                 int next)
{
    const struct random_times *times = node->times;
    bool is_lazy = times->is_lazy != matcher->is_ungreedy;
    int behind = next, copies = (int)times->min;

    if (times->max == 0) {
        struct random_node once = *node;
        once.times = NULL;
        int loop = random_split(matcher, is_lazy, 0, behind);
        next = random_once_steps(matcher, node, loop);
        if (is_lazy)
            matcher->steps[loop].other = next;
        else
            matcher->steps[loop].next = next;
        if (times->min == 0)
            next = random_may_be_empty(&once) ? random_split(matcher, is_lazy, next, behind) : loop;
        copies--;
    }
    for (uint32_t i = times->min; i < times->max; i++)
        next = random_split(matcher, is_lazy, random_once_steps(matcher, node, next), behind);
    for (; copies > 0; copies--)
        next = random_once_steps(matcher, node, next);
    return next;
}

/* A repetition that follows a leaf of several characters means the last of them. */
static int random_node_steps(struct random_matcher *matcher, const struct random_node *node,
                             int next)
{
    static const struct random_leaf b = {"b", LEAF_TEXT, "b"}, a = {"a", LEAF_TEXT, "a"};

    if (node->times == NULL)
        return random_once_steps(matcher, node, next);
    if (node->leaf != NULL && strcmp(node->leaf->written, "ab") == 0) {
        struct random_node last = *node;
        last.leaf = &b;
        return random_leaf_steps(matcher, &a, random_repeated_steps(matcher, &last, next));
    }
    return random_repeated_steps(matcher, node, next);
}

/* The nodes up to `end` from the last to the first. */
static int random_side_steps(struct random_matcher *matcher, const struct random_node *node,
                             const struct random_node *end, int next)
{
    if (node == end)
        return next;
    return random_node_steps(matcher, node, random_side_steps(matcher, node->next, end, next));
}

static int random_chain_steps(struct random_matcher *matcher, const struct random_node *chain,
                              int next)
{
    const struct random_node *bar = chain;

    while (bar != NULL && !bar->is_bar)
        bar = bar->next;
    int side = random_side_steps(matcher, chain, bar, next);
    if (bar == NULL)
        return side;
    return random_split(matcher, false, side, random_chain_steps(matcher, bar->next, next));
}

static bool random_is_word(const char *text, int at)
{
    return at >= 0 && text[at] != '\0' && strchr("abcAkK1_", text[at]) != NULL;
}

static bool random_place_is(const char *text, int at, char place)
{
    bool is_border = random_is_word(text, at - 1) != random_is_word(text, at);

    switch (place) {
    case 'A':
        return at == 0;
    case 'z':
        return text[at] == '\0';
    case '^':
        return at == 0 || text[at - 1] == '\n';
    case '$':
        return text[at] == '\0' || text[at] == '\n';
    default:
        return is_border == (place == 'b');
    }
}

static bool random_is_one_of(const char *of, const char *character, uint32_t bytes)
{
    for (uint32_t step; (step = random_character_bytes(of)) > 0; of += step)
        if (step == bytes && memcmp(of, character, bytes) == 0)
            return true;
    return false;
}

static bool random_try(struct random_matcher *matcher, int index, int at)
{
    const struct random_step *step = &matcher->steps[index];
    const char *text = matcher->text;
    uint32_t bytes = random_character_bytes(text + at);

    if (matcher->tried[index][at])
        return false;
    matcher->tried[index][at] = true;
    switch (step->kind) {
    case STEP_SPLIT:
        return random_try(matcher, step->next, at) || random_try(matcher, step->other, at);
    case STEP_ONE_OF:
    case STEP_NONE_OF:
        return bytes > 0 &&
               random_is_one_of(step->of, text + at, bytes) == (step->kind == STEP_ONE_OF) &&
               random_try(matcher, step->next, at + (int)bytes);
    case STEP_PLACE:
        return random_place_is(text, at, step->of[0]) && random_try(matcher, step->next, at);
    case STEP_SAVE: {
        int before = matcher->place[step->slot];
        matcher->place[step->slot] = at;
        if (random_try(matcher, step->next, at))
            return true;
        matcher->place[step->slot] = before;
        return false;
    }
    case STEP_END:
        break;
    }
    return true;
}

/* Where the groups lie in `text`, -1 for one that took no part; 1 found, 0 not found, -1 the
 * pattern takes more steps than there is room for. */
static int random_pattern_groups(const struct random_pattern *pattern, const char *text,
                                 int place[2 * RANDOM_GROUPS_MAX])
{
    static struct random_matcher matcher;
    int found = 0, first;

    matcher.is_ungreedy = pattern->is_ungreedy;
    matcher.is_too_large = false;
    matcher.step_count = 0;
    matcher.text = text;
    first = random_step(&matcher, (struct random_step){.kind = STEP_END});
    first = random_chain_steps(&matcher, pattern->first, first);
    if (matcher.is_too_large)
        return -1;
    memset(matcher.tried, 0, (size_t)matcher.step_count * sizeof(matcher.tried[0]));
    for (int i = 0; i < 2 * RANDOM_GROUPS_MAX; i++)
        matcher.place[i] = -1;
    for (int at = 0; !found; at += (int)random_character_bytes(text + at)) {
        found = random_try(&matcher, first, at);
        if (text[at] == '\0')
            break;
    }
    memcpy(place, matcher.place, sizeof(matcher.place));
    return found;
}

#endif
