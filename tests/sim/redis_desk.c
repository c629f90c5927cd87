/* redis_desk.c - see redis_desk.h. */
#include "sim/redis_desk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/vector.h"
#include "sim/shared_room.h"
#include "sim/world.h"
#include "store/shared_link.h"

enum { FIELDS_MAX = 8 };

/* Bytes that several states of the store may point at. */
struct blob {
    size_t refs, bytes;
    char at[];
};

struct item {
    struct blob *name; /* of a hash's field; else NULL */
    uint64_t number;   /* of a stream's entry */
    struct blob *value[FIELDS_MAX];
    size_t values;
};

/* As base/vector.h has them, in this memory. */
#define LIST_OF(type)                                                                              \
    struct {                                                                                       \
        type *at;                                                                                  \
        size_t count, room;                                                                        \
    }
#define list_add(list)                                                                             \
    (*((list)->count < (list)->room                                                                \
           ? (void)0                                                                               \
           : (void)((list)->at = list_grow((list)->at, &(list)->room, sizeof((list)->at[0]))),     \
       &(list)->at[(list)->count++]))

enum kind { KIND_TEXT, KIND_STREAM, KIND_HASH };

struct entry {
    struct blob *name;
    enum kind kind;
    uint64_t until_ns; /* 0: for ever */
    LIST_OF(struct item) item;
};

struct state {
    LIST_OF(struct entry) entry;
};

/* ---- memory ---- */

/* At the beginning of the room. */
static struct redis_state {
    struct state now, saved;
} * states;

#define now (states->now)
#define saved (states->saved)

void redis_desk_create(void)
{
    states = shared_room_create(sizeof(*states));
}

static void *list_grow(void *at, size_t *items, size_t bytes)
{
    size_t more = *items > 0 ? 2 * *items : 8;
    void *to = shared_room_take(more * bytes);

    if (at != NULL) {
        memcpy(to, at, *items * bytes);
        shared_room_give(at, *items * bytes);
    }
    *items = more;
    return to;
}

static void list_free(void *at, size_t items, size_t bytes)
{
    if (at != NULL)
        shared_room_give(at, items * bytes);
}

/* ---- bytes ---- */

static struct blob *blob_of(struct text text)
{
    struct blob *blob = shared_room_take(sizeof(*blob) + text.len + 1);

    blob->refs = 1;
    blob->bytes = text.len;
    memcpy(blob->at, text.at, text.len);
    blob->at[text.len] = '\0';
    return blob;
}

static struct blob *blob_ref(struct blob *blob)
{
    if (blob != NULL)
        blob->refs++;
    return blob;
}

static void blob_unref(struct blob *blob)
{
    if (blob != NULL && --blob->refs == 0)
        shared_room_give(blob, sizeof(*blob) + blob->bytes + 1);
}

static bool blob_is(const struct blob *blob, struct text text)
{
    return blob->bytes == text.len && memcmp(blob->at, text.at, text.len) == 0;
}

static void item_release(struct item *item)
{
    blob_unref(item->name);
    for (size_t i = 0; i < item->values; i++)
        blob_unref(item->value[i]);
}

static void entry_release(struct entry *entry)
{
    blob_unref(entry->name);
    for (size_t i = 0; i < entry->item.count; i++)
        item_release(&entry->item.at[i]);
    list_free(entry->item.at, entry->item.room, sizeof(entry->item.at[0]));
}

static void state_release(struct state *state)
{
    for (size_t i = 0; i < state->entry.count; i++)
        entry_release(&state->entry.at[i]);
    list_free(state->entry.at, state->entry.room, sizeof(state->entry.at[0]));
    *state = (struct state){0};
}

