/* rule_form.c - see rule_form.h. */
#include "correlate/rule_form.h"

const struct rule_form *const rule_forms[] = {
    [FORM_WINDOW] = &watch_window, [FORM_SEQUENCE] = &watch_sequence, [FORM_ALL] = &watch_all,
    [FORM_EXPECT] = &watch_expect, [FORM_BASELINE] = &watch_baseline,
};
