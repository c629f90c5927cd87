/*
 * fuzz_redis_reply.c - whatever a Redis answers is taken, or refused with a sentence.
 *
 * A server on a socket says the input to whoever connects, whatever was asked, and hangs up; the
 * shared store goes through all of its questions over the real link, each beginning where the
 * answers of the one before ended.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "store/redis_link.h"
#include "store/shared_store.h"

static char address[128];
static int listener;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const uint8_t *said; /* under the lock */
static size_t said_bytes;

static void *serve(void *none)
{
    char gone[4096];

    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return none;
        pthread_mutex_lock(&lock);
        if (send(fd, said, said_bytes, MSG_NOSIGNAL) < 0)
            said_bytes = 0;
        pthread_mutex_unlock(&lock);
        shutdown(fd, SHUT_WR);
        while (read(fd, gone, sizeof(gone)) > 0)
            ;
        close(fd);
    }
}

static void end(void)
{
    unlink(address + strlen("unix:"));
}

static void begin(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/tocsin-fuzz-redis-%d", (int)getpid());
    snprintf(address, sizeof(address), "unix:%s", at.sun_path);
    unlink(at.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(listener, 16) != 0 || pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    atexit(end);
}

static void on_frame(void *user, const struct shared_frame *frame)
{
    for (uint32_t i = 0; i < frame->payload.len; i++)
        *(unsigned *)user += (unsigned char)frame->payload.at[i];
}

static void on_open(void *user, const struct shared_open *open)
{
    for (uint32_t i = 0; i < open->record.len; i++)
        *(unsigned *)user += (unsigned char)open->record.at[i];
}

/* A verdict that is not fine comes with a sentence. */
static void hear(enum shared_verdict verdict, const struct error *err)
{
    if (verdict != SHARED_FINE && (err->text[0] == '\0' || strcmp(err->text, "unsaid") == 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct redis_config config = {
        .address = address, .connect_ms = 10000, .answer_ms = 10000};
    static const struct shared_frame frame = {1, 1, {"payload", 7}};
    struct shared_end end = {0, 0};
    struct shared_link *link;
    struct shared_store *store;
    struct error err = {"unsaid"};
    struct text blob;
    unsigned sum = 0;
    struct shared_ownership unit;

    if (address[0] == '\0')
        begin();
    pthread_mutex_lock(&lock);
    said = data;
    said_bytes = bytes;
    pthread_mutex_unlock(&lock);
    if (redis_link_create(&config, &link, &err) != 0 ||
        shared_store_create(link, "main", "one", &store, &err) != 0)
        abort();
#define HEAR(call) (strcpy(err.text, "unsaid"), hear(call, &err))
    HEAR(shared_store_whose(store, &unit, &err));
    HEAR(shared_store_take(store, 10000, SHARED_ANY_FENCE, &err));
    HEAR(shared_store_keep(store, 10000, &err));
    for (enum shared_log which = 0; which < SHARED_LOGS; which++) {
        HEAR(shared_store_end(store, which, &end, &err));
        HEAR(shared_store_put(store, which, end, &frame, NULL, 0, &err));
        end = (struct shared_end){0, 0};
        HEAR(shared_store_read(store, which, &end, UINT64_MAX, on_frame, &sum, &err));
        HEAR(shared_store_end_at(store, which, 1, &end, &err));
    }
    HEAR(shared_store_blob(store, (struct id128){1, 2}, &blob, &err));
    HEAR(shared_store_open_list(store, on_open, &sum, &err));
    HEAR(shared_store_check(store, &err));
#undef HEAR
    pthread_mutex_lock(&lock);
    said = NULL;
    said_bytes = 0;
    pthread_mutex_unlock(&lock);
    shared_store_destroy(store);
    return 0;
}