static void state_copy(const struct state *from, struct state *to)
{
    state_release(to);
    for (size_t i = 0; i < from->entry.count; i++) {
        const struct entry *entry = &from->entry.at[i];
        struct entry copy = {
            .name = blob_ref(entry->name), .kind = entry->kind, .until_ns = entry->until_ns};
        for (size_t k = 0; k < entry->item.count; k++) {
            struct item item = entry->item.at[k];
            blob_ref(item.name);
            for (size_t v = 0; v < item.values; v++)
                blob_ref(item.value[v]);
            list_add(&copy.item) = item;
        }
        list_add(&to->entry) = copy;
    }
}

void redis_desk_begin(void)
{
    state_release(&now);
    state_release(&saved);
}

void redis_desk_save(void)
{
    state_copy(&now, &saved);
}

void redis_desk_restart(void)
{
    state_copy(&saved, &now);
}

/* ---- keys ---- */

static void drop(struct text name)
{
    for (size_t i = 0; i < now.entry.count; i++)
        if (blob_is(now.entry.at[i].name, name)) {
            entry_release(&now.entry.at[i]);
            now.entry.at[i] = now.entry.at[--now.entry.count];
            return;
        }
}

/* NULL: there is none. */
static struct entry *find(struct text name, uint64_t now_ns)
{
    for (size_t i = 0; i < now.entry.count; i++) {
        struct entry *entry = &now.entry.at[i];
        if (!blob_is(entry->name, name))
            continue;
        if (entry->until_ns == 0 || entry->until_ns > now_ns)
            return entry;
        drop(name);
        return NULL;
    }
    return NULL;
}

static struct entry *make(struct text name, enum kind kind, uint64_t now_ns)
{
    struct entry *entry = find(name, now_ns);

    if (entry != NULL) {
        assert(entry->kind == kind);
        return entry;
    }
    entry = &list_add(&now.entry);
    *entry = (struct entry){.name = blob_of(name), .kind = kind};
    return entry;
}

/* "": there is none. Lives until the next change. */
static struct text get(struct text name, uint64_t now_ns)
{
    const struct entry *entry = find(name, now_ns);

    if (entry == NULL)
        return text_of("");
    assert(entry->kind == KIND_TEXT);
    return (struct text){entry->item.at[0].value[0]->at,
                         (uint32_t)entry->item.at[0].value[0]->bytes};
}

static void set(struct text name, struct text value, uint64_t until_ns)
{
    struct blob *blob = blob_of(value); /* it may lie in what goes */
    struct entry *entry;

    drop(name);
    entry = make(name, KIND_TEXT, 0);
    entry->until_ns = until_ns;
    list_add(&entry->item) = (struct item){.value = {blob}, .values = 1};
}

static uint64_t number_of(struct text text)
{
    char digits[32];

    snprintf(digits, sizeof(digits), "%.*s", (int)text.len, text.at);
    return strtoull(digits, NULL, 10);
}

/* ---- replies ---- */

struct reply {
    VECTOR_OF(char) bytes;
};

static void put(struct reply *to, struct redis_part part, const char *at)
{
    vector_reserve(&to->bytes, sizeof(part) + part.bytes);
    memcpy(to->bytes.at + to->bytes.count, &part, sizeof(part));
    if (at != NULL && part.bytes > 0)
        memcpy(to->bytes.at + to->bytes.count + sizeof(part), at, part.bytes);
    to->bytes.count += sizeof(part) + part.bytes;
}

static void put_nil(struct reply *to)
{
    put(to, (struct redis_part){.kind = SHARED_REPLY_NIL}, NULL);
}

static void put_number(struct reply *to, int64_t number)
{
    put(to, (struct redis_part){.kind = SHARED_REPLY_NUMBER, .number = number}, NULL);
}

static void put_text(struct reply *to, struct text text)
{
    put(to, (struct redis_part){.kind = SHARED_REPLY_TEXT, .bytes = text.len}, text.at);
}

static void put_list(struct reply *to, size_t items)
{
    put(to, (struct redis_part){.kind = SHARED_REPLY_LIST, .items = (uint32_t)items}, NULL);
}

