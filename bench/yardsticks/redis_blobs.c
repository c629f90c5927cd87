/* redis_blobs.c - see redis_blobs.h. */
#include "bench/yardsticks/redis_blobs.h"

#include <fcntl.h>
#include <hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOB_BYTES = 1 << 20, TRIES = 1000 };

struct redis_blobs {
    char folder[64], socket[80];
    pid_t server;
    redisContext *redis;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pid_t server_begin(const struct redis_blobs *blobs)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", blobs->socket, "--save",
           "", "--appendonly", "no", "--dir", blobs->folder, (char *)NULL);
    _exit(127);
}

struct redis_blobs *redis_blobs_start(const char **why)
{
    struct redis_blobs *blobs = calloc(1, sizeof(*blobs));

    if (blobs == NULL)
        abort();
    strcpy(blobs->folder, "/tmp/bench-redis-XXXXXX");
    if (mkdtemp(blobs->folder) == NULL) {
        free(blobs);
        *why = "no folder for a redis-server can be made in /tmp";
        return NULL;
    }
    snprintf(blobs->socket, sizeof(blobs->socket), "%s/socket", blobs->folder);
    blobs->server = server_begin(blobs);
    for (int i = 0; i < TRIES && blobs->server > 0; i++) {
        blobs->redis = redisConnectUnix(blobs->socket);
        if (blobs->redis != NULL && blobs->redis->err == 0)
            return blobs;
        redisFree(blobs->redis);
        blobs->redis = NULL;
        if (waitpid(blobs->server, NULL, WNOHANG) != 0) /* it is not there, or could not begin */
            blobs->server = -1;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    *why = "there is no redis-server that answers";
    redis_blobs_stop(blobs);
    return NULL;
}

void redis_blobs_stop(struct redis_blobs *blobs)
{
    if (blobs == NULL)
        return;
    if (blobs->redis != NULL)
        redisFree(blobs->redis);
    if (blobs->server > 0) {
        kill(blobs->server, SIGKILL);
        waitpid(blobs->server, NULL, 0);
    }
    unlink(blobs->socket);
    rmdir(blobs->folder);
    free(blobs);
}

static void write_all(int fd, const char *from, size_t count)
{
    while (count > 0) {
        ssize_t put = write(fd, from, count);
        if (put < 0) {
            fprintf(stderr, "the redis-server takes nothing\n");
            exit(2);
        }
        from += put;
        count -= (size_t)put;
    }
}

/* Written straight to the socket: the client library would move what it has not sent yet with each
 * write. The answers are a few bytes each, and are read when all is sent. */
double redis_blobs_send(struct redis_blobs *blobs, const void *bytes, size_t count)
{
    const char *from = bytes;
    double begin = now_s();
    size_t sent = 0;

    for (size_t at = 0; at < count; at += BLOB_BYTES, sent++) {
        size_t part = count - at < BLOB_BYTES ? count - at : BLOB_BYTES;
        char head[96];
        int head_bytes =
            snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$12\r\nblob:%07zu\r\n$%zu\r\n",
                     sent % 10000000, part);
        write_all(blobs->redis->fd, head, (size_t)head_bytes);
        write_all(blobs->redis->fd, from + at, part);
        write_all(blobs->redis->fd, "\r\n", 2);
    }
    for (; sent > 0; sent--) {
        redisReply *reply = NULL;
        if (redisGetReply(blobs->redis, (void **)&reply) != REDIS_OK ||
            reply->type != REDIS_REPLY_STATUS) {
            fprintf(stderr, "the redis-server does not take a blob\n");
            exit(2);
        }
        freeReplyObject(reply);
    }
    return now_s() - begin;
}
