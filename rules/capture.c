/* capture.c - follows all ways of a program through a text. See capture.h. */
#include "rules/capture.h"

#include <assert.h>
#include <string.h>
#include "rules/capture_program.h"
#include "rules/capture_required.h"

enum {
    PLACE_NONE = UINT32_MAX,
    WIDE = 0x80,
    /* In shorter texts the program has said no as soon. */
    WORTH_A_LOOK_BYTES = 256,
};

uint32_t capture_count(const struct capture *capture)
{
    return capture->group_count;
}

struct text capture_name(const struct capture *capture, uint32_t group)
{
    return capture->name[group];
}

uint32_t capture_ns_per_byte(const struct capture *capture)
{
    return capture->ns_per_byte;
}

uint32_t capture_work(const struct capture *capture)
{
    return capture->work;
}

/* Ways that wait at an instruction which takes a character, or at the match, the preferred first;
 * and where each instruction stands among all that were looked at, which makes it a set that is
 * emptied at no cost. */
struct ways {
    uint32_t seen_count, count;
    uint16_t seen[CAPTURE_CODE_MAX];
    uint16_t seen_at[CAPTURE_CODE_MAX];
    uint16_t at[CAPTURE_CODE_MAX];
    uint32_t place[CAPTURE_CODE_MAX][CAPTURE_PLACES]; /* as `at` */
};

/* What is still to be followed: an instruction, or a place to be put back. */
struct pending {
    uint16_t at; /* CAPTURE_CODE_MAX: `slot` gets back `place` */
    uint16_t slot;
    uint32_t place;
};

struct capture_room {
    struct ways ways[2];
    struct pending pending[CAPTURE_CODE_MAX]; /* one of an instruction that was looked at */
};

struct search {
    const struct capture *capture;
    struct capture_room *room;
    struct text text;
    uint32_t at;           /* a place in the text */
    uint32_t before, here; /* the characters around it */
    uint32_t place[CAPTURE_PLACES];
};

size_t capture_room_bytes(void)
{
    return sizeof(struct capture_room);
}

static bool assertion_holds(const struct search *search, enum capture_assertion assertion)
{
    switch (assertion) {
    case ASSERT_TEXT_BEGIN:
        return search->at == 0;
    case ASSERT_TEXT_END:
        return search->at == search->text.len;
    case ASSERT_LINE_BEGIN:
        return search->at == 0 || search->before == '\n';
    case ASSERT_LINE_END:
        return search->at == search->text.len || search->here == '\n';
    default:
        return (capture_is_word(search->before) != capture_is_word(search->here)) ==
               (assertion == ASSERT_WORD_BORDER);
    }
}

/* True the first time. */
static bool ways_see(struct ways *ways, uint16_t at)
{
    uint16_t where = ways->seen_at[at];

    if (where < ways->seen_count && ways->seen[where] == at)
        return false;
    ways->seen_at[at] = (uint16_t)ways->seen_count;
    ways->seen[ways->seen_count++] = at;
    return true;
}

/* Most patterns have one group or two, for which a call would cost more than the copy. */
static inline void copy_places(uint32_t *restrict to, const uint32_t *restrict from,
                               uint32_t group_count)
{
    enum { INLINE_GROUPS = 2 };

    memcpy(to, from, 2 * INLINE_GROUPS * sizeof(uint32_t)); /* there is room for all groups */
    if (group_count > INLINE_GROUPS)
        memcpy(to, from, 2 * group_count * sizeof(uint32_t));
}

static void ways_add(struct search *search, struct ways *ways, uint16_t at)
{
    copy_places(ways->place[ways->count], search->place, search->capture->group_count);
    ways->at[ways->count++] = at;
}

/* Goes on from `at` with what is preferred, up to an instruction that takes a character, the match,
 * or one that was looked at; what is to be followed afterwards is pending. Returns how much. */
static uint32_t go_straight(struct search *search, struct ways *ways, uint16_t at,
                            struct pending *pending, uint32_t count)
{
    while (ways_see(ways, at)) {
        const struct capture_instruction *code = &search->capture->code[at];
        switch ((enum capture_opcode)code->op) {
        case CAPTURE_SPLIT:
            pending[count++] = (struct pending){.at = code->second};
            at = code->first;
            break;
        case CAPTURE_JUMP:
            at = code->first;
            break;
        case CAPTURE_SAVE:
            pending[count++] = (struct pending){
                .at = CAPTURE_CODE_MAX, .slot = code->first, .place = search->place[code->first]};
            search->place[code->first] = search->at;
            at++;
            break;
        case CAPTURE_ASSERT:
            if (!assertion_holds(search, (enum capture_assertion)code->first))
                return count;
            at++;
            break;
        default:
            ways_add(search, ways, at);
            return count;
        }
    }
    return count;
}

