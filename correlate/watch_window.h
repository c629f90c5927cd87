/*
 * watch_window.h - what the forms with a window of entries share: how entries come, are cleared,
 * leave, and become an incident. Where the window is kept, and when it is looked at, is the form's.
 *
 * Each counts the touches that it deals with (correlate/rule_form.h).
 *
 * Thread: a worker, for keys of its own lanes.
 */
#ifndef CORRELATE_WATCH_WINDOW_H
#define CORRELATE_WATCH_WINDOW_H

#include "correlate/correlation.h"
#include "correlate/window.h"

/* A RAISE, CHANGE or REPEAT: an entry more, or (a CHANGE) the one of its alert with other values.
 * `window` is to be kept afterwards. */
void window_take(struct correlation *c, struct key_state *key, struct window *window,
                 const struct touch *touch);

/* All entries leave. `window` is to be kept afterwards. */
void window_expire(struct correlation *c, const struct key_state *key, struct window *window);

/* All entries become members of an incident that has just opened. They stay in the window. */
void window_join(struct correlation *c, const struct key_state *key, const struct window *window,
                 struct open_incident *open, const struct touch *touch);

#endif