static void put_said(struct reply *to, int64_t said)
{
    put_list(to, 1);
    put_number(to, said);
}

/* ---- scripts ---- */

struct call {
    const struct text *key, *arg; /* from 1 on, as the scripts count */
    size_t keys, args;
    uint64_t now_ns;
};

/* The machine that asks has the unit, until then. */
static void note_owner(uint64_t lease_end_ns)
{
    struct world_pair *pair = &world->pair;

    if (pair->owner != world->machine) {
        world->report.former_end_ns = pair->lease_end_ns;
        world->report.taken_ns = world->now_ns;
    }
    pair->owner = world->machine;
    pair->lease_end_ns = lease_end_ns;
}

/* Whether another than who asks has the lease. */
static bool is_held(const struct call *s)
{
    struct text held = get(s->key[1], s->now_ns);
    const char *space = memchr(held.at, ' ', held.len);

    if (space == NULL)
        return false;
    struct text owner = {space + 1, (uint32_t)(held.at + held.len - space - 1)};
    return !texts_equal(owner, s->arg[1]);
}

static void whose(const struct call *s, struct reply *to)
{
    struct text fence = get(s->key[2], s->now_ns);
    bool is_taken = is_held(s);

    put_list(to, is_taken ? 4 : 3);
    put_number(to, is_taken ? 3 : 0);
    put_text(to, fence.len > 0 ? fence : text_of("0"));
    if (is_taken)
        put_number(to, (int64_t)((find(s->key[1], s->now_ns)->until_ns - s->now_ns) / MILLI_NS));
    put_text(to, get(s->key[is_taken ? 1 : 3], s->now_ns));
}

static void take(const struct call *s, struct reply *to)
{
    struct text former = get(s->key[3], s->now_ns);
    uint64_t fence = number_of(get(s->key[2], s->now_ns)), least = number_of(s->arg[3]);
    char digits[24], lease[160], before[128], mark[128];

    if (is_held(s) || (s->arg[4].len > 0 && number_of(s->arg[4]) != fence)) {
        put_list(to, 2);
        put_number(to, 3);
        put_text(to, is_held(s) ? get(s->key[1], s->now_ns) : text_of("another number"));
        return;
    }
    fence = (fence < least ? least : fence) + 1;
    snprintf(digits, sizeof(digits), "%" PRIu64, fence);
    snprintf(lease, sizeof(lease), "%s %.*s", digits, (int)s->arg[1].len, s->arg[1].at);
    snprintf(before, sizeof(before), "%.*s", (int)former.len, former.at);
    snprintf(mark, sizeof(mark), "%.*s%s", (int)s->arg[1].len, s->arg[1].at,
             texts_equal(former, text_of("-")) || texts_equal(former, s->arg[1]) ? "" : "*");
    set(s->key[2], text_of(digits), 0);
    set(s->key[3], text_of(mark), 0);
    set(s->key[1], text_of(lease), s->now_ns + number_of(s->arg[2]) * MILLI_NS);
    note_owner(s->now_ns + number_of(s->arg[2]) * MILLI_NS);
    put_list(to, 3);
    put_number(to, 0);
    put_text(to, text_of(digits));
    put_text(to, text_of(before));
}

/* What all but the first begin with. */
static bool is_fenced(const struct call *s, struct reply *to)
{
    uint64_t fence = number_of(get(s->key[1], s->now_ns)), ours = number_of(s->arg[1]);
    char whose[40];

    if (fence > ours) {
        put_list(to, 2);
        put_number(to, 1);
        snprintf(whose, sizeof(whose), "number %" PRIu64, fence);
        put_text(to, text_of(whose));
    } else if (fence < ours) {
        put_said(to, 2);
    }
    return fence != ours;
}

