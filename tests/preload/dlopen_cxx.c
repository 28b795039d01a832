/*
 * A C program that loads a C++ library: libstdc++ comes into the process after the allocator, with
 * RTLD_LOCAL not even into the scope where the allocator's own references are looked up.  Still new
 * must throw std::bad_alloc of that libstdc++.  Usage: dlopen_cxx global|local plugin.so
 */
#include "check.h"

static void* plugin;

static void* find(const char* name)
{
    void* address = dlsym(plugin, name);
    CHECK(address, "%s: %s", name, dlerror());
    return address;
}

int main(int argc, char** argv)
{
    require_library();
    CHECK(argc == 3, "usage: dlopen_cxx global|local plugin.so");
    int scope = strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
    CHECK(!dlsym(RTLD_DEFAULT, "__cxa_throw"), "the program has a C++ runtime from the start");
    plugin = dlopen(argv[2], RTLD_NOW | scope);
    CHECK(plugin, "%s", dlerror());
    long (*work)(int) = (long (*)(int))find("plugin_work");
    int (*catches)(unsigned long) = (int (*)(unsigned long))find("plugin_catches_bad_alloc");
    int (*handler)(unsigned long) = (int (*)(unsigned long))find("plugin_calls_new_handler");
    void* (*make)(unsigned long) = (void* (*)(unsigned long))find("plugin_new");
    void (*drop)(void*) = (void (*)(void*))find("plugin_delete");

    CHECK(work(200) == 200L * 49 * 50 / 2, "the plugin's containers");
    /* Memory of the one language freed by the other: both sides are one heap. */
    free(make(1000));
    drop(malloc(1000));
    CHECK(catches(PTRDIFF_MAX - 4096), "new of too much did not throw std::bad_alloc");
    CHECK(handler(PTRDIFF_MAX - 4096) == 1, "the plugin's new-handler was not called once");
    CHECK(work(200) == 200L * 49 * 50 / 2, "the plugin's containers after the exception");
    dlclose(plugin);
    return 0;
}
