/* errand.c - see errand.h. */
#include "sim/errand.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/host.h"
#include "sim/disk.h"
#include "sim/fibers.h"
#include "sim/scenario.h"
#include "sim/sql_disk.h"

int errand_run(int (*run)(void))
{
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        static struct host table;
        bool is_told = world->is_told;
        int fd;
        table = *host();
        disk_fill_host(&table);
        host_set(&table);
        sql_disk_begin();
        fibers_begin();
        world->began_ns = world->now_ns;
        world->plan = scenario_quiet_life();
        world->is_told = false;
        if (!is_told && (fd = open("/dev/null", O_WRONLY)) >= 0)
            dup2(fd, STDOUT_FILENO);
        status = run();
        fflush(stdout);
        world->is_told = is_told;
        _exit(status);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    disk_let_go();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
