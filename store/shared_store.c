/*
 * shared_store.c - see shared_store.h.
 *
 * What changes anything is a script: Redis runs one as a whole or not at all. Each gives a list
 * that begins with an `enum said`.
 */
#include "store/shared_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "store/crc32c.h"

enum said { SAID_DONE, SAID_FENCED, SAID_LOST, SAID_TAKEN, SAID_APART, SAID_NO_FENCE, SAID_COUNT };

/* KEYS: lease, fence, owner. ARGV: owner. Changes nothing. Gives the number, and who was the owner;
 * where another has the lease for how long, and whose it is. */
static const char WHOSE[] = "local held = redis.call('get', KEYS[1])\n"
                            "local fence = redis.call('get', KEYS[2]) or '0'\n"
                            "if held and string.match(held, '^%d+ (.*)$') ~= ARGV[1] then\n"
                            "  return {3, fence, redis.call('pttl', KEYS[1]), held}\n"
                            "end\n"
                            "return {0, fence, redis.call('get', KEYS[3]) or ''}\n";

/* KEYS: lease, fence, owner. ARGV: owner, lease in ms, greatest fence that the owner knows of, the
 * one that it has to be behind or nothing. Gives the number, and who was the owner before. One that
 * comes behind another, or behind nobody knows whom, is noted with a mark until it has told all
 * that is in doubt: its next question, if the answer was lost, or its next start, is answered as
 * this one. */
static const char TAKE[] = "local held = redis.call('get', KEYS[1])\n"
                           "if held and string.match(held, '^%d+ (.*)$') ~= ARGV[1] then\n"
                           "  return {3, held}\n"
                           "end\n"
                           "local fence = tonumber(redis.call('get', KEYS[2]) or '0')\n"
                           "if not fence then return {5} end\n"
                           "if ARGV[4] ~= '' and fence ~= tonumber(ARGV[4]) then\n"
                           "  return {3, string.format('number %.0f', fence)}\n"
                           "end\n"
                           "if fence < tonumber(ARGV[3]) then fence = tonumber(ARGV[3]) end\n"
                           "fence = string.format('%.0f', fence + 1)\n"
                           "local former = redis.call('get', KEYS[3]) or ''\n"
                           "redis.call('set', KEYS[2], fence)\n"
                           "local mark = ARGV[1]\n"
                           "if former ~= '-' and former ~= ARGV[1] then mark = mark .. '*' end\n"
                           "redis.call('set', KEYS[3], mark)\n"
                           "redis.call('set', KEYS[1], fence .. ' ' .. ARGV[1], 'px', ARGV[2])\n"
                           "return {0, fence, former}\n";

/* KEYS[2..3]: lease, owner. ARGV: fence, owner, lease in ms or 0 to let it go, what to note as the
 * owner from now on or nothing. */
static const char KEEP[] =
    UNDER_FENCE "if ARGV[3] == '0' then redis.call('del', KEYS[2])\n"
                "else redis.call('set', KEYS[2], ARGV[1] .. ' ' .. ARGV[2], 'px', ARGV[3]) end\n"
                "if ARGV[4] ~= '' then redis.call('set', KEYS[3], ARGV[4]) end\n"
                "return {0}\n";

/* KEYS[2..4]: end, journal, open. ARGV: fence, end before, end after, number, kind, chain, payload,
 * and pairs of an incident's id and its record. */
static const char PUT[] =
    UNDER_FENCE "local last = redis.call('get', KEYS[2]) or '0 0'\n"
                "if last == ARGV[3] then return {0} end\n"
                "if last ~= ARGV[2] then return {4, last} end\n"
                "redis.call('xadd', KEYS[3], ARGV[4] .. '-0', 'kind', ARGV[5], 'chain', ARGV[6],\n"
                "           'fence', ARGV[1], 'payload', ARGV[7])\n"
                "redis.call('set', KEYS[2], ARGV[3])\n"
                "for i = 8, #ARGV, 2 do\n"
                "  if ARGV[i + 1] == '' then redis.call('hdel', KEYS[4], ARGV[i])\n"
                "  else redis.call('hset', KEYS[4], ARGV[i], ARGV[i + 1]) end\n"
                "end\n"
                "return {0}\n";

