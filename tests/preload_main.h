/* For what is preloaded into gradsweep: the program's main is called by preloaded_main, which
 * who includes this defines. */
#ifndef PRELOAD_MAIN_H
#define PRELOAD_MAIN_H

#include <dlfcn.h>

typedef int main_function(int argc, char **argv, char **environment);

static int preloaded_main(int argc, char **argv, char **environment, main_function *main);

static main_function *program_main;

static int call_preloaded_main(int argc, char **argv, char **environment) {
  return preloaded_main(argc, argv, environment, program_main);
}

int __libc_start_main(main_function *begin_at, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end);
int __libc_start_main(main_function *begin_at, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end) {
  __typeof__(&__libc_start_main) real = NULL;
  *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
  program_main = begin_at;
  return real(call_preloaded_main, argc, argv, init, fini, loader_fini, stack_end);
}

#endif
