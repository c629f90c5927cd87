/*
 * tls_sink.h - an HTTPS server on loopback that answers each request with one text and
 * closes the connection; and a proxy that speaks CONNECT.
 *
 * Each runs in a thread of its own, one connection at a time, and is stopped by the test.
 *
 * Thread: start and stop by the test; what was seen is read after stop, or under the lock.
 */
#ifndef TESTS_TLS_SINK_H
#define TESTS_TLS_SINK_H

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tls_pki.h"

enum { TLS_REQUEST_BYTES = 16384 };

/* What every little server has. */
struct tls_listener {
    int fd;
    unsigned short port;
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_uint connections;
};

struct tls_sink {
    struct tls_listener listener;
    SSL_CTX *context;
    const char *answer;
    atomic_uint requests;
    char request[TLS_REQUEST_BYTES]; /* the last one */
    char client_name[64];            /* whom its certificate names */
};

struct connect_proxy {
    struct tls_listener listener;
    const char *refusal; /* NULL: lets everything through */
    unsigned short to;   /* every tunnel leads to this port of the loopback */
    atomic_uint requests;
    char request[TLS_REQUEST_BYTES]; /* the head of the last one */
    atomic_bool saw_incident;        /* a tunnel carried a readable incident */
};

/* Waits for input; false: the test stops the server. */
static inline bool tls_wait(struct tls_listener *listener, int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};

    while (!atomic_load(&listener->is_stopping))
        if (poll(&waiting, 1, 20) > 0)
            return true;
    return false;
}

static inline void tls_listen(struct tls_listener *listener, void *(*run)(void *), void *self)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(at);

    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || bind(listener->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(listener->fd, 64) != 0 ||
        getsockname(listener->fd, (struct sockaddr *)&at, &bytes) != 0)
        abort();
    listener->port = ntohs(at.sin_port);
    if (pthread_create(&listener->thread, NULL, run, self) != 0)
        abort();
}

static inline void tls_end(struct tls_listener *listener)
{
    atomic_store(&listener->is_stopping, true);
    pthread_join(listener->thread, NULL);
    close(listener->fd);
}

/* A whole request has come: head and as much body as it says. */
static inline bool tls_is_whole(const char *request, size_t bytes)
{
    const char *end = strstr(request, "\r\n\r\n"),
               *length = strcasestr(request, "\r\nContent-Length: ");

    if (end == NULL)
        return false;
    return bytes >=
           (size_t)(end - request) + 4 + (length != NULL ? strtoul(length + 18, NULL, 10) : 0);
}

static inline void tls_serve(struct tls_sink *sink, int fd)
{
    SSL *ssl = SSL_new(sink->context);
    X509 *client;
    size_t used = 0;

    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        client = SSL_get1_peer_certificate(ssl);
        if (client != NULL)
            X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName,
                                      sink->client_name, sizeof(sink->client_name));
        X509_free(client);
        while (!tls_is_whole(sink->request, used)) {
            int got = SSL_read(ssl, sink->request + used, (int)(TLS_REQUEST_BYTES - 1 - used));
            if (got <= 0)
                break;
            used += (size_t)got;
            sink->request[used] = '\0';
        }
        if (tls_is_whole(sink->request, used)) {
            atomic_fetch_add(&sink->requests, 1);
            SSL_write(ssl, sink->answer, (int)strlen(sink->answer));
            SSL_shutdown(ssl);
        }
    }
    SSL_free(ssl);
    close(fd);
}

static inline void *tls_run(void *self)
{
    struct tls_sink *sink = self;

    while (tls_wait(&sink->listener, sink->listener.fd)) {
        int fd = accept(sink->listener.fd, NULL, NULL);
        struct timeval patience = {.tv_sec = 10};
        if (fd < 0)
            continue;
        /* A client that stays silent must not keep the test from stopping us. */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        atomic_fetch_add(&sink->listener.connections, 1);
        memset(sink->request, 0, sizeof(sink->request));
        tls_serve(sink, fd);
    }
    return NULL;
}