/* KEYS[2..7]: end, journal, open, end and log of the intake, image. ARGV: fence, and of the frame
 * that the journal begins with, if it does not begin with the first: end behind it, number, kind,
 * chain, payload. */
static const char CLEAR[] = UNDER_FENCE SHARED_LET_GO(
    "KEYS[7]",
    "''") "redis.call('del', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])\n"
          "if ARGV[2] then\n"
          "  redis.call('xadd', KEYS[3], ARGV[3] .. '-0', 'kind', ARGV[4], 'chain', ARGV[5],\n"
          "             'fence', ARGV[1], 'payload', ARGV[6])\n"
          "  redis.call('set', KEYS[2], ARGV[2])\n"
          "end\n"
          "return {0}\n";

/* KEYS[2..3]: end and log. ARGV: fence, end behind the frame, number, kind, chain, payload. */
static const char BEGIN_LOG[] =
    UNDER_FENCE "redis.call('del', KEYS[3])\n"
                "redis.call('xadd', KEYS[3], ARGV[3] .. '-0', 'kind', ARGV[4], 'chain', ARGV[5],\n"
                "           'fence', ARGV[1], 'payload', ARGV[6])\n"
                "redis.call('set', KEYS[2], ARGV[2])\n"
                "return {0}\n";

/* KEYS[2]: the log. ARGV[2]: the first number that stays. */
static const char TRIM[] = UNDER_FENCE "redis.call('xtrim', KEYS[2], 'minid', ARGV[2] .. '-0')\n"
                                       "return {0}\n";

static const char *const KEY_NAMES[KEY_COUNT] = {"lease", "fence",      "owner",  "end",  "journal",
                                                 "open",  "intake-end", "intake", "image"};

static const struct {
    const char *name;
    enum key log, end;
} LOGS[SHARED_LOGS] = {
    [SHARED_JOURNAL] = {"journal", KEY_JOURNAL, KEY_END},
    [SHARED_INTAKE] = {"intake log", KEY_INTAKE, KEY_INTAKE_END},
};

enum { READ_FRAMES = 4 };

const char *shared_verdict_name(enum shared_verdict verdict)
{
    static const char *const names[] = {
        [SHARED_FINE] = "fine",       [SHARED_AWAY] = "away",     [SHARED_TAKEN] = "taken",
        [SHARED_FENCED] = "fenced",   [SHARED_LOST] = "lost",     [SHARED_APART] = "apart",
        [SHARED_DAMAGED] = "damaged", [SHARED_UNKEPT] = "unkept", [SHARED_UNSURE] = "unsure",
    };
    return names[verdict];
}

const char *shared_log_name(enum shared_log which)
{
    return LOGS[which].name;
}

/* ---- numbers and ends ---- */

/* A frame's head as it is counted into the chain. */
struct counted_head {
    uint64_t number;
    uint32_t kind, bytes;
};

struct shared_end shared_end_after(struct shared_end end, const struct shared_frame *frame)
{
    const struct counted_head head = {frame->number, frame->kind, frame->payload.len};
    uint32_t chain = crc32c(end.chain, &head, sizeof(head));

    return (struct shared_end){frame->number, crc32c(chain, frame->payload.at, frame->payload.len)};
}

enum { END_BYTES = 40 };

struct text shared_number_text(char to[SHARED_NUMBER_BYTES], uint64_t number)
{
    return (struct text){to, (uint32_t)snprintf(to, SHARED_NUMBER_BYTES, "%" PRIu64, number)};
}

static struct text end_text(char to[END_BYTES], struct shared_end end)
{
    return (struct text){
        to, (uint32_t)snprintf(to, END_BYTES, "%" PRIu64 " %" PRIu32, end.number, end.chain)};
}

/* A whole number at the start of `text`, up to `max`; `*left` is what is behind it. */
bool shared_number_read(struct text text, uint64_t max, uint64_t *out, struct text *left)
{
    uint64_t number = 0;
    uint32_t at = 0;

    for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++) {
        unsigned digit = (unsigned)(text.at[at] - '0');
        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    *left = (struct text){text.at + at, text.len - at};
    return at > 0;
}

