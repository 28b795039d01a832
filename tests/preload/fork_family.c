/*
 * The relatives of fork, while other threads allocate: vfork and exec, posix_spawn, system, popen,
 * fork from a thread, and fork from the child of a fork of a thread.
 */
#include "busy.h"
#include "child.h"
#include <fcntl.h>
#include <spawn.h>

enum
{
    nr_threads = 4,
    rounds = 60
};

extern char** environ;
static char* const true_arguments[] = {(char*)"true", NULL};

static void by_vfork(void)
{
    pid_t child = vfork();
    if (child == 0) {
        execv("/bin/true", true_arguments);
        _exit(127);
    }
    CHECK(child > 0, "vfork: %s", strerror(errno));
    expect_exit(child, 0, "vfork and exec");
}

static void by_posix_spawn(void)
{
    pid_t child;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    CHECK(posix_spawn(&child, "/bin/true", &actions, NULL, true_arguments, environ) == 0, "spawn");
    posix_spawn_file_actions_destroy(&actions);
    expect_exit(child, 0, "posix_spawn");
}

static void by_system(void)
{
    int status = system("exit 7");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "system gave %#x", (unsigned)status);
}

static void by_popen(void)
{
    FILE* pipe = popen("echo one two; echo three", "r");
    CHECK(pipe, "popen: %s", strerror(errno));
    char* line = NULL;
    size_t room = 0;
    CHECK(getline(&line, &room, pipe) == 8 && strcmp(line, "one two\n") == 0, "read '%s'", line);
    CHECK(getline(&line, &room, pipe) == 6 && strcmp(line, "three\n") == 0, "read '%s'", line);
    free(line);
    CHECK(pclose(pipe) == 0, "pclose");
}

/* In the child that a thread forked: threads again, and forks again from one of them. */
static void* fork_from_thread(void* arg)
{
    int depth = *(int*)arg;
    pid_t child = fork();
    CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        alarm(child_seconds);
        allocate_in_child();
        if (depth > 0) {
            struct busy_threads busy;
            pthread_t thread;
            int next = depth - 1;
            start_busy_threads(&busy, 2);
            CHECK(pthread_create(&thread, NULL, fork_from_thread, &next) == 0, "thread");
            pthread_join(thread, NULL);
            stop_busy_threads(&busy);
        }
        allocate_in_child();
        exit(0);
    }
    expect_exit(child, 0, "child of a thread");
    return NULL;
}

/* The thread that forked keeps allocating from the memory it shares with nobody now. */
static void* fork_and_go_on(void* arg)
{
    char* objects[100];
    for (int i = 0; i < 100; i++) {
        objects[i] = malloc(100 + (size_t)i);
        objects[i][0] = (char)i;
    }
    fork_from_thread(arg);
    for (int i = 0; i < 100; i++) {
        CHECK(objects[i][0] == (char)i, "object %d", i);
        free(objects[i]);
    }
    return NULL;
}

int main(void)
{
    require_library();
    struct busy_threads busy;
    start_busy_threads(&busy, nr_threads);
    for (int i = 0; i < rounds; i++) {
        by_vfork();
        by_posix_spawn();
        by_system();
        by_popen();
        int depth = i % 3;
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, fork_and_go_on, &depth) == 0, "thread");
        pthread_join(thread, NULL);
    }
    stop_busy_threads(&busy);
    return 0;
}
