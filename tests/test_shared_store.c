/* What a unit keeps in the shared store, on a real Redis: one owner at a time, a journal without a
 * hole, and no word of what other hands have been at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/vector.h"
#include "store/shared_store.h"
#include "tests/redis_process.h"

static struct redis_process redis;

static struct shared_link *dial_with(const char *address, const char *password, unsigned answer_ms)
{
    const struct redis_config config = {
        .address = address, .password = password, .connect_ms = 60000, .answer_ms = answer_ms};
    struct shared_link *link;
    struct error err;

    assert_int_equal(redis_link_create(&config, &link, &err), 0);
    return link;
}

static struct shared_store *open_store(const char *owner)
{
    struct shared_store *store;
    struct error err;

    assert_int_equal(
        shared_store_create(dial_with(redis.address, NULL, 60000), "main", owner, &store, &err), 0);
    return store;
}

/* One command past all that the store does. */
static void meddle(const char *a, const char *b, const char *c, const char *d)
{
    struct shared_link *link = dial_with(redis.address, NULL, 60000);
    const struct text word[] = {text_of(a), text_of(b), text_of(c), text_of(d)};
    size_t count = b == NULL ? 1 : c == NULL ? 2 : d == NULL ? 3 : 4;
    const struct shared_reply *reply;
    struct error err;

    assert_int_equal(link->ask(link, word, count, &reply, &err), 0);
    if (reply->kind == SHARED_REPLY_ERROR)
        fail_msg("%s: %s", a, reply->text.at);
    link->destroy(link);
}

static enum shared_verdict take(struct shared_store *store, unsigned lease_ms, struct error *err)
{
    return shared_store_take(store, lease_ms, SHARED_ANY_FENCE, err);
}

#define FINE(call) assert_string_equal(shared_verdict_name(call), "fine")
#define GIVES(call, verdict) assert_string_equal(shared_verdict_name(call), verdict)

static struct shared_end put(struct shared_store *store, struct shared_end end, const char *payload)
{
    const struct shared_frame frame = {end.number + 1, 2, text_of(payload)};
    struct error err;

    FINE(shared_store_put(store, SHARED_JOURNAL, end, &frame, NULL, 0, &err));
    return shared_end_after(end, &frame);
}

static int fresh(void **state)
{
    (void)state;
    meddle("FLUSHALL", NULL, NULL, NULL);
    return 0;
}

/* ---- S2: one owner ---- */

static void S2_a_unit_has_one_owner(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct shared_ownership unit;
    struct error err;

    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_fence(one), 1);
    GIVES(take(two, 60000, &err), "taken");
    assert_non_null(strstr(err.text, "unit main is owned by 1 one"));
    GIVES(shared_store_whose(two, &unit, &err), "taken");
    assert_non_null(strstr(err.text, "unit main is owned by 1 one"));
    assert_false(unit.is_free);
    assert_in_range(unit.left_ms, 1, 60000);
    assert_int_equal(unit.fence, 1);
    FINE(shared_store_keep(one, 60000, &err));
    FINE(shared_store_leave(one, true, &err));
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_fence(two), 2);
    shared_store_destroy(one);
    shared_store_destroy(two);
}

static void S2_who_comes_back_does_not_wait_for_itself(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *again = open_store("one");
    struct error err;

    FINE(take(one, 60000, &err));
    FINE(take(again, 60000, &err));
    assert_int_equal(shared_store_fence(again), 2);
    GIVES(shared_store_keep(one, 60000, &err), "fenced");
    shared_store_destroy(one);
    shared_store_destroy(again);
}

/* A copy of the directory, on this machine or another: who lives keeps the unit. */
static void S2_a_copy_of_the_directory_waits(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one.1"), *copy = open_store("one.2"),
                        *longer = open_store("one11.1");
    struct error err;

    FINE(take(one, 60000, &err));
    GIVES(take(copy, 60000, &err), "taken");
    assert_non_null(strstr(err.text, "owned by 1 one.1: this directory elsewhere"));
    GIVES(take(longer, 60000, &err), "taken");
    assert_null(strstr(err.text, "elsewhere"));
    FINE(shared_store_keep(one, 60000, &err));
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    FINE(take(copy, 60000, &err));
    assert_int_equal(shared_store_former(copy), SHARED_FORMER_COPY);
    GIVES(shared_store_keep(one, 60000, &err), "fenced");
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_COPY); /* marked, as all that were */
    shared_store_destroy(one);
    shared_store_destroy(copy);
    shared_store_destroy(longer);
}

