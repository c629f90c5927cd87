/* receiver.c - see receiver.h. */
#include "bench/receiver.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/host.h"

static int listener = -1, stop_pipe[2];
static pthread_t thread;
static struct event_base *loop;
static void (*tell)(const char *body, size_t bytes, uint64_t arrived_ns);

static void give_up(const char *what)
{
    fprintf(stderr, "receiver: %s\n", what);
    exit(2);
}

int receiver_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(at);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(listener, 128) != 0 || getsockname(listener, (struct sockaddr *)&at, &bytes) != 0)
        give_up("no port is free");
    return ntohs(at.sin_port);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    uint64_t arrived_ns = host_mono_ns();
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t bytes = evbuffer_get_length(body);

    (void)arg;
    evbuffer_add(body, "", 1);
    tell((const char *)evbuffer_pullup(body, -1), bytes, arrived_ns);
    evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    event_base_loopbreak(loop);
}

static void *serve(void *arg)
{
    struct evhttp *http;
    struct event *stop;

    (void)arg;
    loop = event_base_new();
    http = loop != NULL ? evhttp_new(loop) : NULL;
    stop = http != NULL ? event_new(loop, stop_pipe[0], EV_READ, on_stop, NULL) : NULL;
    if (stop == NULL || event_add(stop, NULL) != 0 || evhttp_accept_socket(http, listener) != 0)
        give_up("it cannot serve");
    evhttp_set_gencb(http, on_request, NULL);
    event_base_dispatch(loop);
    event_free(stop);
    evhttp_free(http); /* closes the listener */
    event_base_free(loop);
    return NULL;
}

void receiver_start(void (*on_post)(const char *body, size_t bytes, uint64_t arrived_ns))
{
    tell = on_post;
    if (pipe(stop_pipe) != 0 || pthread_create(&thread, NULL, serve, NULL) != 0)
        give_up("it has no thread");
}

void receiver_stop(void)
{
    close(stop_pipe[1]);
    pthread_join(thread, NULL);
    close(stop_pipe[0]);
}