/* Follows what takes no character from `at` on, with search->place as it is there. */
static void follow(struct search *search, struct ways *ways, uint16_t at)
{
    struct pending *pending = search->room->pending;
    uint32_t count = go_straight(search, ways, at, pending, 0);

    while (count > 0) {
        struct pending next = pending[--count];
        if (next.at == CAPTURE_CODE_MAX)
            search->place[next.slot] = next.place;
        else
            count = go_straight(search, ways, next.at, pending, count);
    }
}

/* Takes each way over the character here, `bytes` long, to the ways behind it. Returns whether a
 * match was found: then its places are in `found`, and ways that are less preferred end. */
static bool go_on(struct search *search, const struct ways *from, struct ways *to, uint32_t bytes,
                  uint32_t *found)
{
    const struct capture *capture = search->capture;
    uint32_t at = search->at, before = search->before, here = search->here, length;

    to->count = to->seen_count = 0;
    /* What follows is behind the character. */
    search->at += bytes;
    search->before = here;
    search->here = capture_character_at(search->text, search->at, &length);
    for (uint32_t i = 0; i < from->count; i++) {
        const struct capture_instruction *code = &capture->code[from->at[i]];
        if (code->op == CAPTURE_MATCH) {
            copy_places(found, from->place[i], capture->group_count);
            search->at = at;
            search->before = before;
            search->here = here;
            return true;
        }
        if (here == CHARACTER_NONE || !capture_class_holds(&capture->classes[code->first], here))
            continue;
        copy_places(search->place, from->place[i], capture->group_count);
        follow(search, to, (uint16_t)(from->at[i] + 1));
    }
    search->at = at;
    search->before = before;
    search->here = here;
    return false;
}

/* The place from which on a match can begin at the earliest; text.len + 1 when there is none. What
 * stands before it is asked by nobody: a pattern with such a text begins with it. */
static uint32_t skip_to_prefix(const struct capture *capture, struct text text, uint32_t at)
{
    const char *found;

    if (capture->prefix.len == 0)
        return at;
    found = memmem(text.at + at, text.len - at, capture->prefix.at, capture->prefix.len);
    return found != NULL ? (uint32_t)(found - text.at) : text.len + 1;
}

/* The same by its first character. */
static void skip_to_first(struct search *search)
{
    const struct capture *capture = search->capture;
    uint32_t begin = search->at;
    unsigned char byte;

    if (!capture->has_first || capture->at_start)
        return;
    for (; search->at < search->text.len; search->at++) {
        byte = (unsigned char)search->text.at[search->at];
        if (byte < 0x80 ? (capture->first[byte / 64] >> byte % 64 & 1) != 0
                        : capture->first_is_wide)
            break;
    }
    if (search->at == begin)
        return;
    byte = (unsigned char)search->text.at[search->at - 1];
    search->before = byte < 0x80 ? byte : WIDE; /* all the same to assertions */
}

static bool search_run(struct search *search, uint32_t *found)
{
    const struct capture *capture = search->capture;
    struct ways *from = &search->room->ways[0], *to = &search->room->ways[1];
    bool is_found = false;
    uint32_t bytes;

    from->count = from->seen_count = 0;
    search->before = CHARACTER_NONE;
    for (search->at = 0; search->at <= search->text.len; search->at += bytes) {
        if (from->count == 0) {
            uint32_t here = search->at, begin = skip_to_prefix(capture, search->text, here);
            if (is_found || begin > search->text.len || (capture->at_start && begin > 0))
                break;
            search->at = begin;
            skip_to_first(search);
            if (search->at != here) /* what was seen was seen at another place */
                from->seen_count = 0;
        }
        search->here = capture_character_at(search->text, search->at, &bytes);
        if (!is_found && (!capture->at_start || search->at == 0)) {
            for (uint32_t i = 0; i < 2 * capture->group_count; i++)
                search->place[i] = PLACE_NONE;
            follow(search, from, 0); /* a match that begins here comes after all others */
        }
        if (go_on(search, from, to, bytes, found))
            is_found = true;
        if (bytes == 0 || (is_found && capture->group_count == 0))
            break;
        search->before = search->here;
        struct ways *swap = from;
        from = to;
        to = swap;
    }
    return is_found;
}

bool capture_search(const struct capture *capture, struct text text, struct capture_room *room,
                    struct text value[PATTERN_GROUPS_MAX])
{
    struct search search = {.capture = capture, .room = room, .text = text};
    uint32_t found[CAPTURE_PLACES];

    assert(text.len < CHARACTER_NONE);
    if (capture->part.len > 0 &&
        memmem(text.at, text.len, capture->part.at, capture->part.len) == NULL)
        return false;
    if (text.len >= WORTH_A_LOOK_BYTES && !capture_required_in(capture, text))
        return false;
    if (!search_run(&search, found))
        return false;
    for (uint32_t i = 0; i < capture->group_count; i++) {
        bool has = found[2 * i] != PLACE_NONE && found[2 * i + 1] != PLACE_NONE;
        value[i] = has ? (struct text){text.at + found[2 * i], found[2 * i + 1] - found[2 * i]}
                       : (struct text){NULL, 0};
    }
    return true;
}
