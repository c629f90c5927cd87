/*
 * vector.h - an array that grows by doubling and never shrinks, so that in steady
 * state it does not allocate.
 *
 * Thread: one owner at a time.
 */
#ifndef BASE_VECTOR_H
#define BASE_VECTOR_H

#include <stddef.h>
#include "base/slab.h"

#define VECTOR_OF(type)                                                                            \
    struct {                                                                                       \
        type *at;                                                                                  \
        size_t count;                                                                              \
        size_t room;                                                                               \
    }

/* Makes room for `n` more. */
#define vector_reserve(v, n)                                                                       \
    do {                                                                                           \
        if ((v)->count + (n) > (v)->room) {                                                        \
            size_t room_ = (v)->room > 0 ? (v)->room : 16;                                         \
            while (room_ < (v)->count + (n))                                                       \
                room_ *= 2;                                                                        \
            (v)->at = memory_grow((v)->at, room_ * sizeof((v)->at[0]));                            \
            (v)->room = room_;                                                                     \
        }                                                                                          \
    } while (0)

/* Appends one; evaluates to its place. */
#define vector_add(v) (*(vector_grow_one(v), &(v)->at[(v)->count++]))
#define vector_grow_one(v)                                                                         \
    ((v)->count < (v)->room                                                                        \
         ? (void)0                                                                                 \
         : (void)((v)->room = (v)->room > 0 ? (v)->room * 2 : 16,                                  \
                  (v)->at = memory_grow((v)->at, (v)->room * sizeof((v)->at[0]))))

#endif
