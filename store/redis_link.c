/*
 * redis_link.c - see redis_link.h. The one file that knows hiredis.
 *
 * hiredis waits per call of the system, so a peer that sends a byte now and then would hold it for
 * ever: the reader is fed here, and what is left of the time is set before each wait.
 */
#include "store/redis_link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include "base/arena.h"
#include "base/host.h"
#include "base/slab.h"

struct redis_link {
    struct shared_link link; /* first */
    redisContext *redis;     /* NULL: not connected */
    char *host;              /* or the path of a socket */
    uint16_t port;           /* 0: a socket */
    char *user, *password;
    unsigned connect_ms, answer_ms;
    struct arena *replies; /* of the last command */
};

static char *copy_of(const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = memory_grow(NULL, strlen(text) + 1);
    return strcpy(copy, text);
}

/* ---- addresses ---- */

static int address_read(const char *address, char **host, uint16_t *port, struct error *err)
{
    const char *colon = strrchr(address, ':');
    char *end;

    if (strncmp(address, "unix:", 5) == 0) {
        if (address[5] != '/') {
            error_set(err, "\"%s\": behind unix: stands the whole path of a socket", address);
            return -EINVAL;
        }
        *host = copy_of(address + 5);
        *port = 0;
        return 0;
    }
    unsigned long number =
        colon != NULL && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
    if (number < 1 || number > 65535 || *end != '\0' || colon == address) {
        error_set(err, "\"%s\" is no address: write host:port or unix:/path", address);
        return -EINVAL;
    }
    *host = copy_of(address);
    (*host)[colon - address] = '\0';
    *port = (uint16_t)number;
    return 0;
}

int redis_address_check(const char *address, struct error *err)
{
    char *host = NULL;
    uint16_t port;
    int rc = address_read(address, &host, &port, err);

    free(host);
    return rc;
}

/* ---- replies ---- */

/* False: more than the bounds allow, or out of memory. */
static bool reply_keep(struct redis_link *link, const redisReply *from, unsigned depth,
                       size_t *items_left, struct shared_reply *to)
{
    *to = (struct shared_reply){.kind = SHARED_REPLY_NIL};
    switch (from->type) {
    case REDIS_REPLY_INTEGER:
        to->kind = SHARED_REPLY_NUMBER;
        to->number = from->integer;
        return true;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        to->kind = from->type == REDIS_REPLY_ERROR ? SHARED_REPLY_ERROR : SHARED_REPLY_TEXT;
        if ((uint64_t)from->len > UINT32_MAX)
            return false;
        return text_keep(link->replies, (struct text){from->str, (uint32_t)from->len}, &to->text);
    case REDIS_REPLY_ARRAY:
        break;
    default: /* nil, and what later protocols bring, which was not asked for */
        return true;
    }
    if (depth == REDIS_DEPTH_MAX || (size_t)from->elements > *items_left)
        return false;
    *items_left -= (size_t)from->elements;
    struct shared_reply *item =
        arena_alloc_many(link->replies, (size_t)from->elements + 1, sizeof(*item));
    if (item == NULL)
        return false;
    for (size_t i = 0; i < (size_t)from->elements; i++)
        if (from->element[i] == NULL ||
            !reply_keep(link, from->element[i], depth + 1, items_left, &item[i]))
            return false;
    to->kind = SHARED_REPLY_LIST;
    to->item = item;
    to->count = (size_t)from->elements;
    return true;
}

/* ---- one command ---- */

static void hang_up(struct redis_link *link)
{
    if (link->redis != NULL)
        redisFree(link->redis);
    link->redis = NULL;
}

static struct timeval timeval_of(uint64_t ns)
{
    return (struct timeval){.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_usec = (suseconds_t)(ns % 1000000000u / 1000u)};
}

/* 0, or -ETIMEDOUT; the next wait of the connection ends by then. */
static int wait_until(struct redis_link *link, uint64_t until_ns)
{
    uint64_t now = host_mono_ns();

    if (now + 1000 >= until_ns)
        return -ETIMEDOUT;
    redisSetTimeout(link->redis, timeval_of(until_ns - now));
    return 0;
}

static int went_wrong(struct redis_link *link, int rc, const char *what, struct error *err)
{
    const redisContext *redis = link->redis;

    if (rc == 0) {
        bool is_slow = redis != NULL && redis->err == REDIS_ERR_IO &&
                       (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT);
        rc = is_slow ? -ETIMEDOUT : -ECONNRESET;
    }
    if (rc == -ETIMEDOUT)
        error_set(err, "%s: no answer within %u ms", what, link->answer_ms);
    else
        error_set(err, "%s: %.200s", what,
                  redis != NULL && redis->err != 0 ? redis->errstr : strerror(-rc));
    hang_up(link);
    return rc;
}

static bool say(struct redis_link *link, const struct text *word, size_t count)
{
    const char **at = memory_alloc(count * sizeof(*at));
    size_t *len = memory_alloc(count * sizeof(*len));

    for (size_t i = 0; i < count; i++) {
        at[i] = word[i].at;
        len[i] = word[i].len;
    }
    int rc =
        count <= INT_MAX ? redisAppendCommandArgv(link->redis, (int)count, at, len) : REDIS_ERR;
    free(at);
    free(len);
    return rc == REDIS_OK;
}

static int talk(struct redis_link *link, const struct text *word, size_t count, redisReply **reply,
                struct error *err)
{
    uint64_t until = host_mono_ns() + link->answer_ms * UINT64_C(1000000);
    int done = 0, rc;

