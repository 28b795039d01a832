/*
 * operator new in a program without a C++ runtime: it serves, and where it cannot, there is nobody to
 * throw std::bad_alloc.  Then it says so and aborts; the nothrow form is simply nullptr.
 */
#include "child.h"
#include <signal.h>
#include <sys/mman.h>

static const volatile size_t absurd = (size_t)PTRDIFF_MAX - 4096;

static void* find(const char* name)
{
    void* address = dlsym(RTLD_DEFAULT, name);
    CHECK(address, "%s: %s", name, dlerror());
    return address;
}

int main(void)
{
    require_library();
    CHECK(!dlsym(RTLD_DEFAULT, "__cxa_throw"), "this program has a C++ runtime");
    void* (*operator_new)(size_t) = (void* (*)(size_t))find("_Znwm");
    void* (*operator_new_nothrow)(size_t, const void*) =
        (void* (*)(size_t, const void*))find("_ZnwmRKSt9nothrow_t");
    void (*operator_delete)(void*) = (void (*)(void*))find("_ZdlPv");
    operator_delete(operator_new(1000));
    CHECK(operator_new_nothrow(absurd, "") == NULL, "nothrow new of too much");

    int file = memfd_create("message", MFD_CLOEXEC);
    CHECK(file >= 0, "memfd_create");
    pid_t child = fork();
    if (child == 0) {
        dup2(file, 2);
        operator_new(absurd);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the status is %#x",
          (unsigned)status);
    char expected[200];
    snprintf(expected, sizeof expected,
             "buddyslab: operator new(%zu): out of memory, and no C++ runtime to throw "
             "std::bad_alloc\n",
             absurd);
    char text[1000] = "";
    CHECK(pread(file, text, sizeof text - 1, 0) > 0, "there is no message");
    CHECK(strcmp(text, expected) == 0, "the message is %s", text);
    return 0;
}
