/*
 * fault.h - the last words of a process that dies of a fault of its own: SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL and SIGABRT that it raised itself (semantics F2). A signal from outside is none.
 *
 *   fault --> handler: one line to a file that is open, once --> whoever handled it before
 *                                                                 (a core, a sanitizer)
 *
 * Thread: fault_catch() and fault_forget() by one thread while no other may fault.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stddef.h>

enum { FAULT_WORDS_BYTES = 512 };

/* Writes what the dying thread was at; 0 bytes: nothing is written. Async-signal-safe. */
typedef size_t (*fault_words)(int signal, char to[FAULT_WORDS_BYTES]);

/* From here on the words of the first fault go to `fd`, in one write. */
void fault_catch(int fd, fault_words words);

/* As it was before fault_catch(). */
void fault_forget(void);

/* A stack for handlers of the calling thread, since its own may be what ran out. It lives as long
 * as the thread. Without memory for it the handler has the thread's own. */
void fault_stack_use(void);

#endif
