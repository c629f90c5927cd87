/*
 * pattern_soundness.h - does the pattern library of this machine find what is there?
 *
 * vectorscan 5.4.9, which Debian 12 has, does not on processors with AVX-512: it misses a text of
 * one byte behind 64 others, and says that \bk stands in "...bbbk". A rule would be silent, so the
 * library is asked a few thousand questions whose answers are plain before it is relied on: some
 * milliseconds, once in a process.
 *
 * Thread: any.
 */
#ifndef RULES_PATTERN_SOUNDNESS_H
#define RULES_PATTERN_SOUNDNESS_H

enum pattern_soundness { PATTERN_SOUND, PATTERN_UNSOUND, PATTERN_NO_MEMORY /* to ask */ };

enum pattern_soundness pattern_library_soundness(void);

#endif
