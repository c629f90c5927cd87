/*
 * Aim: what somebody did to an incident is owed until what came of it is durable, or on record
 * already, and who waits for it is answered once, with what is so. Method: records as the intake
 * log has them, and answers that are written down here in place of being sent (the link takes
 * admin_answer() away).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "daemon/owed_acts.h"
#include "ingest/intake_act.h"

/* ---- answers ---- */

static char said[4096]; /* a line for each answer: who waited, the code, the words */

void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes);
void __wrap_admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence);

static void say(const struct admin_reply *reply, int code, const char *words)
{
    size_t used = strlen(said);

    snprintf(said + used, sizeof(said) - used, "%s %d %s\n", (const char *)reply, code, words);
}

void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes)
{
    assert_string_equal(type, ADMIN_JSON);
    assert_int_equal(text[bytes - 1], '\n');
    text[bytes - 1] = '\0';
    say(reply, code, text);
    free(text);
}

void __wrap_admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence)
{
    say(reply, code, sentence);
}

static void assert_said(const char *lines)
{
    assert_string_equal(said, lines);
    said[0] = '\0';
}

/* ---- acts ---- */

static const char act_body[] = "{\"id\":\"00000000000000010000000000000002\",\"comment\":\"c\","
                               "\"rule\":\"down\",\"key\":[\"acme\",\"h1\"]}";

static void read_record(struct owed_acts *acts, enum intake_kind kind, uint64_t position,
                        uint64_t of, const char *what, const char *body)
{
    owed_acts_read(acts, &(struct intake_record){.kind = kind,
                                                 .position = position,
                                                 .of = of,
                                                 .who = text_of("ada"),
                                                 .from = text_of("192.0.2.7:1"),
                                                 .what = text_of(what),
                                                 .body = text_of(body)});
}

static void read_act(struct owed_acts *acts, uint64_t position, const char *what)
{
    read_record(acts, INTAKE_ACT, position, 0, what, act_body);
}

static void read_outcome(struct owed_acts *acts, uint64_t position, uint64_t of, const char *what)
{
    read_record(acts, INTAKE_OUTCOME, position, of, what, "{\"ok\":true}");
}

/* Of this run, by who waits until `end_ns`. */
static void add(struct owed_acts *acts, uint64_t position, const char *waits, uint64_t end_ns)
{
    owed_acts_add(acts, &(struct owed_act){.position = position,
                                           .closes = true,
                                           .who = (char *)(uintptr_t) "bob",
                                           .from = (char *)(uintptr_t) "192.0.2.8:1",
                                           .reply = (struct admin_reply *)(uintptr_t)waits,
                                           .answer = strdup("{\"outcome\":\"closed\""),
                                           .end_ns = end_ns});
}

static void tell(struct owed_acts *acts, uint64_t position, bool was_open, int64_t at_ms)
{
    owed_acts_told(acts, &(struct engine_acted){
                             .position = (int64_t)position, .was_open = was_open, .at_ms = at_ms});
}

static char settled[1024]; /* a line for each act */

static void on_settled(void *self, struct owed_act *act)
{
    size_t used = strlen(settled);

    assert_ptr_equal(self, settled);
    snprintf(settled + used, sizeof(settled) - used, "%d %s by %s%s\n", (int)act->position,
             act->closes ? "close" : "ack", act->who, act->was_open ? "" : ", not open");
    owed_act_answer(act);
    owed_act_free(act);
}

/* What is settled when all up to there is durable; whether another look is wanted. */
static bool look(struct owed_acts *acts, int64_t durable_ms, const char *lines)
{
    bool is_wanted;

    settled[0] = '\0';
    is_wanted = owed_acts_look(acts, durable_ms, on_settled, settled);
    assert_string_equal(settled, lines);
    return is_wanted;
}

/* ---- of runs before ---- */

/* Its input is read again, and it is told again: but it has its outcome. */
static void what_is_on_record_already_is_owed_no_more(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    read_act(acts, 3, ACT_CLOSE);
    read_record(acts, INTAKE_EVENTS, 4, 0, "events", "{}");
    read_act(acts, 5, ACT_ACKNOWLEDGE);
    read_act(acts, 6, ACT_CLOSE);
    read_record(acts, INTAKE_ACT, 7, 0, "reload", "{}"); /* nothing that an engine tells of */
    assert_int_equal(owed_acts_oldest(acts), 3);
    read_outcome(acts, 8, 3, ACT_CLOSE);
    assert_int_equal(owed_acts_oldest(acts), 5);
    read_outcome(acts, 9, 6, ACT_CLOSE);
    read_outcome(acts, 10, 7, "reload");
    owed_acts_begin(acts, 0, 11);
    assert_int_equal(owed_acts_oldest(acts), 5);
    tell(acts, 3, true, 100);
    tell(acts, 5, true, 200);
    tell(acts, 6, true, 300);
    assert_false(look(acts, 1000, "5 ack by ada\n"));
    assert_true(owed_acts_oldest(acts) == UINT64_MAX);
    owed_acts_destroy(acts);
    assert_said("");
}