    if (!say(link, word, count))
        return went_wrong(link, -ENOMEM, "redis", err);
    while (!done) {
        if ((rc = wait_until(link, until)) != 0)
            return went_wrong(link, rc, "redis", err);
        if (redisBufferWrite(link->redis, &done) != REDIS_OK)
            return went_wrong(link, 0, "redis", err);
    }
    *reply = NULL;
    for (;;) {
        if (redisGetReplyFromReader(link->redis, (void **)reply) != REDIS_OK)
            return went_wrong(link, -EBADMSG, "redis", err);
        if (*reply != NULL)
            return 0;
        if ((rc = wait_until(link, until)) != 0)
            return went_wrong(link, rc, "redis", err);
        if (redisBufferRead(link->redis) != REDIS_OK)
            return went_wrong(link, 0, "redis", err);
        if (link->redis->reader->len > REDIS_REPLY_BYTES_MAX)
            return went_wrong(link, -EMSGSIZE, "redis", err);
    }
}

/* The client library takes room for as many items as a list says that it has, before one of them is
 * there. */
static redisReplyObjectFunctions bounded;
static void *(*make_list)(const redisReadTask *task, int items);
static pthread_once_t bounded_once = PTHREAD_ONCE_INIT;

static void *make_bounded_list(const redisReadTask *task, int items)
{
    return items <= REDIS_ITEMS_MAX ? make_list(task, items) : NULL;
}

static void bounded_make(void)
{
    redisReader *reader = redisReaderCreate();

    if (reader == NULL)
        abort();
    bounded = *reader->fn;
    make_list = bounded.createArray;
    bounded.createArray = make_bounded_list;
    redisReaderFree(reader);
}

static int log_in(struct redis_link *link, struct error *err)
{
    struct text word[3] = {text_of("AUTH"), text_of(link->user), text_of(link->password)};
    size_t count = link->user != NULL ? 3 : 2;
    redisReply *reply;

    if (link->password == NULL)
        return 0;
    if (link->user == NULL)
        word[1] = word[2];
    int rc = talk(link, word, count, &reply, err);
    if (rc != 0)
        return rc;
    if (reply->type == REDIS_REPLY_ERROR) {
        error_set(err, "redis %s%s%.0d refuses the password: %.200s", link->host,
                  link->port != 0 ? " port " : "", link->port, reply->str);
        rc = -EACCES;
        hang_up(link);
    }
    freeReplyObject(reply);
    return rc;
}

static int dial(struct redis_link *link, struct error *err)
{
    struct timeval patience = timeval_of(link->connect_ms * UINT64_C(1000000));

    link->redis = link->port == 0 ? redisConnectUnixWithTimeout(link->host, patience)
                                  : redisConnectWithTimeout(link->host, link->port, patience);
    if (link->redis != NULL && link->redis->err == 0) {
        pthread_once(&bounded_once, bounded_make);
        link->redis->reader->fn = &bounded;
        return log_in(link, err);
    }
    error_set(err, "redis %s%s%.0d: %.200s", link->host, link->port != 0 ? " port " : "",
              link->port, link->redis != NULL ? link->redis->errstr : "out of memory");
    hang_up(link);
    return -ECONNREFUSED;
}

static int redis_ask(struct shared_link *self, const struct text *word, size_t count,
                     const struct shared_reply **out, struct error *err)
{
    struct redis_link *link = (struct redis_link *)self;
    size_t items_left = REDIS_ITEMS_MAX;
    struct shared_reply *kept;
    redisReply *reply;
    int rc = link->redis != NULL ? 0 : dial(link, err);

    if (rc != 0 || (rc = talk(link, word, count, &reply, err)) != 0)
        return rc;
    arena_destroy(link->replies);
    link->replies = arena_create(2 * (size_t)REDIS_REPLY_BYTES_MAX);
    kept = link->replies != NULL ? arena_alloc(link->replies, sizeof(*kept)) : NULL;
    if (kept == NULL || !reply_keep(link, reply, 0, &items_left, kept)) {
        rc = -EMSGSIZE;
        error_set(err,
                  "redis: a reply that is too large: %d items, %d lists within lists and %d MiB "
                  "are taken",
                  REDIS_ITEMS_MAX, REDIS_DEPTH_MAX, REDIS_REPLY_BYTES_MAX >> 20);
        hang_up(link);
    }
    freeReplyObject(reply);
    *out = kept;
    return rc;
}

static void redis_destroy(struct shared_link *self)
{
    struct redis_link *link = (struct redis_link *)self;

    if (link == NULL)
        return;
    hang_up(link);
    arena_destroy(link->replies);
    free(link->host);
    free(link->user);
    free(link->password);
    free(link);
}

int redis_link_create(const struct redis_config *config, struct shared_link **out,
                      struct error *err)
{
    struct redis_link *link = memory_grow(NULL, sizeof(*link));
    int rc;

    *link = (struct redis_link){.link = {redis_ask, redis_destroy},
                                .user = copy_of(config->user),
                                .password = copy_of(config->password),
                                .connect_ms = config->connect_ms,
                                .answer_ms = config->answer_ms};
    rc = address_read(config->address, &link->host, &link->port, err);
    if (rc != 0) {
        redis_destroy(&link->link);
        return rc;
    }
    *out = &link->link;
    return 0;
}