static bool end_read(struct text text, struct shared_end *out)
{
    uint64_t chain;
    struct text left;

    if (!shared_number_read(text, UINT64_MAX - 1, &out->number, &left) || left.len == 0 ||
        left.at[0] != ' ')
        return false;
    left = (struct text){left.at + 1, left.len - 1};
    if (!shared_number_read(left, UINT32_MAX, &chain, &left) || left.len != 0)
        return false;
    out->chain = (uint32_t)chain;
    return true;
}

/* ---- commands ---- */

enum shared_verdict shared_damaged(struct shared_store *store, struct error *err, const char *what)
{
    error_set(err, "unit %s: %s is not what was put there: another program has written to it",
              store->unit, what);
    return SHARED_DAMAGED;
}

enum shared_verdict shared_ask(struct shared_store *store, const struct text *word, size_t count,
                               const struct shared_reply **reply, struct error *err)
{
    if (store->link->ask(store->link, word, count, reply, err) != 0)
        return SHARED_AWAY;
    if ((*reply)->kind != SHARED_REPLY_ERROR)
        return SHARED_FINE;
    const struct text said = (*reply)->text;
    if (said.len >= 9 && memcmp(said.at, "WRONGTYPE", 9) == 0)
        return shared_damaged(store, err, "a key");
    error_set(err, "redis says: %.*s", (int)(said.len < 300 ? said.len : 300), said.at);
    return SHARED_AWAY;
}

/* Whether `whom`, an owner with the number before it or not, is of the same directory, at another
 * place. */
static bool is_copy(const struct shared_store *store, struct text whom)
{
    size_t bytes = strcspn(store->owner, "."), at = whom.len;

    while (at > 0 && whom.at[at - 1] != ' ')
        at--;
    return store->owner[bytes] == '.' && whom.len - at > bytes &&
           memcmp(whom.at + at, store->owner, bytes + 1) == 0;
}

/* Runs it; `*said` is its list. */
enum shared_verdict shared_run(struct shared_store *store, const struct shared_script *script,
                               const struct text *argument, size_t count,
                               const struct shared_reply **said, struct error *err)
{
    static const enum shared_verdict verdict_of[SAID_COUNT] = {
        SHARED_FINE, SHARED_FENCED, SHARED_LOST, SHARED_TAKEN, SHARED_APART, SHARED_DAMAGED,
    };
    char keys[SHARED_NUMBER_BYTES];
    size_t words = 0;

    if (store->room < 3 + KEY_COUNT + count) {
        store->room = 3 + KEY_COUNT + count;
        store->word = memory_grow(store->word, store->room * sizeof(store->word[0]));
    }
    store->word[words++] = text_of("EVAL");
    store->word[words++] = text_of(script->text);
    store->word[words++] = shared_number_text(keys, script->keys + (script->more.at != NULL));
    for (size_t i = 0; i < script->keys; i++)
        store->word[words++] = text_of(store->key[script->key[i]]);
    if (script->more.at != NULL)
        store->word[words++] = script->more;
    for (size_t i = 0; i < count; i++)
        store->word[words++] = argument[i];
    enum shared_verdict verdict = shared_ask(store, store->word, words, said, err);
    if (verdict != SHARED_FINE)
        return verdict;
    const struct shared_reply *list = *said;
    if (list->kind != SHARED_REPLY_LIST || list->count == 0 ||
        list->item[0].kind != SHARED_REPLY_NUMBER || list->item[0].number < 0 ||
        list->item[0].number >= SAID_COUNT)
        return shared_damaged(store, err, "the answer of a script");
    verdict = verdict_of[list->item[0].number];
    const struct shared_reply *more = &list->item[list->count - 1];
    struct text whom = more->kind == SHARED_REPLY_TEXT ? more->text : text_of("?");
    int len = (int)(whom.len < 200 ? whom.len : 200);
    if (verdict == SHARED_DAMAGED)
        return shared_damaged(store, err, "the number of its owner");
    if (verdict == SHARED_FENCED)
        error_set(err, "unit %s has another owner now: %.*s; this one was number %" PRIu64,
                  store->unit, len, whom.at, store->fence);
    else if (verdict == SHARED_TAKEN)
        error_set(err, "unit %s is owned by %.*s%s", store->unit, len, whom.at,
                  is_copy(store, whom) ? ": this directory elsewhere, a copy or before a move or a "
                                         "start of the machine"
                                       : "");
    else if (verdict == SHARED_LOST)
        error_set(err, "unit %s: the shared store has forgotten it", store->unit);
    else if (verdict == SHARED_APART)
        error_set(err,
                  "unit %s: a log of it in the shared store ends at \"%.*s\", not where ours does",
                  store->unit, len, whom.at);
    return verdict;
}