/* What is not read again is not told again. */
static void what_is_not_read_again_is_owed_no_more(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    for (uint64_t position = 3; position < 8; position++)
        read_act(acts, position, ACT_CLOSE);
    owed_acts_begin(acts, 0, 8);
    assert_int_equal(owed_acts_oldest(acts), 3);
    owed_acts_begin(acts, 5, 8);
    assert_int_equal(owed_acts_oldest(acts), 5);
    tell(acts, 4, true, 100); /* nobody asks for it */
    tell(acts, 7, false, 100);
    assert_false(look(acts, 1000, "7 close by ada, not open\n"));
    assert_int_equal(owed_acts_oldest(acts), 5);
    owed_acts_destroy(acts);
}

/* ---- of this run ---- */

static void what_came_of_it_counts_when_that_is_durable(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    owed_acts_begin(acts, 0, 5);
    add(acts, 5, "one", UINT64_MAX);
    assert_int_equal(owed_acts_oldest(acts), 5);
    assert_true(look(acts, 1000, "")); /* nothing is told yet */
    tell(acts, 5, true, 2000);
    assert_true(look(acts, 2000, "")); /* that of the same time may be still to come */
    assert_said("");
    assert_false(look(acts, 2001, "5 close by bob\n"));
    assert_said("one 200 {\"outcome\":\"closed\",\"applied\":true}\n");
    assert_true(owed_acts_oldest(acts) == UINT64_MAX);
    owed_acts_destroy(acts);
    assert_said("");
}

/* The engine may be faster than the thread that asked for it. */
static void it_may_be_told_of_before_anybody_owes_it(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    owed_acts_begin(acts, 0, 5);
    tell(acts, 5, false, 100);
    assert_true(look(acts, 1000, ""));
    assert_int_equal(owed_acts_oldest(acts), 5);
    add(acts, 5, "one", UINT64_MAX);
    assert_false(look(acts, 1000, "5 close by bob, not open\n"));
    assert_said("one 409 the incident was not open any more\n");
    owed_acts_destroy(acts);
}

/* It is on its way still, so it is answered that it is not known, and later put on record. */
static void who_has_waited_long_enough_is_answered(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    owed_acts_begin(acts, 0, 5);
    add(acts, 5, "one", 0);
    add(acts, 6, "two", UINT64_MAX);
    add(acts, 7, "three", 0);
    tell(acts, 7, false, 100); /* told, and not durable */
    assert_true(look(acts, 100, ""));
    assert_said("one 202 {\"outcome\":\"closed\",\"applied\":false}\n"
                "three 202 {\"outcome\":\"closed\",\"applied\":false}\n");
    assert_true(look(acts, 100, "")); /* once */
    assert_said("");
    tell(acts, 5, true, 100);
    assert_true(look(acts, 101, "5 close by bob\n7 close by bob, not open\n"));
    assert_said("");
    owed_acts_destroy(acts);
    assert_said("two 202 {\"outcome\":\"closed\",\"applied\":false}\n");
}

static void at_the_end_nobody_is_left_waiting(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    owed_acts_begin(acts, 0, 5);
    add(acts, 5, "one", UINT64_MAX);
    tell(acts, 5, true, 100); /* it may not be durable */
    assert_true(owed_acts_has_room(acts));
    owed_acts_stop(acts);
    assert_said("one 202 {\"outcome\":\"closed\",\"applied\":false}\n");
    assert_false(owed_acts_has_room(acts));
    tell(acts, 6, true, 100);
    add(acts, 6, "two", UINT64_MAX); /* it was on its way */
    assert_said("two 202 {\"outcome\":\"closed\",\"applied\":false}\n");
    owed_acts_destroy(acts);
    assert_said("");
}

static void there_is_a_bound(void **state)
{
    struct owed_acts *acts = owed_acts_create();

    (void)state;
    for (uint64_t position = 1; position <= OWED_ACTS_MAX; position++) {
        assert_true(owed_acts_has_room(acts));
        read_act(acts, position, ACT_CLOSE);
    }
    assert_false(owed_acts_has_room(acts));
    read_act(acts, OWED_ACTS_MAX + 1, ACT_CLOSE);
    for (uint64_t position = 1; position <= OWED_ACTS_MAX; position++)
        read_outcome(acts, OWED_ACTS_MAX + 1 + position, position, ACT_CLOSE);
    assert_true(owed_acts_oldest(acts) == UINT64_MAX); /* the last one was one too many */
    owed_acts_destroy(acts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_record_already_is_owed_no_more),
        cmocka_unit_test(what_is_not_read_again_is_owed_no_more),
        cmocka_unit_test(what_came_of_it_counts_when_that_is_durable),
        cmocka_unit_test(it_may_be_told_of_before_anybody_owes_it),
        cmocka_unit_test(who_has_waited_long_enough_is_answered),
        cmocka_unit_test(at_the_end_nobody_is_left_waiting),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
