/*
 * fake_sink.h - an HTTP server on loopback that behaves as badly as a test asks.
 *
 * It runs in a thread of its own, one connection at a time, and takes the next
 * entry of a script for each request. Plain sockets, because a well-behaved server
 * library cannot be told to hang up half-way.
 *
 * Thread: start and stop by the test; requests and their count under the lock.
 */
#ifndef TESTS_FAKE_SINK_H
#define TESTS_FAKE_SINK_H

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum fake_act {
    FAKE_ANSWER,          /* `answer` is sent as it is, then the connection is kept */
    FAKE_ANSWER_CLOSE,    /* the same, and the connection closed */
    FAKE_HANG_UP,         /* the request is read, then the connection closed */
    FAKE_HANG_UP_IN_BODY, /* the connection is closed after half of the request's body */
    FAKE_STALL,           /* the request is read and never answered */
    FAKE_DRIP,            /* the answer comes byte by byte, 1 ms apart */
};

struct fake_step {
    enum fake_act act;
    const char *answer;
};

enum { FAKE_REQUESTS_MAX = 512, FAKE_REQUEST_BYTES = 16384 };

struct fake_sink {
    int listener;
    unsigned short port;
    pthread_t thread;
    const struct fake_step *steps; /* the last one is repeated */
    size_t step_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
    size_t request_count, connection_count;
    char *requests[FAKE_REQUESTS_MAX];
    struct timespec came_at[FAKE_REQUESTS_MAX]; /* by the monotonic clock, before it is answered */
    void (*seen)(const char *request);          /* before it counts; NULL: nobody looks */
};

#define FAKE_200 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static inline bool fake_is_stopping(struct fake_sink *fake)
{
    bool is_stopping;

    pthread_mutex_lock(&fake->lock);
    is_stopping = fake->is_stopping;
    pthread_mutex_unlock(&fake->lock);
    return is_stopping;
}

/* Waits for input; false: the test stops the server, or the peer is gone. */
static inline bool fake_wait(struct fake_sink *fake, int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};

    while (!fake_is_stopping(fake))
        if (poll(&waiting, 1, 20) > 0)
            return true;
    return false;
}

/* Reads one request; with `half_body` only to the middle of its body. Returns its
 * bytes, 0 at the end of the connection. */
static inline size_t fake_read_request(struct fake_sink *fake, int fd, char *to, bool half_body)
{
    size_t used = 0, want = SIZE_MAX;

    while (used < want) {
        ssize_t got;
        const char *end, *length;
        if (!fake_wait(fake, fd))
            return 0;
        got = recv(fd, to + used, FAKE_REQUEST_BYTES - 1 - used, 0);
        if (got <= 0)
            return 0;
        used += (size_t)got;
        to[used] = '\0';
        end = strstr(to, "\r\n\r\n");
        length = strcasestr(to, "\r\nContent-Length: ");
        if (end != NULL && length != NULL) {
            size_t body = strtoul(length + 18, NULL, 10);
            want = (size_t)(end - to) + 4 + (half_body ? body / 2 : body);
            assert(want < FAKE_REQUEST_BYTES);
        } else if (end != NULL && strncmp(to, "GET ", 4) == 0) {
            want = (size_t)(end - to) + 4;
        }
    }
    return used;
}

static inline void fake_send(int fd, const char *answer, bool drip)
{
    size_t bytes = strlen(answer), step = drip ? 1 : bytes;

    for (size_t i = 0; i < bytes; i += step) {
        if (send(fd, answer + i, step, MSG_NOSIGNAL) < 0)
            return;
        if (drip)
            usleep(1000); /* the behaviour itself: a slow sink */
    }
}

static inline void fake_serve(struct fake_sink *fake, int fd)
{
    char *request = malloc(FAKE_REQUEST_BYTES);
    bool is_open = true;

    assert(request != NULL);
    while (is_open) {
        size_t index = fake->request_count;
        const struct fake_step *step =
            &fake->steps[index < fake->step_count ? index : fake->step_count - 1];
        if (fake_read_request(fake, fd, request, step->act == FAKE_HANG_UP_IN_BODY) == 0)
            break;
        if (fake->seen != NULL)
            fake->seen(request);
        pthread_mutex_lock(&fake->lock);
        assert(index < FAKE_REQUESTS_MAX);
        fake->requests[index] = strdup(request);
        clock_gettime(CLOCK_MONOTONIC, &fake->came_at[index]);
        fake->request_count++;
        pthread_cond_broadcast(&fake->changed);
        pthread_mutex_unlock(&fake->lock);
        is_open = step->act == FAKE_ANSWER || step->act == FAKE_DRIP;
        if (step->act == FAKE_ANSWER || step->act == FAKE_ANSWER_CLOSE || step->act == FAKE_DRIP)
            fake_send(fd, step->answer, step->act == FAKE_DRIP);
        else if (step->act == FAKE_STALL) /* until the client gives up */
            fake_wait(fake, fd);
    }
    free(request);
    close(fd);
}

static inline void *fake_run(void *arg)
{
    struct fake_sink *fake = arg;

    while (fake_wait(fake, fake->listener)) {
        int fd = accept(fake->listener, NULL, NULL);
        if (fd < 0)
            continue;
        pthread_mutex_lock(&fake->lock);
        fake->connection_count++;
        pthread_mutex_unlock(&fake->lock);
        fake_serve(fake, fd);
    }
    return NULL;
}

static inline void fake_start(struct fake_sink *fake, const struct fake_step *steps, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(at);

    memset(fake, 0, sizeof(*fake));
    fake->steps = steps;
    fake->step_count = count;
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->changed, NULL);
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fake->listener >= 0);
    if (bind(fake->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(fake->listener, 64) != 0 ||
        getsockname(fake->listener, (struct sockaddr *)&at, &bytes) != 0)
        abort();
    fake->port = ntohs(at.sin_port);
    if (pthread_create(&fake->thread, NULL, fake_run, fake) != 0)
        abort();
}

static inline void fake_stop(struct fake_sink *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->is_stopping = true;
    pthread_mutex_unlock(&fake->lock);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    for (size_t i = 0; i < fake->request_count; i++)
        free(fake->requests[i]);
    pthread_mutex_destroy(&fake->lock);
    pthread_cond_destroy(&fake->changed);
}

#endif
