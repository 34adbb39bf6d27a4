// valgrind's requests are macros. Each is a few instructions that do nothing in a program that valgrind does not run.
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>

static inline void callgrind_start(void) { CALLGRIND_START_INSTRUMENTATION; }
static inline void callgrind_stop(void) { CALLGRIND_STOP_INSTRUMENTATION; }
static inline void callgrind_zero(void) { CALLGRIND_ZERO_STATS; }
static inline void callgrind_dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
#else
static inline void callgrind_start(void) {}
static inline void callgrind_stop(void) {}
static inline void callgrind_zero(void) {}
static inline void callgrind_dump(const char *name) { (void)name; }
#endif