/* ---- ownership ---- */

static enum shared_former former_of(const struct shared_store *store, struct text name)
{
    const size_t bytes = strlen(store->owner);

    if (name.len == 0)
        return SHARED_FORMER_UNKNOWN;
    if (name.len == 1 && name.at[0] == '-')
        return SHARED_FORMER_LEFT;
    if (name.len >= bytes && memcmp(name.at, store->owner, bytes) == 0) {
        if (name.len == bytes)
            return SHARED_FORMER_SELF;
        if (name.len == bytes + 1 && name.at[bytes] == '*')
            return SHARED_FORMER_DOUBT;
    }
    return is_copy(store, name) ? SHARED_FORMER_COPY : SHARED_FORMER_OTHER;
}

static bool fence_read(const struct shared_reply *item, uint64_t *out)
{
    struct text left;

    return item->kind == SHARED_REPLY_TEXT &&
           shared_number_read(item->text, INT64_MAX, out, &left) && left.len == 0;
}

enum shared_verdict shared_store_whose(struct shared_store *store, struct shared_ownership *out,
                                       struct error *err)
{
    static const struct shared_script script = {
        .text = WHOSE, .key = {KEY_LEASE, KEY_FENCE, KEY_OWNER}, .keys = 3};
    const struct text argument[] = {text_of(store->owner)};
    const struct shared_reply *said;
    enum shared_verdict verdict = shared_run(store, &script, argument, 1, &said, err);

    *out = (struct shared_ownership){.is_free = verdict == SHARED_FINE};
    if (verdict != SHARED_FINE && verdict != SHARED_TAKEN)
        return verdict;
    if (said->count < 3 || !fence_read(&said->item[1], &out->fence))
        return shared_damaged(store, err, "the number of its owner");
    const struct shared_reply *last = &said->item[2];
    if (last->kind != (out->is_free ? SHARED_REPLY_TEXT : SHARED_REPLY_NUMBER))
        return shared_damaged(store, err, "the answer of a script");
    if (!out->is_free)
        out->left_ms = last->number > 0 ? last->number : 0;
    else
        out->last = former_of(store, last->text);
    return verdict;
}

enum shared_verdict shared_store_take(struct shared_store *store, unsigned lease_ms, uint64_t seen,
                                      struct error *err)
{
    static const struct shared_script script = {
        .text = TAKE, .key = {KEY_LEASE, KEY_FENCE, KEY_OWNER}, .keys = 3};
    char lease[SHARED_NUMBER_BYTES], fence[SHARED_NUMBER_BYTES], behind[SHARED_NUMBER_BYTES];
    const struct text argument[] = {text_of(store->owner), shared_number_text(lease, lease_ms),
                                    shared_number_text(fence, store->fence),
                                    seen != SHARED_ANY_FENCE ? shared_number_text(behind, seen)
                                                             : text_of("")};
    const struct shared_reply *said;
    enum shared_verdict verdict = shared_run(store, &script, argument, 4, &said, err);

    if (verdict != SHARED_FINE)
        return verdict;
    if (said->count != 3 || said->item[2].kind != SHARED_REPLY_TEXT ||
        !fence_read(&said->item[1], &store->fence))
        return shared_damaged(store, err, "the number of its owner");
    store->former = former_of(store, said->item[2].text);
    return SHARED_FINE;
}

