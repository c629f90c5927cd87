/* http_floor.c - see http_floor.h. */
#include "bench/http_floor.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct evhttp_connection *out;

static void give_up(const char *what)
{
    fprintf(stderr, "HTTP floor: %s\n", what);
    exit(2);
}

static void on_answer(struct evhttp_request *request, void *arg)
{
    (void)request, (void)arg; /* who is not told is missed by who counts */
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct evhttp_request *next = evhttp_request_new(on_answer, NULL);

    (void)arg;
    if (next == NULL)
        _exit(2);
    evhttp_add_header(evhttp_request_get_output_headers(next), "Host", "127.0.0.1");
    evbuffer_add_buffer(evhttp_request_get_output_buffer(next),
                        evhttp_request_get_input_buffer(request));
    evhttp_make_request(out, next, EVHTTP_REQ_POST, "/");
    evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static void serve(int out_port, int tell)
{
    struct event_base *loop = event_base_new();
    struct evhttp *http = loop != NULL ? evhttp_new(loop) : NULL;
    struct evhttp_bound_socket *in =
        http != NULL ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0) : NULL;
    struct sockaddr_in at = {.sin_port = 0};
    socklen_t bytes = sizeof(at);
    char text[16];

    out = in != NULL ? evhttp_connection_base_new(loop, NULL, "127.0.0.1", (unsigned short)out_port)
                     : NULL;
    if (out == NULL)
        _exit(2);
    evhttp_set_gencb(http, on_request, NULL);
    if (getsockname(evhttp_bound_socket_get_fd(in), (struct sockaddr *)&at, &bytes) != 0)
        _exit(2);
    int length = snprintf(text, sizeof(text), "%d", ntohs(at.sin_port));
    if (write(tell, text, (size_t)length + 1) < 0)
        _exit(2);
    event_base_dispatch(loop);
    _exit(0);
}

int http_floor_begin(int out_port)
{
    char text[16] = "";
    int told[2];
    pid_t pid;

    fflush(NULL);
    if (pipe(told) != 0 || (pid = fork()) < 0)
        give_up("no process can be made");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(out_port, told[1]);
    }
    close(told[1]);
    if (read(told[0], text, sizeof(text) - 1) <= 0)
        give_up("it does not serve");
    close(told[0]);
    return (int)strtol(text, NULL, 10);
}

void http_floor_post(int port, const char *body, size_t bytes)
{
    static int fd = -1;
    char text[4096];
    size_t used;
    ssize_t got = 0;

    if (fd < 0) {
        const struct sockaddr_in at = {.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr = {htonl(INADDR_LOOPBACK)}};
        const int yes = 1;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0)
            give_up("it cannot be reached");
    }
    used = (size_t)snprintf(text, sizeof(text),
                            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n%.*s",
                            bytes, (int)bytes, body);
    if (used >= sizeof(text) || send(fd, text, used, MSG_NOSIGNAL) != (ssize_t)used)
        give_up("it takes no more");
    /* The answer has no body: all of it ends with an empty line. */
    for (used = 0; used < 4 || memcmp(text + used - 4, "\r\n\r\n", 4) != 0; used += (size_t)got)
        if ((got = recv(fd, text + used, sizeof(text) - used, 0)) <= 0)
            give_up("it does not answer");
}