static void keep(const struct call *s, struct reply *to)
{
    char lease[160];

    if (texts_equal(s->arg[3], text_of("0"))) {
        drop(s->key[2]);
        note_owner(s->now_ns);
    } else {
        note_owner(s->now_ns + number_of(s->arg[3]) * MILLI_NS);
        snprintf(lease, sizeof(lease), "%.*s %.*s", (int)s->arg[1].len, s->arg[1].at,
                 (int)s->arg[2].len, s->arg[2].at);
        set(s->key[2], text_of(lease), s->now_ns + number_of(s->arg[3]) * MILLI_NS);
    }
    if (s->arg[4].len > 0)
        set(s->key[3], s->arg[4], 0);
    put_said(to, 0);
}

static void hash_set(struct entry *hash, struct text name, struct text value)
{
    size_t i = 0;

    while (i < hash->item.count && !blob_is(hash->item.at[i].name, name))
        i++;
    if (i < hash->item.count) {
        item_release(&hash->item.at[i]);
        hash->item.at[i] = hash->item.at[--hash->item.count];
    }
    if (value.len > 0)
        list_add(&hash->item) =
            (struct item){.name = blob_of(name), .value = {blob_of(value)}, .values = 1};
}

static void add_frame(const struct call *s, struct reply *to)
{
    struct text last = get(s->key[2], s->now_ns);
    struct item item = {.number = number_of(s->arg[4]), .values = FIELDS_MAX};
    struct entry *entry;
    const struct text field[FIELDS_MAX] = {text_of("kind"),    s->arg[5],        text_of("chain"),
                                           s->arg[6],          text_of("fence"), s->arg[1],
                                           text_of("payload"), s->arg[7]};

    if (last.len == 0)
        last = text_of("0 0");
    if (texts_equal(last, s->arg[3])) {
        put_said(to, 0);
        return;
    }
    if (!texts_equal(last, s->arg[2])) {
        put_list(to, 2);
        put_number(to, 4);
        put_text(to, last);
        return;
    }
    for (size_t i = 0; i < FIELDS_MAX; i++)
        item.value[i] = blob_of(field[i]);
    entry = make(s->key[3], KIND_STREAM, s->now_ns);
    list_add(&entry->item) = item;
    set(s->key[2], s->arg[3], 0);
    for (size_t i = 8; i + 1 <= s->args; i += 2)
        hash_set(make(s->key[4], KIND_HASH, s->now_ns), s->arg[i], s->arg[i + 1]);
    put_said(to, 0);
}

enum { CHUNK_KEY_BYTES = 256, MINUTE_MS = 60000 };

static struct text chunk_key(struct text image, struct text name, unsigned chunk,
                             char to[CHUNK_KEY_BYTES])
{
    int bytes = snprintf(to, CHUNK_KEY_BYTES, "%.*s:%.*s:%u", (int)image.len, image.at,
                         (int)name.len, name.at, chunk);

    assert(bytes < CHUNK_KEY_BYTES);
    return (struct text){to, (uint32_t)bytes};
}

/* The chunks of the image that the key names, unless it is called `but`, go in a minute. */
static void let_go(const struct call *s, struct text image, struct text but)
{
    struct text line = get(image, s->now_ns);
    const char *space = memchr(line.at, ' ', line.len);
    char key[CHUNK_KEY_BYTES], name_bytes[CHUNK_KEY_BYTES];
    struct text name;
    unsigned count;

    if (space == NULL)
        return;
    name = (struct text){name_bytes, (uint32_t)(space - line.at)};
    assert(name.len < sizeof(name_bytes));
    memcpy(name_bytes, line.at, name.len);
    count = (unsigned)strtoul(space + 1, NULL, 10);
    for (unsigned i = 0; i < count && !texts_equal(name, but); i++) {
        struct entry *entry = find(chunk_key(image, name, i, key), s->now_ns);
        if (entry != NULL)
            entry->until_ns = s->now_ns + MINUTE_MS * MILLI_NS;
    }
}