/* Another program wrote there: it is not waited for, as a Redis that is away would be. */
static void S2_a_number_that_is_none_is_damage(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct error err;

    FINE(take(one, 60000, &err));
    meddle("SET", "tocsin:{main}:fence", "abc", NULL);
    GIVES(shared_store_keep(one, 60000, &err), "damaged");
    assert_non_null(strstr(err.text, "the number of its owner is not what was put there"));
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    GIVES(take(two, 60000, &err), "damaged");
    shared_store_destroy(one);
    shared_store_destroy(two);
}

/* An answer may be lost, or the one who asked may die: what it took over is in doubt all the same.
 */
static void S3_what_is_in_doubt_is_so_until_it_is_settled(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct error err;

    FINE(take(one, 60000, &err));
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_DOUBT);
    shared_store_settle(one);
    FINE(shared_store_keep(one, 60000, &err));
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    FINE(take(two, 60000, &err)); /* whose answer is lost, say */
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_DOUBT);
    FINE(shared_store_keep(two, 60000, &err));
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_DOUBT);
    shared_store_settle(two);
    FINE(shared_store_keep(two, 60000, &err));
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_SELF);
    shared_store_destroy(one);
    shared_store_destroy(two);
}

/* It lets the unit go, and owes the store a part of what it told. */
static void S3_who_leaves_out_of_order_says_so(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct error err;

    FINE(take(one, 60000, &err));
    FINE(shared_store_leave(one, false, &err));
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_OTHER);
    shared_store_destroy(one);
    shared_store_destroy(two);
}

/* Who takes the unit knows whether the one before may have told more than is there. */
static void S3_who_was_the_owner_before_is_known(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct error err;

    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_UNKNOWN);
    shared_store_settle(one);
    FINE(shared_store_keep(one, 60000, &err));
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_SELF);
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_OTHER);
    shared_store_settle(two);
    FINE(shared_store_leave(two, true, &err));
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_LEFT);
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_SELF);
    shared_store_destroy(one);
    shared_store_destroy(two);
}

/* One that ends in good order, but before it has told all that another may have told before. */
static void S3_what_is_in_doubt_stays_so_when_its_owner_leaves(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct error err;

    FINE(take(one, 60000, &err));
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_OTHER);
    FINE(shared_store_leave(two, true, &err));
    FINE(take(two, 60000, &err));
    assert_int_equal(shared_store_former(two), SHARED_FORMER_DOUBT);
    FINE(shared_store_leave(two, true, &err));
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_former(one), SHARED_FORMER_OTHER);
    shared_store_destroy(one);
    shared_store_destroy(two);
}

static void S2_a_lease_that_is_not_kept_is_over(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    uint64_t until = host_mono_ns() + UINT64_C(60000000000);
    enum shared_verdict verdict;
    struct error err;

    FINE(take(one, 50, &err));
    do
        verdict = take(two, 60000, &err);
    while (verdict == SHARED_TAKEN && host_mono_ns() < until);
    FINE(verdict);
    GIVES(shared_store_keep(one, 60000, &err), "fenced");
    assert_non_null(strstr(err.text, "another owner now"));
    GIVES(shared_store_leave(one, true, &err), "fenced");
    FINE(shared_store_keep(two, 60000, &err));
    shared_store_destroy(one);
    shared_store_destroy(two);
}

/* Nobody was there in between: a late renewal harms nobody. */
static void S2_a_lease_that_nobody_took_may_be_kept_late(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct error err;

    FINE(take(one, 60000, &err));
    meddle("DEL", "tocsin:{main}:lease", NULL, NULL);
    FINE(shared_store_keep(one, 60000, &err));
    shared_store_destroy(one);
}

