/* admin_client.c - see admin_client.h. One request on an event loop of its own. */
#include "daemon/admin_client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/event.h"
#include "daemon/admin_peer.h"
#include "daemon/command.h"
#include "daemon/config.h"
#include "daemon/units.h"

enum { TOKEN_BYTES_MAX = 4096 };

struct question {
    struct event_base *loop;
    int status; /* 0: none came */
    char *body;
};

static void on_answer(struct evhttp_request *request, void *self)
{
    struct question *question = self;

    if (request != NULL && evhttp_request_get_response_code(request) != 0) {
        struct evbuffer *from = evhttp_request_get_input_buffer(request);
        size_t bytes = evbuffer_get_length(from);
        question->body = malloc(bytes + 1);
        if (question->body != NULL) {
            evbuffer_remove(from, question->body, bytes);
            question->body[bytes] = '\0';
            question->status = evhttp_request_get_response_code(request);
        }
    }
    event_base_loopbreak(question->loop);
}

static bool split_address(const char *address, char *name, size_t bytes, uint16_t *port)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;
    int64_t number;

    if (length == 0 || length >= bytes || unit_parse_count(colon + 1, &number, NULL) != 0 ||
        number < 1 || number > 65535)
        return false;
    memcpy(name, address, length);
    name[length] = '\0';
    *port = (uint16_t)number;
    return true;
}

/* What is asked; `sent` is the body of a POST. */
static int ask(const char *address, const char *token, bool is_post, const char *path,
               struct text sent, int *status, char **body, struct error *err)
{
    struct question question = {.loop = event_base_new()};
    struct evhttp_connection *connection = NULL;
    struct evhttp_request *request;
    char name[256], bearer[TOKEN_BYTES_MAX + 8];
    uint16_t port;
    int rc = -ENOMEM;

    token = token != NULL ? token : getenv("TOCSIN_TOKEN");
    error_set(err, "out of memory");
    if (!split_address(address, name, sizeof(name), &port)) {
        error_set(err, "'%.128s' is not an address: write it like 127.0.0.1:9099", address);
        rc = -EINVAL;
        goto out;
    }
    if (token != NULL && strlen(token) > TOKEN_BYTES_MAX) {
        error_set(err, "a token has at most %d characters", TOKEN_BYTES_MAX);
        rc = -EINVAL;
        goto out;
    }
    if (question.loop == NULL)
        goto out;
    connection = evhttp_connection_base_new(question.loop, NULL, name, port);
    request = evhttp_request_new(on_answer, &question);
    if (connection == NULL || request == NULL)
        goto out;
    evhttp_connection_set_timeout(connection, ADMIN_CLIENT_SILENCE_S_MAX);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Host", address);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    if (token != NULL && token[0] != '\0') {
        snprintf(bearer, sizeof(bearer), "Bearer %s", token);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Authorization", bearer);
    }
    if (sent.len > 0)
        evbuffer_add(evhttp_request_get_output_buffer(request), sent.at, sent.len);
    /* The request is the connection's from here. */
    if (evhttp_make_request(connection, request, is_post ? EVHTTP_REQ_POST : EVHTTP_REQ_GET,
                            path) != 0)
        goto out;
    event_base_dispatch(question.loop);
    if (question.status == 0) {
        error_set(err, "no daemon answers at %s", address);
        rc = -ETIMEDOUT;
        goto out;
    }
    *status = question.status;
    *body = question.body;
    question.body = NULL;
    rc = 0;
out:
    if (connection != NULL)
        evhttp_connection_free(connection);
    if (question.loop != NULL)
        event_base_free(question.loop);
    free(question.body);
    return rc;
}

int admin_client_ask(const char *address, const char *token, bool is_post, const char *path,
                     int *status, char **body, struct error *err)
{
    return ask(address, token, is_post, path, (struct text){"", 0}, status, body, err);
}

/* The server ends a request that is far beyond what it takes before it has all of it: with a page
 * of its own, or, where that is lost behind what was still sent, with no answer. Whether there is a
 * daemon another request tells. */
static bool broke_off(const struct admin_peer *peer, int rc, int status, const char *answer)
{
    struct error ignored;
    char *health = NULL;
    bool is_there;

    if (rc == 0)
        return status == 413 && answer[0] == '<';
    is_there = rc == -ETIMEDOUT && admin_client_ask(peer->address, NULL, false, "/healthz", &status,
                                                    &health, &ignored) == 0;
    free(health);
    return is_there;
}

static void say_broken_off(const char *command, const struct admin_peer *peer, const char *input,
                           size_t bytes)
{
    fprintf(stderr, "tocsin %s: %s: ", command, input);
    if (peer->config != NULL && bytes > (uint64_t)peer->config->intake.body_max)
        fprintf(stderr,
                "%zu bytes are more than a request may have (intake.body.max): %" PRId64 "\n",
                bytes, peer->config->intake.body_max);
    else
        fprintf(stderr,
                "the daemon at %s answers, and broke off this request of %zu bytes: one may have "
                "intake.body.max of its configuration\n",
                peer->address, bytes);
}

int admin_client_command(const char *command, const struct admin_peer *peer, const char *path,
                         const char *input, const char *body, size_t bytes, char **answer)
{
    struct error err = {{0}};
    bool is_of_input;
    int status = 0, rc;

    if (bytes > UINT32_MAX) {
        fprintf(stderr, "tocsin %s: %s%s%zu bytes are too many\n", command,
                input != NULL ? input : "", input != NULL ? ": " : "", bytes);
        return input != NULL ? EXIT_DATA : EXIT_USAGE;
    }
    rc = ask(peer->address, peer->token, true, path, (struct text){body, (uint32_t)bytes}, &status,
             answer, &err);
    if (input != NULL && bytes > 0 && broke_off(peer, rc, status, *answer)) {
        say_broken_off(command, peer, input, bytes);
        if (rc == 0)
            free(*answer);
        *answer = NULL;
        return EXIT_DATA;
    }
    if (rc != 0) {
        fprintf(stderr, "tocsin %s: %s\n", command, err.text);
        return rc == -EINVAL ? EXIT_USAGE : EXIT_UNAVAILABLE;
    }
    if (status == 200 || status == 202)
        return EXIT_OK;
    is_of_input = input != NULL && (status == 400 || status == 413);
    fprintf(stderr, "tocsin %s: %s%s%s", command, is_of_input ? input : "", is_of_input ? ": " : "",
            *answer);
    if (status == 401)
        fprintf(stderr,
                "tocsin %s: a token is that of --config FILE and --as NAME, or of the "
                "environment variable TOCSIN_TOKEN\n",
                command);
    free(*answer);
    *answer = NULL;
    return status == 404 || status == 409  ? EXIT_CHANGED
           : is_of_input                   ? EXIT_DATA
           : status >= 400 && status < 500 ? EXIT_USAGE
                                           : EXIT_UNAVAILABLE;
}