static enum shared_verdict keep(struct shared_store *store, unsigned lease_ms, const char *former,
                                struct error *err)
{
    static const struct shared_script script = {
        .text = KEEP, .key = {KEY_FENCE, KEY_LEASE, KEY_OWNER}, .keys = 3};
    char lease[SHARED_NUMBER_BYTES], fence[SHARED_NUMBER_BYTES];
    const struct text argument[] = {shared_number_text(fence, store->fence), text_of(store->owner),
                                    shared_number_text(lease, lease_ms), text_of(former)};
    const struct shared_reply *said;

    return shared_run(store, &script, argument, 4, &said, err);
}

enum shared_verdict shared_store_keep(struct shared_store *store, unsigned lease_ms,
                                      struct error *err)
{
    return keep(store, lease_ms > 0 ? lease_ms : 1, store->is_settled ? store->owner : "", err);
}

void shared_store_settle(struct shared_store *store)
{
    store->is_settled = true;
}

/* What a former owner told is not known by who did not get that far, in good order or not. */
static bool is_in_doubt(const struct shared_store *store)
{
    return !store->is_settled && store->former != SHARED_FORMER_LEFT &&
           store->former != SHARED_FORMER_SELF;
}

enum shared_verdict shared_store_leave(struct shared_store *store, bool in_order, struct error *err)
{
    return keep(store, 0, in_order && !is_in_doubt(store) ? "-" : "", err);
}

uint64_t shared_store_fence(const struct shared_store *store)
{
    return store->fence;
}

enum shared_former shared_store_former(const struct shared_store *store)
{
    return store->former;
}

/* ---- the logs ---- */

/* "the intake log's end", for a sentence of damage. */
enum { PART_BYTES = 64 };

static enum shared_verdict damaged_log(struct shared_store *store, enum shared_log which,
                                       const char *part, struct error *err)
{
    char what[PART_BYTES];

    snprintf(what, sizeof(what), "%s its %s", part, LOGS[which].name);
    return shared_damaged(store, err, what);
}

enum shared_verdict shared_store_end(struct shared_store *store, enum shared_log which,
                                     struct shared_end *out, struct error *err)
{
    const struct text word[] = {text_of("GET"), text_of(store->key[LOGS[which].end])};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 2, &reply, err);

    *out = (struct shared_end){0, 0};
    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind == SHARED_REPLY_NIL) {
        error_set(err, "unit %s: the shared store has no %s of it", store->unit, LOGS[which].name);
        return SHARED_LOST;
    }
    if (reply->kind != SHARED_REPLY_TEXT || !end_read(reply->text, out))
        return damaged_log(store, which, "the end of", err);
    return SHARED_FINE;
}

enum shared_verdict shared_store_put(struct shared_store *store, enum shared_log which,
                                     struct shared_end end, const struct shared_frame *frame,
                                     const struct shared_open *open, size_t open_count,
                                     struct error *err)
{
    const struct shared_script script = {
        .text = PUT, .key = {KEY_FENCE, LOGS[which].end, LOGS[which].log, KEY_OPEN}, .keys = 4};
    enum { FIRST = 7 };
    const struct shared_end after = shared_end_after(end, frame);
    char fence[SHARED_NUMBER_BYTES], number[SHARED_NUMBER_BYTES], kind[SHARED_NUMBER_BYTES];
    char chain[SHARED_NUMBER_BYTES];
    char before_words[END_BYTES], after_words[END_BYTES];
    struct text *argument = memory_alloc((FIRST + 2 * open_count) * sizeof(*argument));
    char(*id)[ID128_TEXT_BYTES] = memory_alloc((open_count + 1) * sizeof(*id));
    const struct shared_reply *said;

    argument[0] = shared_number_text(fence, store->fence);
    argument[1] = end_text(before_words, end);
    argument[2] = end_text(after_words, after);
    argument[3] = shared_number_text(number, frame->number);
    argument[4] = shared_number_text(kind, frame->kind);
    argument[5] = shared_number_text(chain, after.chain);
    argument[6] = frame->payload;
    for (size_t i = 0; i < open_count; i++) {
        id128_format(open[i].id, id[i]);
        argument[FIRST + 2 * i] = text_of(id[i]);
        argument[FIRST + 2 * i + 1] = open[i].record;
    }
    enum shared_verdict verdict =
        shared_run(store, &script, argument, FIRST + 2 * open_count, &said, err);
    free(argument);
    free(id);
    return verdict;
}