static void S2_what_an_owner_of_before_writes_is_refused(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one"), *two = open_store("two");
    struct error err;
    struct shared_end end = {0, 0}, seen;

    FINE(take(one, 60000, &err));
    end = put(one, end, "first");
    FINE(shared_store_leave(one, true, &err));
    FINE(take(two, 60000, &err));
    const struct shared_frame frame = {2, 2, text_of("late")};
    GIVES(shared_store_put(one, SHARED_JOURNAL, end, &frame, NULL, 0, &err), "fenced");
    GIVES(shared_store_clear(one, &err), "fenced");
    GIVES(shared_store_trim(one, SHARED_JOURNAL, 2, &err), "fenced");
    FINE(shared_store_end(two, SHARED_JOURNAL, &seen, &err));
    assert_int_equal(seen.number, 1);
    assert_int_equal(seen.chain, end.chain);
    put(two, seen, "second");
    shared_store_destroy(one);
    shared_store_destroy(two);
}

/* ---- S3: the journal ---- */

struct read_back {
    VECTOR_OF(char) text;
    uint64_t frames;
};

static void on_frame(void *user, const struct shared_frame *frame)
{
    struct read_back *back = user;

    vector_reserve(&back->text, frame->payload.len + 1);
    memcpy(back->text.at + back->text.count, frame->payload.at, frame->payload.len);
    back->text.count += frame->payload.len;
    back->text.at[back->text.count] = '\0';
    back->frames++;
}

static enum shared_verdict read_all(struct shared_store *store, struct shared_end from,
                                    struct read_back *back, struct error *err)
{
    uint64_t before;

    do {
        before = back->frames;
        enum shared_verdict verdict =
            shared_store_read(store, SHARED_JOURNAL, &from, UINT64_MAX, on_frame, back, err);
        if (verdict != SHARED_FINE)
            return verdict;
    } while (back->frames > before);
    return SHARED_FINE;
}

static void S3_the_journal_is_read_back_as_it_was_put(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct shared_end end = {0, 0}, middle = {0, 0}, seen;
    struct read_back back = {0};
    struct error err;

    FINE(take(one, 60000, &err));
    GIVES(shared_store_end(one, SHARED_JOURNAL, &seen, &err), "lost");
    for (int i = 1; i <= 11; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d,", i);
        end = put(one, end, text);
        if (i == 6)
            middle = end;
    }
    FINE(read_all(one, (struct shared_end){0, 0}, &back, &err));
    assert_string_equal(back.text.at, "1,2,3,4,5,6,7,8,9,10,11,");
    back.text.count = 0;
    FINE(read_all(one, middle, &back, &err));
    assert_string_equal(back.text.at, "7,8,9,10,11,");
    /* Behind a snapshot what came before it is not needed. */
    FINE(shared_store_trim(one, SHARED_JOURNAL, 7, &err));
    back.text.count = 0;
    FINE(read_all(one, middle, &back, &err));
    assert_string_equal(back.text.at, "7,8,9,10,11,");
    GIVES(read_all(one, (struct shared_end){0, 0}, &back, &err), "damaged");
    assert_non_null(strstr(err.text, "frame 7 of its journal in the shared store does not follow"));
    FINE(shared_store_clear(one, &err));
    GIVES(shared_store_end(one, SHARED_JOURNAL, &seen, &err), "lost");
    free(back.text.at);
    shared_store_destroy(one);
}

static void S3_any_bytes_go_in_and_come_out(void **state)
{
    (void)state;
    enum { BYTES = 3 << 20 };
    struct shared_store *one = open_store("one");
    char *bytes = malloc(BYTES);
    struct read_back back = {0};
    struct error err;

    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 31 ^ i >> 9);
    FINE(take(one, 60000, &err));
    const struct shared_frame frame = {1, 7, {bytes, BYTES}};
    FINE(shared_store_put(one, SHARED_JOURNAL, (struct shared_end){0, 0}, &frame, NULL, 0, &err));
    FINE(read_all(one, (struct shared_end){0, 0}, &back, &err));
    assert_int_equal(back.text.count, BYTES);
    assert_memory_equal(back.text.at, bytes, BYTES);
    free(back.text.at);
    free(bytes);
    shared_store_destroy(one);
}

