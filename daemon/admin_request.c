/* admin_request.c - see admin_request.h. */
#include "daemon/admin_request.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum admin_parameter bit;
    bool is_flag;  /* its value is 1 */
    size_t offset; /* in struct admin_pick: a bool, or a text */
} parameters[] = {
    {"sink", PARAMETER_SINK, false, offsetof(struct admin_pick, sink)},
    {"incident", PARAMETER_INCIDENT, false, offsetof(struct admin_pick, incident)},
    {"all", PARAMETER_ALL, true, offsetof(struct admin_pick, all)},
    {"dry", PARAMETER_DRY, true, offsetof(struct admin_pick, dry)},
    {"open", PARAMETER_OPEN, true, offsetof(struct admin_pick, open)},
    {"from", PARAMETER_FROM, false, offsetof(struct admin_pick, from)},
    {"to", PARAMETER_TO, false, offsetof(struct admin_pick, to)},
    {"rule", PARAMETER_RULE, false, offsetof(struct admin_pick, rule)},
    {"tenant", PARAMETER_TENANT, false, offsetof(struct admin_pick, tenant)},
    {"key", PARAMETER_KEY, false, offsetof(struct admin_pick, key)},
    {"limit", PARAMETER_LIMIT, false, offsetof(struct admin_pick, limit)},
    {"wait", PARAMETER_WAIT, false, offsetof(struct admin_pick, wait)},
    {"set", PARAMETER_SET, false, offsetof(struct admin_pick, set)},
};

enum { PARAMETERS = sizeof(parameters) / sizeof(parameters[0]) };

/* "/reload takes no 'dri', only dry". What a stranger wrote is cut, and shown where it is plain. */
static void refuse_parameter(const struct admin_endpoint *endpoint, const char *name,
                             struct error *err)
{
    char shown[32], takes[160] = "", *to = takes;
    size_t n = 0;

    for (; name[n] != '\0' && n + 1 < sizeof(shown); n++)
        shown[n] = name[n] > ' ' && name[n] <= '~' ? name[n] : '?';
    shown[n] = '\0';
    for (size_t i = 0; i < PARAMETERS; i++)
        if ((endpoint->takes & parameters[i].bit) != 0)
            to += snprintf(to, (size_t)(takes + sizeof(takes) - to), "%s%s",
                           to > takes ? ", " : "; it takes ", parameters[i].name);
    error_set(err, "%s has no parameter '%s'%s", endpoint->path, shown,
              to > takes ? takes : "; it takes none");
}

/* One `name=value`. False with a sentence. */
static bool read_parameter(const struct admin_endpoint *endpoint, const struct evkeyval *pair,
                           unsigned *said, struct admin_pick *pick, struct error *err)
{
    size_t i = 0;

    while (i < PARAMETERS && ((endpoint->takes & parameters[i].bit) == 0 ||
                              strcmp(parameters[i].name, pair->key) != 0))
        i++;
    if (i == PARAMETERS) {
        refuse_parameter(endpoint, pair->key, err);
        return false;
    }
    if ((*said & parameters[i].bit) != 0) {
        error_set(err, "%s is given twice", parameters[i].name);
        return false;
    }
    if (parameters[i].is_flag && strcmp(pair->value, "1") != 0) {
        error_set(err, "write %s=1, or leave it out", parameters[i].name);
        return false;
    }
    *said |= parameters[i].bit;
    if (parameters[i].is_flag)
        *(bool *)((char *)pick + parameters[i].offset) = true;
    else
        *(const char **)((char *)pick + parameters[i].offset) = pair->value;
    return true;
}

void admin_read_sender(struct evhttp_request *request, char from[ADMIN_FROM_BYTES],
                       struct admin_pick *pick)
{
    static const char *const local[] = {"127.", "::ffff:127.", "::1"};
    const char *token =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
    char *address = NULL;
    uint16_t port = 0;

    evhttp_connection_get_peer(evhttp_request_get_connection(request), &address, &port);
    address = address != NULL ? address : (char *)"";
    snprintf(from, ADMIN_FROM_BYTES, strchr(address, ':') != NULL ? "[%.100s]:%u" : "%.100s:%u",
             address, port);
    pick->peer = from;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        pick->is_local |= strncmp(address, local[i], strlen(local[i])) == 0;
    if (token != NULL && strncasecmp(token, "Bearer ", 7) == 0)
        pick->token = token + 7;
}

/* 0, or a negative errno with a sentence. */
static int read_body(const struct admin_endpoint *endpoint, struct evhttp_request *request,
                     struct admin_pick *pick, struct error *err)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(request);

    pick->bytes = evbuffer_get_length(body);
    pick->body = "";
    if (pick->bytes > 0 && endpoint->body == BODY_NONE) {
        error_set(err, "a body is not read: what %s is to do stands behind a ? of its path",
                  endpoint->path);
        return -EINVAL;
    }
    if (endpoint->body == BODY_SMALL && pick->bytes > ADMIN_BODY_BYTES_MAX) {
        error_set(err, "the body of %s has at most %d bytes", endpoint->path, ADMIN_BODY_BYTES_MAX);
        return -EMSGSIZE;
    }
    if (pick->bytes > 0)
        pick->body = (const char *)evbuffer_pullup(body, -1);
    if (pick->body != NULL)
        return 0;
    error_set(err, "out of memory");
    return -ENOMEM;
}

/* Texts of `pick` are those of `pairs` and of the request. 0, or a negative errno with a sentence.
 */
int admin_read_request(const struct admin_endpoint *endpoint, struct evhttp_request *request,
                       struct evkeyvalq *pairs, struct admin_pick *pick, struct error *err)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
    const struct evkeyval *pair;
    unsigned said = 0;
    int rc = read_body(endpoint, request, pick, err);

    if (rc != 0)
        return rc;
    if (query == NULL || query[0] == '\0')
        return 0;
    if ((endpoint->takes & PARAMETER_WAIT) != 0 && strcmp(query, "wait") == 0) {
        pick->wait = ""; /* as long as is usual */
        return 0;
    }
    if (evhttp_parse_query_str(query, pairs) != 0) {
        error_set(err, "the query cannot be read: write name=value&name=value");
        return -EINVAL;
    }
    for (pair = pairs->tqh_first; pair != NULL; pair = pair->next.tqe_next)
        if (!read_parameter(endpoint, pair, &said, pick, err))
            return -EINVAL;
    return 0;
}
