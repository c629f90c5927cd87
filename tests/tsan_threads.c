/*
 * tsan_threads.c - the C11 thread calls by way of the POSIX ones, for the preset tsan alone.
 *
 * librdkafka starts its threads and takes its locks by <threads.h>. ThreadSanitizer of
 * gcc 12 watches only the POSIX calls: a thread made by thrd_create() has no state of
 * its own there, and the first watched call in it crashes the program; locks taken by
 * mtx_lock() order nothing. Definitions in the program come before those of libc, so
 * every library linked to it uses these. In glibc the types of both are the same size
 * and zero-initialized alike, which the assertions below hold it to.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thread is named alike");
_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mutex fits");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a condition fits");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "a once flag fits");

struct start {
    thrd_start_t run;
    void *arg;
};

static int as_thrd(int posix)
{
    switch (posix) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
    case EAGAIN:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

static void *run_started(void *taken)
{
    struct start start = *(struct start *)taken;

    free(taken);
    return (void *)(intptr_t)start.run(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    struct start *start = malloc(sizeof(*start));
    int rc;

    if (start == NULL)
        return thrd_nomem;
    *start = (struct start){run, arg};
    rc = pthread_create(thread, NULL, run_started, start);
    if (rc != 0)
        free(start);
    return as_thrd(rc);
}

int thrd_join(thrd_t thread, int *result)
{
    void *returned = NULL;
    int rc = pthread_join(thread, &returned);

    if (rc == 0 && result != NULL)
        *result = (int)(intptr_t)returned;
    return as_thrd(rc);
}

int thrd_detach(thrd_t thread)
{
    return as_thrd(pthread_detach(thread));
}

void thrd_exit(int result)
{
    pthread_exit((void *)(intptr_t)result);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attr;
    int rc;

    pthread_mutexattr_init(&attr);
    if (type & mtx_recursive)
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    rc = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return as_thrd(rc);
}

int mtx_lock(mtx_t *mutex)
{
    return as_thrd(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return as_thrd(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until)
{
    return as_thrd(pthread_mutex_timedlock((pthread_mutex_t *)mutex, until));
}

int mtx_unlock(mtx_t *mutex)
{
    return as_thrd(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

void mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int cnd_init(cnd_t *condition)
{
    return as_thrd(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

int cnd_signal(cnd_t *condition)
{
    return as_thrd(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return as_thrd(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return as_thrd(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    return as_thrd(
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

void cnd_destroy(cnd_t *condition)
{
    pthread_cond_destroy((pthread_cond_t *)condition);
}

void call_once(once_flag *flag, void (*run)(void))
{
    pthread_once((pthread_once_t *)flag, run);
}
