/*
 * touch.h - what deduplication tells the rules: one alert, one rule, one key.
 *
 * Touches of one step are handed from the worker of the alert's lane to the worker
 * of the rule key's lane. Their order (docs/correlation.md, sections 1 and 3) is in
 * struct order, shared with incident changes:
 *
 *   time, then at one time: round ends, timers (dedup, then rules), events
 */
#ifndef CORRELATE_TOUCH_H
#define CORRELATE_TOUCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/event.h"
#include "rules/rule_set.h"

enum order_class { ORDER_ROUND_END, ORDER_TIMER, ORDER_EVENT };
enum order_stage { ORDER_DEDUP, ORDER_RULE, ORDER_UPDATE };

/* The place of a touch or a change among all others. */
struct order {
    int64_t at_ms;
    int64_t offset;  /* ORDER_EVENT */
    uint16_t rank;   /* ORDER_EVENT: of (topic, partition) among all partitions */
    uint16_t sub;    /* ORDER_EVENT */
    uint16_t part;   /* ORDER_EVENT: index of the partition, for its name */
    uint8_t class;   /* enum order_class */
    uint8_t stage;   /* enum order_stage, where class is not ORDER_EVENT */
    uint32_t rule;   /* order of the rule by id */
    uint32_t second; /* 1 for what comes after a CLEAR of the same cause and rule */
    /* ORDER_DEDUP timers and round ends: the alert, whose identity decides. */
    const struct event_text *identity;
    /* ORDER_RULE and ORDER_UPDATE: values of `by`, decide after the rule. */
    const struct key_text *key;
};

/* A time in 56 bits, which is a million years either way, and back. A macro, because the compiler
 * has to see the mask where it is stored. */
#define TIME_PACK(ms) ((uint64_t)(ms) & (((uint64_t)1 << 56) - 1))

static inline int64_t time_unpack(uint64_t packed)
{
    return (int64_t)(packed << 8) >> 8;
}

/* The values of `by`, packed: how many, their lengths, their bytes. Lengths take a byte each where
 * all values are short, else four. */
struct key_text {
    uint8_t count;
    bool is_wide;
    unsigned char bytes[];
};

static inline uint32_t key_text_length(const struct key_text *key, uint32_t i)
{
    uint32_t length = key->bytes[i];

    if (key->is_wide)
        memcpy(&length, key->bytes + i * sizeof(length), sizeof(length));
    return length;
}

struct text key_text_value(const struct key_text *key, uint32_t i);

/* Bytes of the record, and of one for such values. */
size_t key_text_bytes(const struct key_text *key);
size_t key_text_need(const struct text *values, uint32_t count);

/* Packs the values into `at`, which has that many bytes. */
void key_text_pack(struct key_text *at, const struct text *values, uint32_t count);

/* Alerts by identity: the fields of the fingerprint, bytewise; with a dedup key first. */
int identity_compare(const struct event_text *a, const struct event_text *b);
int key_text_compare(const struct key_text *a, const struct key_text *b);

/* <0, 0, >0. Total: equal only for the same cause and rule. */
int order_compare(const struct order *a, const struct order *b);

/* BEAT: an event for a rule that takes them all; no alert's doing. MOVE: RAISE of an alert that
 * was counted under another form of the rule, for the same key. */
enum touch_kind {
    TOUCH_BEAT,
    TOUCH_RAISE,
    TOUCH_MOVE,
    TOUCH_CHANGE,
    TOUCH_REPEAT,
    TOUCH_CLEAR,
    TOUCH_EVICT,
    TOUCH_CLOSE /* somebody says that the key's incident is over; counts nowhere */
};

struct touch {
    struct order order;
    struct id128 key;   /* hash of the rule's family and `by` values */
    struct id128 alert; /* fingerprint; of a TOUCH_CLOSE the incident */
    /* The event that made it; for timers the alert's own words. Lives until the step is done. */
    const struct event_text *text;
    uint32_t slot; /* of the rule, rules_version.h */
    uint8_t kind;  /* enum touch_kind */
    uint8_t severity;
    uint8_t lane;  /* of the key */
    uint8_t steps; /* of a rule made of steps: those that the event is, a bit each */
};
_Static_assert(RULE_STEPS_MAX <= 8, "steps are bits of a byte");

#endif