/* {"<number>-0", {"kind", k, "chain", c, "fence", f, "payload", p}} */
static bool frame_read(const struct shared_reply *entry, struct shared_frame *out, uint32_t *chain)
{
    uint64_t kind, sum;
    struct text left;

    if (entry->kind != SHARED_REPLY_LIST || entry->count != 2 ||
        entry->item[0].kind != SHARED_REPLY_TEXT || entry->item[1].kind != SHARED_REPLY_LIST ||
        entry->item[1].count != 8)
        return false;
    const struct shared_reply *field = entry->item[1].item;
    for (size_t i = 0; i < 8; i++)
        if (field[i].kind != SHARED_REPLY_TEXT)
            return false;
    if (!shared_number_read(entry->item[0].text, UINT64_MAX - 1, &out->number, &left) ||
        !texts_equal(left, text_of("-0")) || !texts_equal(field[0].text, text_of("kind")) ||
        !shared_number_read(field[1].text, UINT32_MAX, &kind, &left) || left.len != 0 ||
        !texts_equal(field[2].text, text_of("chain")) ||
        !shared_number_read(field[3].text, UINT32_MAX, &sum, &left) || left.len != 0 ||
        !texts_equal(field[6].text, text_of("payload")))
        return false;
    out->kind = (uint32_t)kind;
    out->payload = field[7].text;
    *chain = (uint32_t)sum;
    return true;
}

enum shared_verdict shared_store_read(struct shared_store *store, enum shared_log which,
                                      struct shared_end *before, uint64_t to,
                                      void (*take)(void *user, const struct shared_frame *frame),
                                      void *user, struct error *err)
{
    char from[SHARED_NUMBER_BYTES + 4], last[SHARED_NUMBER_BYTES + 4], count[SHARED_NUMBER_BYTES];
    const struct text word[] = {
        text_of("XRANGE"),
        text_of(store->key[LOGS[which].log]),
        {from, (uint32_t)snprintf(from, sizeof(from), "%" PRIu64 "-0", before->number + 1)},
        {last, (uint32_t)snprintf(last, sizeof(last), "%" PRIu64 "-0", to)},
        text_of("COUNT"),
        shared_number_text(count, READ_FRAMES)};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 6, &reply, err);

    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind != SHARED_REPLY_LIST)
        return damaged_log(store, which, "all of", err);
    for (size_t i = 0; i < reply->count; i++) {
        struct shared_frame frame;
        uint32_t chain;
        if (!frame_read(&reply->item[i], &frame, &chain))
            return damaged_log(store, which, "a frame of", err);
        /* Behind a trim the first frame's own sum is where the chain begins. */
        const struct shared_end after = shared_end_after(*before, &frame);
        if (after.chain != chain) {
            error_set(err,
                      "unit %s: frame %" PRIu64 " of its %s in the shared store does not "
                      "follow on frame %" PRIu64,
                      store->unit, frame.number, LOGS[which].name, before->number);
            return SHARED_DAMAGED;
        }
        *before = after;
        take(user, &frame);
    }
    return SHARED_FINE;
}

enum shared_verdict shared_store_frame(struct shared_store *store, enum shared_log which,
                                       uint64_t number, struct shared_frame *out,
                                       struct shared_end *after, struct error *err)
{
    char id[SHARED_NUMBER_BYTES + 4];
    const struct text at = {id, (uint32_t)snprintf(id, sizeof(id), "%" PRIu64 "-0", number)};
    const struct text word[] = {text_of("XRANGE"), text_of(store->key[LOGS[which].log]), at, at};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 4, &reply, err);

    *after = (struct shared_end){0, 0};
    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind == SHARED_REPLY_LIST && reply->count == 0) {
        error_set(err, "unit %s: the shared store has no frame %" PRIu64 " of its %s", store->unit,
                  number, LOGS[which].name);
        return SHARED_LOST;
    }
    if (reply->kind != SHARED_REPLY_LIST || !frame_read(&reply->item[0], out, &after->chain) ||
        out->number != number)
        return damaged_log(store, which, "a frame of", err);
    after->number = number;
    return SHARED_FINE;
}