/* Its answer was lost: it is put once more, and is there once. */
static void S1_a_frame_that_comes_twice_is_there_once(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct shared_end end = {0, 0};
    struct read_back back = {0};
    struct error err;

    FINE(take(one, 60000, &err));
    put(one, end, "a");
    end = put(one, end, "a");
    put(one, end, "b");
    FINE(read_all(one, (struct shared_end){0, 0}, &back, &err));
    assert_string_equal(back.text.at, "ab");
    /* Another frame of the same number, or one behind a hole, is refused. */
    const struct shared_frame other = {1, 2, text_of("x")}, far = {4, 2, text_of("y")};
    GIVES(shared_store_put(one, SHARED_JOURNAL, (struct shared_end){0, 0}, &other, NULL, 0, &err),
          "apart");
    GIVES(shared_store_put(one, SHARED_JOURNAL, (struct shared_end){3, 9}, &far, NULL, 0, &err),
          "apart");
    free(back.text.at);
    shared_store_destroy(one);
}

static void S3_what_other_hands_changed_is_noticed(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct shared_end end = {0, 0};
    struct read_back back = {0};
    struct error err;

    FINE(take(one, 60000, &err));
    for (int i = 0; i < 3; i++)
        end = put(one, end, "abc");
    meddle("XDEL", "tocsin:{main}:journal", "2-0", NULL);
    GIVES(read_all(one, (struct shared_end){0, 0}, &back, &err), "damaged");
    assert_int_equal(back.frames, 1);
    meddle("SET", "tocsin:{main}:end", "3 x", NULL);
    struct shared_end seen;
    GIVES(shared_store_end(one, SHARED_JOURNAL, &seen, &err), "damaged");
    meddle("SET", "tocsin:{main}:journal", "text", NULL);
    GIVES(read_all(one, (struct shared_end){0, 0}, &back, &err), "damaged");
    assert_non_null(strstr(err.text, "another program has written to it"));
    free(back.text.at);
    shared_store_destroy(one);
}

static void S4_a_store_that_forgot_says_so(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct shared_end end = {0, 0};
    struct error err;

    FINE(take(one, 60000, &err));
    end = put(one, end, "a");
    meddle("FLUSHALL", NULL, NULL, NULL);
    GIVES(shared_store_keep(one, 60000, &err), "lost");
    const struct shared_frame frame = {2, 2, text_of("b")};
    GIVES(shared_store_put(one, SHARED_JOURNAL, end, &frame, NULL, 0, &err), "lost");
    /* It is the owner under a new number, and behind it is told from the start. */
    FINE(take(one, 60000, &err));
    assert_int_equal(shared_store_fence(one), 2);
    GIVES(shared_store_put(one, SHARED_JOURNAL, end, &frame, NULL, 0, &err), "apart");
    FINE(shared_store_clear(one, &err));
    put(one, put(one, (struct shared_end){0, 0}, "a"), "b");
    shared_store_destroy(one);
}

/* ---- open incidents and blobs ---- */

struct listed {
    size_t count;
    uint64_t sum;
    char last[64];
};

static void on_open(void *user, const struct shared_open *open)
{
    struct listed *listed = user;

    listed->count++;
    listed->sum += open->id.lo;
    snprintf(listed->last, sizeof(listed->last), "%.*s", (int)open->record.len, open->record.at);
}