static void clear(const struct call *s, struct reply *to)
{
    let_go(s, s->key[7], text_of(""));
    for (size_t i = 2; i <= s->keys; i++)
        drop(s->key[i]);
    if (s->args >= 2) {
        struct item item = {.number = number_of(s->arg[3]), .values = FIELDS_MAX};
        const struct text field[FIELDS_MAX] = {
            text_of("kind"),  s->arg[4], text_of("chain"),   s->arg[5],
            text_of("fence"), s->arg[1], text_of("payload"), s->arg[6]};
        for (size_t i = 0; i < FIELDS_MAX; i++)
            item.value[i] = blob_of(field[i]);
        list_add(&make(s->key[3], KIND_STREAM, s->now_ns)->item) = item;
        set(s->key[2], s->arg[2], 0);
    }
    put_said(to, 0);
}

static void put_chunk(const struct call *s, struct reply *to)
{
    set(s->key[2], s->arg[2], s->now_ns + 60 * MINUTE_MS * MILLI_NS);
    put_said(to, 0);
}

static void publish(const struct call *s, struct reply *to)
{
    char key[CHUNK_KEY_BYTES];

    for (unsigned i = 0; i < number_of(s->arg[4]); i++) {
        struct entry *entry = find(chunk_key(s->key[2], s->arg[3], i, key), s->now_ns);
        if (entry == NULL) {
            put_said(to, 2);
            return;
        }
        entry->until_ns = 0;
    }
    let_go(s, s->key[2], s->arg[3]);
    set(s->key[2], s->arg[2], 0);
    put_said(to, 0);
}

static void trim(const struct call *s, struct reply *to)
{
    struct entry *log = find(s->key[2], s->now_ns);
    uint64_t first = number_of(s->arg[2]);
    size_t kept = 0;

    for (size_t i = 0; log != NULL && i < log->item.count; i++)
        if (log->item.at[i].number < first)
            item_release(&log->item.at[i]);
        else
            log->item.at[kept++] = log->item.at[i];
    if (log != NULL)
        log->item.count = kept;
    put_said(to, 0);
}

static void eval(const struct text *word, size_t count, uint64_t now_ns, struct reply *to)
{
    static const struct {
        const char *says; /* no other script does */
        void (*run)(const struct call *s, struct reply *to);
        bool is_fenced;
    } scripts[] = {{"'pttl'", whose, false},
                   {"local former", take, false},
                   {"redis.call('del', KEYS[2], KEYS[3]", clear, true},
                   {"'persist'", publish, true},
                   {"redis.call('set', KEYS[2], ARGV[2], 'px'", put_chunk, true},
                   {"'xadd'", add_frame, true},
                   {"'xtrim'", trim, true},
                   {"redis.call('set', KEYS[3], ARGV[4])", keep, true}};
    struct call call = {.keys = number_of(word[2]), .now_ns = now_ns};

    call.key = word + 2; /* key[1] is the first */
    call.arg = word + 2 + call.keys;
    call.args = count - 3 - call.keys;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        if (memmem(word[1].at, word[1].len, scripts[i].says, strlen(scripts[i].says)) == NULL)
            continue;
        if (!scripts[i].is_fenced || !is_fenced(&call, to))
            scripts[i].run(&call, to);
        return;
    }
    fprintf(stderr, "tocsin_sim: the Redis of the world does not know this script:\n%.*s\n",
            (int)word[1].len, word[1].at);
    abort();
}

/* ---- plain commands ---- */

static void get_command(const struct text *word, uint64_t now_ns, struct reply *to)
{
    if (find(word[1], now_ns) == NULL)
        put_nil(to);
    else
        put_text(to, get(word[1], now_ns));
}

/* With NX alone. */
static void set_command(const struct text *word, size_t count, uint64_t now_ns, struct reply *to)
{
    bool is_there = find(word[1], now_ns) != NULL;

    assert(count == 4 && texts_equal(word[3], text_of("NX")));
    if (is_there) {
        put_nil(to);
        return;
    }
    set(word[1], word[2], 0);
    put_text(to, text_of("OK"));
}