/* `client_authority` not NULL: only clients with a certificate of it are let in. */
static inline void tls_start(struct tls_sink *sink, const struct tls_identity *identity,
                             const struct tls_identity *client_authority, const char *answer)
{
    memset(sink, 0, sizeof(*sink));
    sink->answer = answer;
    sink->context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate(sink->context, identity->cert) != 1 ||
        SSL_CTX_use_PrivateKey(sink->context, identity->key) != 1)
        abort();
    if (client_authority != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(sink->context), client_authority->cert);
        SSL_CTX_set_verify(sink->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    tls_listen(&sink->listener, tls_run, sink);
}

static inline void tls_stop(struct tls_sink *sink)
{
    tls_end(&sink->listener);
    SSL_CTX_free(sink->context);
}

/* ---- the proxy ---- */

/* Moves bytes from one side to the other; false at the end of that side. */
static inline bool proxy_move(struct connect_proxy *proxy, int from, int to)
{
    char bytes[8192];
    ssize_t got = recv(from, bytes, sizeof(bytes), 0);

    if (got <= 0)
        return false;
    if (memmem(bytes, (size_t)got, "\"incident\"", 10) != NULL)
        atomic_store(&proxy->saw_incident, true);
    return send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got;
}

static inline void proxy_tunnel(struct connect_proxy *proxy, int client)
{
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(proxy->to), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd waiting[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool is_open = server >= 0 && connect(server, (struct sockaddr *)&at, sizeof(at)) == 0 &&
                   send(client, yes, sizeof(yes) - 1, MSG_NOSIGNAL) > 0;

    while (is_open && !atomic_load(&proxy->listener.is_stopping)) {
        if (poll(waiting, 2, 20) <= 0)
            continue;
        if (waiting[0].revents != 0)
            is_open = proxy_move(proxy, client, server);
        if (is_open && waiting[1].revents != 0)
            is_open = proxy_move(proxy, server, client);
    }
    close(server);
}

static inline void proxy_serve(struct connect_proxy *proxy, int client)
{
    static const char plain_yes[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    size_t used = 0;
    bool is_connect;

    memset(proxy->request, 0, sizeof(proxy->request));
    while (strstr(proxy->request, "\r\n\r\n") == NULL && tls_wait(&proxy->listener, client)) {
        ssize_t got = recv(client, proxy->request + used, TLS_REQUEST_BYTES - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    is_connect = strncmp(proxy->request, "CONNECT ", 8) == 0;
    /* A plain request is read to its end, and answered by the proxy in the sink's place. */
    while (!is_connect && used > 0 && !tls_is_whole(proxy->request, used) &&
           tls_wait(&proxy->listener, client)) {
        ssize_t got = recv(client, proxy->request + used, TLS_REQUEST_BYTES - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    atomic_fetch_add(&proxy->requests, 1);
    if (proxy->refusal != NULL)
        send(client, proxy->refusal, strlen(proxy->refusal), MSG_NOSIGNAL);
    else if (is_connect)
        proxy_tunnel(proxy, client);
    else
        send(client, plain_yes, sizeof(plain_yes) - 1, MSG_NOSIGNAL);
    close(client);
}

static inline void *proxy_run(void *self)
{
    struct connect_proxy *proxy = self;

    while (tls_wait(&proxy->listener, proxy->listener.fd)) {
        int fd = accept(proxy->listener.fd, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&proxy->listener.connections, 1);
        proxy_serve(proxy, fd);
    }
    return NULL;
}

static inline void proxy_start(struct connect_proxy *proxy, unsigned short to, const char *refusal)
{
    memset(proxy, 0, sizeof(*proxy));
    proxy->to = to;
    proxy->refusal = refusal;
    tls_listen(&proxy->listener, proxy_run, proxy);
}

static inline void proxy_stop(struct connect_proxy *proxy)
{
    tls_end(&proxy->listener);
}

#endif