static void S3_open_incidents_are_there_for_everyone(void **state)
{
    (void)state;
    enum { COUNT = 1200 };
    struct shared_store *one = open_store("one"), *reader = open_store("reader");
    struct shared_open *open = malloc(COUNT * sizeof(*open));
    struct shared_frame frame = {1, 2, text_of("a")};
    struct shared_end end = {0, 0};
    struct listed listed = {0};
    struct error err;

    FINE(take(one, 60000, &err));
    for (uint64_t i = 0; i < COUNT; i++)
        open[i] = (struct shared_open){{7, i + 1}, text_of("{\"title\":\"disk full\"}")};
    FINE(shared_store_put(one, SHARED_JOURNAL, end, &frame, open, COUNT, &err));
    end = shared_end_after(end, &frame);
    FINE(shared_store_open_list(reader, on_open, &listed, &err));
    assert_int_equal(listed.count, COUNT);
    assert_int_equal(listed.sum, (uint64_t)COUNT * (COUNT + 1) / 2);
    assert_string_equal(listed.last, "{\"title\":\"disk full\"}");
    for (uint64_t i = 0; i + 1 < COUNT; i++)
        open[i].record = text_of("");
    open[COUNT - 1].record = text_of("{}");
    frame = (struct shared_frame){2, 2, text_of("b")};
    FINE(shared_store_put(one, SHARED_JOURNAL, end, &frame, open, COUNT, &err));
    listed = (struct listed){0};
    FINE(shared_store_open_list(reader, on_open, &listed, &err));
    assert_int_equal(listed.count, 1);
    assert_int_equal(listed.sum, COUNT);
    assert_string_equal(listed.last, "{}");
    /* All goes there anew: what was closed meanwhile is not in it. */
    FINE(shared_store_clear(one, &err));
    listed = (struct listed){0};
    FINE(shared_store_open_list(reader, on_open, &listed, &err));
    assert_int_equal(listed.count, 0);
    meddle("HSET", "tocsin:{main}:open", "me", "too");
    GIVES(shared_store_open_list(reader, on_open, &listed, &err), "damaged");
    free(open);
    shared_store_destroy(one);
    shared_store_destroy(reader);
}

static void S3_blobs_are_kept_by_their_hash(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    const struct id128 hash = {1, 2};
    struct text out;
    struct error err;

    GIVES(shared_store_blob(one, hash, &out, &err), "lost");
    FINE(shared_store_put_blob(one, hash, text_of("rules: []"), &err));
    FINE(shared_store_put_blob(one, hash, text_of("rules: []"), &err));
    FINE(shared_store_blob(one, hash, &out, &err));
    assert_true(texts_equal(out, text_of("rules: []")));
    shared_store_destroy(one);
}

/* ---- F4: a store that does not serve ---- */

static void F4_a_store_that_is_gone_is_away_and_comes_back(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct error err;

    FINE(take(one, 60000, &err));
    redis_process_kill(&redis);
    GIVES(shared_store_keep(one, 60000, &err), "away");
    GIVES(shared_store_keep(one, 60000, &err), "away");
    assert_non_null(strstr(err.text, "redis.sock"));
    assert_true(redis_process_start(&redis, NULL, NULL));
    GIVES(shared_store_keep(one, 60000, &err), "lost"); /* it kept no files */
    shared_store_destroy(one);
}

static void F4_a_password_is_asked_for(void **state)
{
    (void)state;
    struct shared_link *link = dial_with(redis.address, "wrong", 60000);
    struct shared_store *store;
    struct error err;

    meddle("CONFIG", "SET", "requirepass", "right");
    assert_int_equal(shared_store_create(link, "main", "one", &store, &err), 0);
    GIVES(take(store, 60000, &err), "away");
    assert_non_null(strstr(err.text, "refuses the password"));
    shared_store_destroy(store);
    store = open_store("one");
    GIVES(take(store, 60000, &err), "away");
    assert_non_null(strstr(err.text, "NOAUTH"));
    shared_store_destroy(store);
    link = dial_with(redis.address, "right", 60000);
    assert_int_equal(shared_store_create(link, "main", "one", &store, &err), 0);
    FINE(take(store, 60000, &err));
    shared_store_destroy(store);
    redis_process_kill(&redis);
    assert_true(redis_process_start(&redis, NULL, NULL));
}

