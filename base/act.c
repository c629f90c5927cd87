/* act.c - an act in the form of an event. See act.h. */
#include "base/act.h"

#include "base/text.h"

void act_draft(const struct act *act, struct act_words *words, struct event_draft *draft)
{
    static const char names[ACT_KEY_MAX + 1] = "abcdefghijklmnop";

    id128_format(act->incident, words->incident);
    for (uint32_t i = 0; i < act->key_count; i++)
        words->label[i] = (struct event_label){{&names[i], 1}, act->key[i]};
    *draft = (struct event_draft){.labels = words->label,
                                  .label_count = act->key_count,
                                  .state = act->closes ? EVENT_CLEAR : EVENT_PROBLEM};
    draft->field[FIELD_DEDUP_KEY] = text_of(words->incident);
    draft->field[FIELD_SOURCE] = act->who;
    draft->field[FIELD_CHECK] = act->rule;
    draft->field[FIELD_MESSAGE] = act->comment;
}
