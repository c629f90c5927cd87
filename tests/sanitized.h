/*
 * sanitized.h - for tests: campaigns of many rounds are shorter under ThreadSanitizer, where a
 * round takes tens of times as long. Answers are checked by the rounds of the other trees; here
 * threads are, and they do the same in each round.
 */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#ifdef __SANITIZE_THREAD__
#define ROUNDS(many, under_tsan) (under_tsan)
#else
#define ROUNDS(many, under_tsan) (many)
#endif

#endif