static void F4_a_store_that_takes_nothing_is_away(void **state)
{
    (void)state;
    struct shared_store *one = open_store("one");
    struct error err;

    FINE(take(one, 60000, &err));
    FINE(shared_store_check(one, &err));
    meddle("CONFIG", "SET", "maxmemory", "1");
    const struct shared_frame frame = {1, 2, text_of("a")};
    GIVES(shared_store_put(one, SHARED_JOURNAL, (struct shared_end){0, 0}, &frame, NULL, 0, &err),
          "away");
    assert_non_null(strstr(err.text, "OOM"));
    meddle("CONFIG", "SET", "maxmemory", "0");
    meddle("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    GIVES(shared_store_check(one, &err), "damaged");
    assert_non_null(strstr(err.text, "maxmemory-policy allkeys-lru"));
    meddle("CONFIG", "SET", "maxmemory-policy", "noeviction");
    meddle("REPLICAOF", "127.0.0.1", "1", NULL); /* of nobody that answers: read-only */
    GIVES(shared_store_put(one, SHARED_JOURNAL, (struct shared_end){0, 0}, &frame, NULL, 0, &err),
          "away");
    meddle("REPLICAOF", "NO", "ONE", NULL);
    FINE(shared_store_put(one, SHARED_JOURNAL, (struct shared_end){0, 0}, &frame, NULL, 0, &err));
    shared_store_destroy(one);
}

/* ---- a peer that is no Redis ---- */

struct liar {
    int listener;
    const char *answer;
    size_t bytes;
    unsigned pause_us; /* between its bytes; 0: all at once */
    char address[128];
    pthread_t thread;
};

static void *liar_serve(void *user)
{
    struct liar *liar = user;
    int fd = accept(liar->listener, NULL, NULL);
    char asked[4096];

    if (fd < 0 || recv(fd, asked, sizeof(asked), 0) <= 0)
        return NULL;
    for (size_t at = 0; at<liar->bytes; at += liar->pause_us> 0 ? 1 : liar->bytes) {
        if (send(fd, liar->answer + at, liar->pause_us > 0 ? 1 : liar->bytes, MSG_NOSIGNAL) < 0)
            break;
        if (liar->pause_us > 0)
            usleep(liar->pause_us);
    }
    while (liar->pause_us == 0 && recv(fd, asked, sizeof(asked), 0) > 0) {
    }
    close(fd);
    return NULL;
}

static void liar_start(struct liar *liar)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/liar", redis.folder);
    unlink(at.sun_path);
    snprintf(liar->address, sizeof(liar->address), "unix:%s", at.sun_path);
    liar->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(liar->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(liar->listener, 1), 0);
    assert_int_equal(pthread_create(&liar->thread, NULL, liar_serve, liar), 0);
}

static void liar_stop(struct liar *liar)
{
    pthread_join(liar->thread, NULL);
    close(liar->listener);
    unlink(liar->address + strlen("unix:"));
}

static void answers_of_strangers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *verdict;
        bool is_all; /* nothing more is waited for, however long it takes to come */
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "away", true},
        {"*2\r\n:9\r\n:1\r\n", "damaged", true},
        {"*0\r\n", "damaged", true},
        {":0\r\n", "damaged", true},
        {"$-1\r\n", "damaged", true},
        {"*2\r\n:0\r\n$3\r\nabc\r\n", "damaged", true},
        {"*2\r\n:0\r\n$2\r\n1 \r\n", "damaged", true},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "away", true},
        {"-LOADING Redis is loading the dataset in memory\r\n", "away", true},
        {"$99999999999999999999\r\n", "away", true},
        {"*-7\r\n", "away", true},
        {"", "away", false},
        {"*2\r\n:0\r\n$5\r\nab", "away", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct liar liar = {.answer = rows[i].answer, .bytes = strlen(rows[i].answer)};
        struct shared_store *store;
        struct error err = {""};
        liar_start(&liar);
        assert_int_equal(
            shared_store_create(dial_with(liar.address, NULL, rows[i].is_all ? 60000 : 100), "main",
                                "one", &store, &err),
            0);
        enum shared_verdict verdict = take(store, 60000, &err);
        if (strcmp(shared_verdict_name(verdict), rows[i].verdict) != 0)
            fail_msg("%s: %s, %s", rows[i].answer, shared_verdict_name(verdict), err.text);
        assert_true(err.text[0] != '\0');
        shared_store_destroy(store);
        liar_stop(&liar);
    }
}

