/*
 * ticket.h - what requests to ticketing systems have in common: words for people,
 * addresses, credentials.
 */
#ifndef SINKS_TICKET_H
#define SINKS_TICKET_H

#include <jansson.h>
#include "base/incident.h"
#include "sinks/sink.h"

/* Of a rule that gives none: from the worst severity. Never PRIORITY_NONE. */
enum priority ticket_priority(const struct incident *inc);

/* The title, else the message, else the rule; never empty. Borrowed. */
const char *ticket_title(const struct incident *inc);

/* Sets object[key] to what there is to say about the incident, a line each: what a person who
 * opens the ticket reads. `object` is borrowed. Returns 0 or -ENOMEM. */
int ticket_set_description(json_t *object, const char *key, const struct incident *inc);

/* The same with what this op tells, in a few lines: for a note. */
int ticket_set_note(json_t *object, const char *key, const struct op *op);

/* Sets the address: `base` without the slashes at its end, then the rest. Errors: -ENOMEM. */
int ticket_set_url(struct sink_request *out, const char *base, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the body and what goes with it. Takes `root`; NULL is -ENOMEM. */
int ticket_set_body(struct sink_request *out, json_t *root);

/* Adds "Authorization: Basic", RFC 7617; `mark` stands between the user and a colon. */
int ticket_add_basic(struct sink_request *out, const char *user, const char *mark,
                     const char *password);

/* Copies a text of the answer, or a whole number, as the sink's name for a ticket. False: it is
 * neither, is empty, does not fit, or has characters that no such name has. */
bool ticket_read_name(const json_t *value, char *to, size_t bytes);

/* How a system writes its tickets. */
struct ticket_form {
    const char *one, *list; /* members of an answer: a ticket; those that a look-up found */
    const char *key;        /* member of a ticket: what we named it by */
    const char *what;       /* whose bodies these are, for messages: "the table API" */
    /* One ticket as the outbox knows it. False: it is none. */
    bool (*read)(const void *settings, const json_t *ticket, struct sink_ticket *out);
};

/* sink_type.read for such a system: a request that was taken is judged by its body, because log-in
 * pages, hibernating instances and proxies answer 200, too. Of what a look-up found only tickets
 * with our key count: an instance that knows no field of that name shows any. */
enum sink_verdict ticket_read_answer(const struct ticket_form *form, const struct sink *sink,
                                     enum sink_step step, struct id128 incident,
                                     const struct transport_answer *answer,
                                     enum sink_verdict by_status, struct sink_found *out,
                                     struct error *err);

#endif