enum shared_verdict shared_store_end_at(struct shared_store *store, enum shared_log which,
                                        uint64_t number, struct shared_end *out, struct error *err)
{
    struct shared_frame frame;

    return shared_store_frame(store, which, number, &frame, out, err);
}

enum shared_verdict shared_store_clear(struct shared_store *store, struct error *err)
{
    return shared_store_begin(store, NULL, (struct shared_end){0, 0}, err);
}

/* What a script is told of the frame that a log begins with. */
enum { BEGIN_WORDS = 6 };

struct begin_words {
    char fence[SHARED_NUMBER_BYTES], number[SHARED_NUMBER_BYTES], kind[SHARED_NUMBER_BYTES];
    char chain[SHARED_NUMBER_BYTES], after[END_BYTES];
    struct text word[BEGIN_WORDS];
};

static void begin_words_make(struct begin_words *to, uint64_t fence,
                             const struct shared_frame *frame, struct shared_end after)
{
    to->word[0] = shared_number_text(to->fence, fence);
    to->word[1] = end_text(to->after, after);
    to->word[2] = shared_number_text(to->number, after.number);
    to->word[3] = shared_number_text(to->kind, frame != NULL ? frame->kind : 0);
    to->word[4] = shared_number_text(to->chain, after.chain);
    to->word[5] = frame != NULL ? frame->payload : (struct text){NULL, 0};
}

enum shared_verdict shared_store_begin(struct shared_store *store, const struct shared_frame *frame,
                                       struct shared_end after, struct error *err)
{
    static const struct shared_script script = {
        .text = CLEAR,
        .key = {KEY_FENCE, KEY_END, KEY_JOURNAL, KEY_OPEN, KEY_INTAKE_END, KEY_INTAKE, KEY_IMAGE},
        .keys = 7};
    const struct shared_reply *said;
    struct begin_words words;

    begin_words_make(&words, store->fence, frame, after);
    return shared_run(store, &script, words.word, frame != NULL ? BEGIN_WORDS : 1, &said, err);
}

enum shared_verdict shared_store_begin_log(struct shared_store *store, enum shared_log which,
                                           const struct shared_frame *frame,
                                           struct shared_end after, struct error *err)
{
    const struct shared_script script = {
        .text = BEGIN_LOG, .key = {KEY_FENCE, LOGS[which].end, LOGS[which].log}, .keys = 3};
    const struct shared_reply *said;
    struct begin_words words;

    begin_words_make(&words, store->fence, frame, after);
    return shared_run(store, &script, words.word, BEGIN_WORDS, &said, err);
}

enum shared_verdict shared_store_first(struct shared_store *store, enum shared_log which,
                                       uint64_t *out, struct error *err)
{
    const struct text word[] = {text_of("XRANGE"), text_of(store->key[LOGS[which].log]),
                                text_of("-"),      text_of("+"),
                                text_of("COUNT"),  text_of("1")};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 6, &reply, err);
    struct shared_frame frame;
    uint32_t chain;

    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind == SHARED_REPLY_LIST && reply->count == 0) {
        error_set(err, "unit %s: the shared store has no frame of its %s", store->unit,
                  LOGS[which].name);
        return SHARED_LOST;
    }
    if (reply->kind != SHARED_REPLY_LIST || !frame_read(&reply->item[0], &frame, &chain))
        return damaged_log(store, which, "a frame of", err);
    *out = frame.number;
    return SHARED_FINE;
}

enum shared_verdict shared_store_trim(struct shared_store *store, enum shared_log which,
                                      uint64_t number, struct error *err)
{
    const struct shared_script script = {
        .text = TRIM, .key = {KEY_FENCE, LOGS[which].log}, .keys = 2};
    char fence[SHARED_NUMBER_BYTES], first[SHARED_NUMBER_BYTES];
    const struct text argument[] = {shared_number_text(fence, store->fence),
                                    shared_number_text(first, number)};
    const struct shared_reply *said;

    return shared_run(store, &script, argument, 2, &said, err);
}

/* ---- blobs ---- */

