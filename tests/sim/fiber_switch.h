/*
 * fiber_switch.h - from one stack to another. The C library's way asks the kernel for the signals
 * that are blocked each time, which is most of its price; on the processor that most of us have
 * there is a shorter one.
 *
 * Source: System V ABI for AMD64, 3.2.1: a function keeps rbx, rbp, r12 to r15, and the stack.
 */
#ifndef TESTS_SIM_FIBER_SWITCH_H
#define TESTS_SIM_FIBER_SWITCH_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

struct fiber_place {
    void *stack; /* where it was left: six registers lie there, and where to go on */
};

void fiber_switch(struct fiber_place *from, const struct fiber_place *to);
__asm__(".text\n"
        ".type fiber_switch, @function\n"
        "fiber_switch:\n"
        "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov (%rsi), %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        "ret\n"
        ".size fiber_switch, . - fiber_switch\n");

/* Begins at `run`, as if it had been called. */
static inline void fiber_place_make(struct fiber_place *place, char *stack, size_t bytes,
                                    void (*run)(void))
{
    enum { REGISTERS = 6 };
    uintptr_t frame[REGISTERS + 2] = {[REGISTERS] = (uintptr_t)run};
    char *top = stack + (bytes & ~(size_t)15);

    place->stack = top - sizeof(frame);
    memcpy(place->stack, frame, sizeof(frame));
}

#else

#include <ucontext.h>

struct fiber_place {
    ucontext_t context;
};

static inline void fiber_switch(struct fiber_place *from, const struct fiber_place *to)
{
    swapcontext(&from->context, &to->context);
}

static inline void fiber_place_make(struct fiber_place *place, char *stack, size_t bytes,
                                    void (*run)(void))
{
    getcontext(&place->context);
    place->context.uc_stack.ss_sp = stack;
    place->context.uc_stack.ss_size = bytes;
    place->context.uc_link = NULL;
    makecontext(&place->context, run, 0);
}

#endif

#endif