/* A byte now and then is an answer to each wait, and still none within the time. */
static void a_drip_of_bytes_is_no_answer(void **state)
{
    (void)state;
    struct liar liar = {.answer = "*2\r\n:0\r\n$400\r\n0123456789012345678901234567890123456789"
                                  "0123456789012345678901234567890123456789",
                        .bytes = 90,
                        .pause_us = 100000}; /* nine seconds, and it is waited for 200 ms */
    struct shared_store *store;
    struct error err;

    liar_start(&liar);
    assert_int_equal(
        shared_store_create(dial_with(liar.address, NULL, 200), "main", "one", &store, &err), 0);
    uint64_t began = host_mono_ns();
    GIVES(take(store, 60000, &err), "away");
    assert_true(host_mono_ns() - began < UINT64_C(8000000000));
    assert_non_null(strstr(err.text, "no answer within 200 ms"));
    shared_store_destroy(store);
    liar_stop(&liar);
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "host",       ":6379",           "host:",  "host:0",
        "host:65536", "host:6379x", "unix:redis.sock", "host:-1"};
    struct shared_store *store;
    struct error err;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        err.text[0] = '\0';
        assert_int_equal(redis_address_check(wrong[i], &err), -EINVAL);
        assert_non_null(strstr(err.text, wrong[i]));
    }
    assert_int_equal(redis_address_check("::1:6379", &err), 0);
    assert_int_equal(redis_address_check("unix:/run/redis.sock", &err), 0);
    struct shared_link *link = dial_with("localhost:1", NULL, 100);
    assert_int_equal(shared_store_create(link, "a b", "one", &store, &err), -EINVAL);
    assert_int_equal(shared_store_create(link, "a{b", "one", &store, &err), -EINVAL);
    assert_int_equal(shared_store_create(link, "", "one", &store, &err), -EINVAL);
    link->destroy(link);
}

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return redis_process_start(&redis, NULL, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    redis_process_end(&redis);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(S2_a_unit_has_one_owner, fresh),
        cmocka_unit_test_setup(S2_who_comes_back_does_not_wait_for_itself, fresh),
        cmocka_unit_test_setup(S2_a_copy_of_the_directory_waits, fresh),
        cmocka_unit_test_setup(S2_a_number_that_is_none_is_damage, fresh),
        cmocka_unit_test_setup(S3_who_was_the_owner_before_is_known, fresh),
        cmocka_unit_test_setup(S3_what_is_in_doubt_is_so_until_it_is_settled, fresh),
        cmocka_unit_test_setup(S3_who_leaves_out_of_order_says_so, fresh),
        cmocka_unit_test_setup(S3_what_is_in_doubt_stays_so_when_its_owner_leaves, fresh),
        cmocka_unit_test_setup(S2_a_lease_that_is_not_kept_is_over, fresh),
        cmocka_unit_test_setup(S2_a_lease_that_nobody_took_may_be_kept_late, fresh),
        cmocka_unit_test_setup(S2_what_an_owner_of_before_writes_is_refused, fresh),
        cmocka_unit_test_setup(S3_the_journal_is_read_back_as_it_was_put, fresh),
        cmocka_unit_test_setup(S3_any_bytes_go_in_and_come_out, fresh),
        cmocka_unit_test_setup(S1_a_frame_that_comes_twice_is_there_once, fresh),
        cmocka_unit_test_setup(S3_what_other_hands_changed_is_noticed, fresh),
        cmocka_unit_test_setup(S4_a_store_that_forgot_says_so, fresh),
        cmocka_unit_test_setup(S3_open_incidents_are_there_for_everyone, fresh),
        cmocka_unit_test_setup(S3_blobs_are_kept_by_their_hash, fresh),
        cmocka_unit_test_setup(F4_a_store_that_is_gone_is_away_and_comes_back, fresh),
        cmocka_unit_test_setup(F4_a_password_is_asked_for, fresh),
        cmocka_unit_test_setup(F4_a_store_that_takes_nothing_is_away, fresh),
        cmocka_unit_test(answers_of_strangers_are_refused),
        cmocka_unit_test(a_drip_of_bytes_is_no_answer),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
