/*
 * demo_ask.c - asks the daemon for its counts, as a monitoring system would.
 */
#include "daemon/demo.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

enum {
    STATUS_MS = 1000,
    STATUS_PLAIN_MS = 5000, /* where no terminal redraws the line */
};

static void on_answer(struct evhttp_request *request, void *self)
{
    struct demo_answer *answer = self;

    answer->is_done = true;
    if (request == NULL)
        return;
    answer->code = evhttp_request_get_response_code(request);
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t bytes = evbuffer_get_length(body);
    answer->body = malloc(bytes + 1);
    if (answer->body == NULL)
        return;
    evbuffer_remove(body, answer->body, bytes);
    answer->body[bytes] = '\0';
}

void demo_ask(struct demo *demo, const char *path, struct demo_answer *answer)
{
    struct evhttp_connection *connection;
    struct evhttp_request *request;

    *answer = (struct demo_answer){0};
    connection =
        evhttp_connection_base_new(demo->base, NULL, "127.0.0.1", (ev_uint16_t)demo->admin_port);
    request = connection != NULL ? evhttp_request_new(on_answer, answer) : NULL;
    if (request != NULL) {
        evhttp_connection_set_timeout(connection, 2);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Host", "127.0.0.1");
        evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
        if (evhttp_make_request(connection, request, EVHTTP_REQ_GET, path) == 0)
            demo_pump(demo, 3000, &answer->is_done);
    }
    if (connection != NULL)
        evhttp_connection_free(connection); /* ends an unfinished request as well */
}

/* The sum of the samples of a family in Prometheus text. */
static double family_sum(const char *text, const char *name)
{
    size_t length = strlen(name);
    double sum = 0;

    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t line = strcspn(at, "\n");
        if (strncmp(at, name, length) == 0 && (at[length] == ' ' || at[length] == '{')) {
            size_t value = line;
            while (value > 0 && at[value - 1] != ' ')
                value--;
            sum += strtod(at + value, NULL);
        }
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return sum;
}

static void take_sample(struct demo *demo)
{
    struct demo_answer answer;

    demo_ask(demo, "/metrics", &answer);
    if (answer.code == 200 && answer.body != NULL) {
        const char *text = answer.body;
        demo->sample = (struct demo_sample){
            .events = family_sum(text, "tocsin_events_total"),
            .duplicate = family_sum(text, "tocsin_events_duplicate_total"),
            .unmatched = family_sum(text, "tocsin_events_unmatched_total"),
            .routed = family_sum(text, "tocsin_events_routed_total"),
            .rejected = family_sum(text, "tocsin_events_rejected_total"),
            .gaps = family_sum(text, "tocsin_input_gaps_total"),
            .opened = family_sum(text, "tocsin_incidents_opened_total"),
            .closed = family_sum(text, "tocsin_incidents_closed_total"),
            .open = family_sum(text, "tocsin_incidents_open"),
            .done = family_sum(text, "tocsin_sink_done_total"),
            .waiting = family_sum(text, "tocsin_sink_waiting"),
            .retries = family_sum(text, "tocsin_sink_retries_total"),
            .dead = family_sum(text, "tocsin_sink_dead_total"),
        };
        demo->has_sample = true;
    }
    free(answer.body);
}

void demo_status_update(struct demo *demo)
{
    uint64_t every_ns = (uint64_t)(demo->is_terminal ? STATUS_MS : STATUS_PLAIN_MS) * 1000000;

    take_sample(demo);
    if (host_mono_ns() - demo->status_ns < every_ns)
        return;
    demo->status_ns = host_mono_ns();
    demo_status_show(demo);
}
