/* sink_class.c - see sink_class.h. */
#include "sinks/sink_class.h"

const struct sink_class_rules sink_classes[SINK_CLASS_COUNT] = {
    [SINK_CLASS_A] = {.letter = 'A',
                      .repeats_are_folded = true,
                      .reopens = true,
                      .promise = "At most one open ticket per incident, always."},
    [SINK_CLASS_B] = {.letter = 'B',
                      .repeats_are_folded = true,
                      .key_expires = true,
                      .promise = "At most one ticket per incident within the life of the sink's "
                                 "request keys."},
    [SINK_CLASS_C] = {.letter = 'C',
                      .keeps_intent = true,
                      .finds_before = true,
                      .finds_after = true,
                      .doubts_answers = true,
                      .promise = "At most one ticket per incident, if a search shows a created "
                                 "ticket within settle_ms; a second one is closed as duplicate."},
    [SINK_CLASS_D] = {.letter = 'D',
                      .keeps_intent = true,
                      .marks_repeats = true,
                      .promise = "At least once; what may be a repeat says so, and is counted."},
};