static struct text blob_key(const struct shared_store *store, struct id128 hash,
                            char to[SHARED_KEY_BYTES])
{
    char name[ID128_TEXT_BYTES];

    id128_format(hash, name);
    return (struct text){
        to, (uint32_t)snprintf(to, SHARED_KEY_BYTES, "tocsin:{%s}:blob:%s", store->unit, name)};
}

enum shared_verdict shared_store_has_blob(struct shared_store *store, struct id128 hash,
                                          struct error *err)
{
    char key[SHARED_KEY_BYTES];
    const struct text word[] = {text_of("EXISTS"), blob_key(store, hash, key)};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 2, &reply, err);

    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind != SHARED_REPLY_NUMBER)
        return shared_damaged(store, err, key);
    if (reply->number > 0)
        return SHARED_FINE;
    error_set(err, "unit %s: %s is not in the shared store", store->unit, key);
    return SHARED_LOST;
}

enum shared_verdict shared_store_put_blob(struct shared_store *store, struct id128 hash,
                                          struct text bytes, struct error *err)
{
    char key[SHARED_KEY_BYTES];
    const struct text word[] = {text_of("SET"), blob_key(store, hash, key), bytes, text_of("NX")};
    const struct shared_reply *reply;

    return shared_ask(store, word, 4, &reply, err);
}

enum shared_verdict shared_store_blob(struct shared_store *store, struct id128 hash,
                                      struct text *out, struct error *err)
{
    char key[SHARED_KEY_BYTES];
    const struct text word[] = {text_of("GET"), blob_key(store, hash, key)};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 2, &reply, err);

    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind == SHARED_REPLY_NIL) {
        error_set(err, "unit %s: %s is not in the shared store", store->unit, key);
        return SHARED_LOST;
    }
    if (reply->kind != SHARED_REPLY_TEXT)
        return shared_damaged(store, err, key);
    *out = reply->text;
    return SHARED_FINE;
}

/* ---- setup ---- */

enum shared_verdict shared_store_check(struct shared_store *store, struct error *err)
{
    static const char POLICY[] = "maxmemory_policy:";
    const struct text word[] = {text_of("INFO"), text_of("memory")};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, word, 2, &reply, err);

    if (verdict != SHARED_FINE || reply->kind != SHARED_REPLY_TEXT)
        return verdict; /* a store that says nothing of its memory is not judged by it */
    const char *policy = strstr(reply->text.at, POLICY);
    if (policy == NULL || strncmp(policy + sizeof(POLICY) - 1, "noeviction", 10) == 0)
        return SHARED_FINE;
    policy += sizeof(POLICY) - 1;
    error_set(err,
              "redis throws keys away when its memory is full (maxmemory-policy %.*s): a unit that "
              "loses keys cannot be taken over; set noeviction",
              (int)strcspn(policy, "\r\n"), policy);
    return SHARED_DAMAGED;
}

static bool is_word(const char *text, size_t bytes_max)
{
    size_t len = strlen(text);

    if (len == 0 || len >= bytes_max)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] >= 127 || text[i] == '{' || text[i] == '}')
            return false;
    return true;
}

int shared_store_create(struct shared_link *link, const char *unit, const char *owner,
                        struct shared_store **out, struct error *err)
{
    if (!is_word(unit, SHARED_UNIT_BYTES) || !is_word(owner, SHARED_OWNER_BYTES)) {
        error_set(
            err,
            "the name of a unit is up to %d letters, digits and signs, without spaces and braces",
            SHARED_UNIT_BYTES - 1);
        return -EINVAL;
    }
    struct shared_store *store = memory_alloc(sizeof(*store));
    *store = (struct shared_store){.link = link};
    strcpy(store->unit, unit);
    strcpy(store->owner, owner);
    for (int i = 0; i < KEY_COUNT; i++)
        snprintf(store->key[i], sizeof(store->key[i]), "tocsin:{%s}:%s", unit, KEY_NAMES[i]);
    *out = store;
    return 0;
}

void shared_store_destroy(struct shared_store *store)
{
    if (store == NULL)
        return;
    store->link->destroy(store->link);
    free(store->word);
    free(store);
}