static void range_command(const struct text *word, size_t count, uint64_t now_ns, struct reply *to)
{
    const struct entry *log = find(word[1], now_ns);
    uint64_t from = number_of(word[2]);
    uint64_t last = word[3].at[0] == '+' ? UINT64_MAX : number_of(word[3]);
    size_t most = count == 6 ? number_of(word[5]) : SIZE_MAX, found = 0, first = 0;
    char id[32];

    for (size_t i = 0; log != NULL && i < log->item.count && found < most; i++)
        if (log->item.at[i].number >= from && log->item.at[i].number <= last) {
            first = found == 0 ? i : first;
            found++;
        }
    put_list(to, found);
    for (size_t i = first; i < first + found; i++) {
        const struct item *item = &log->item.at[i];
        snprintf(id, sizeof(id), "%" PRIu64 "-0", item->number);
        put_list(to, 2);
        put_text(to, text_of(id));
        put_list(to, item->values);
        for (size_t v = 0; v < item->values; v++)
            put_text(to, (struct text){item->value[v]->at, (uint32_t)item->value[v]->bytes});
    }
}

static void scan_command(const struct text *word, uint64_t now_ns, struct reply *to)
{
    const struct entry *hash = find(word[1], now_ns);
    size_t items = hash != NULL ? hash->item.count : 0;

    put_list(to, 2);
    put_text(to, text_of("0"));
    put_list(to, 2 * items);
    for (size_t i = 0; i < items; i++) {
        const struct item *item = &hash->item.at[i];
        put_text(to, (struct text){item->name->at, (uint32_t)item->name->bytes});
        put_text(to, (struct text){item->value[0]->at, (uint32_t)item->value[0]->bytes});
    }
}

char *redis_desk_ask(const struct text *word, size_t count, uint64_t now_ns, size_t *bytes)
{
    struct reply reply = {0};

    assert(count >= 1 && count <= REDIS_WORDS_MAX);
    if (texts_equal(word[0], text_of("EVAL")))
        eval(word, count, now_ns, &reply);
    else if (texts_equal(word[0], text_of("GET")))
        get_command(word, now_ns, &reply);
    else if (texts_equal(word[0], text_of("SET")))
        set_command(word, count, now_ns, &reply);
    else if (texts_equal(word[0], text_of("EXISTS")))
        put_number(&reply, find(word[1], now_ns) != NULL);
    else if (texts_equal(word[0], text_of("XRANGE")))
        range_command(word, count, now_ns, &reply);
    else if (texts_equal(word[0], text_of("HSCAN")))
        scan_command(word, now_ns, &reply);
    else if (texts_equal(word[0], text_of("INFO")))
        put_text(&reply, text_of("maxmemory_policy:noeviction\r\n"));
    else {
        fprintf(stderr, "tocsin_sim: the Redis of the world does not know %.*s\n", (int)word[0].len,
                word[0].at);
        abort();
    }
    *bytes = reply.bytes.count;
    return reply.bytes.at;
}

/* ---- what it says in the end ---- */

static const struct entry *open_incidents(void)
{
    static const char end[] = ":open";

    for (size_t i = 0; i < now.entry.count; i++) {
        const struct blob *name = now.entry.at[i].name;
        if (name->bytes > sizeof(end) - 1 &&
            strcmp(name->at + name->bytes - (sizeof(end) - 1), end) == 0)
            return &now.entry.at[i];
    }
    return NULL;
}

size_t redis_desk_open(void)
{
    const struct entry *open = open_incidents();

    return open != NULL ? open->item.count : 0;
}

int redis_desk_has_open(const char *incident)
{
    const struct entry *open = open_incidents();

    for (size_t i = 0; open != NULL && i < open->item.count; i++)
        if (strncmp(open->item.at[i].name->at, incident, 32) == 0)
            return 1;
    return 0;
}
