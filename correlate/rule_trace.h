/*
 * rule_trace.h - what stage R tells somebody who asks why (correlate/trace.h).
 *
 * Thread: the worker, in its rules phases.
 */
#ifndef CORRELATE_RULE_TRACE_H
#define CORRELATE_RULE_TRACE_H

#include "correlate/correlation.h"
#include "correlate/trace.h"

/* How things stood before a touch. */
struct rule_trace {
    const struct rule *rule;
    const struct key_text *key;
    bool open;
    bool is_former; /* another form than the touch's has the open incident */
    struct id128 incident;
    uint64_t correlated, evicted;
};

/* Around a touch; `number` is that of its key before and after it, UINT32_MAX without one. */
void rule_trace_begin(struct rule_trace *before, const struct correlation *c,
                      const struct touch *touch, const struct key_lane *lane, uint32_t number);
void rule_trace_end(const struct rule_trace *before, const struct correlation *c,
                    const struct touch *touch, const struct key_lane *lane, uint32_t number);

/* The rest may be called whether somebody asks or not. */
void rule_trace_member(const struct correlation *c, struct id128 alert, bool cleared,
                       int64_t ts_ms);
void rule_trace_change(const struct correlation *c, const struct key_state *key,
                       const struct order *order, const struct incident *incident);
void rule_trace_lost(const struct correlation *c, const struct key_state *key);

/* Behind a timer of the key's form, and where a switch made the key one of another form. */
void rule_trace_timer(const struct correlation *c, const struct key_state *key, int64_t at_ms);

#endif
