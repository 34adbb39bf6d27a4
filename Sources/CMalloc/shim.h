// What the allocator has given out, and what it keeps.
#ifndef PUSHRING_CMALLOC_H
#define PUSHRING_CMALLOC_H

// Also defines __GLIBC__ where there is one.
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

// Bytes that the process has allocated and not freed, over all arenas.
static inline size_t allocated_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Gives pages that nothing lives in back to the system, also those in the middle, which free() alone never does.
static inline void return_free_pages(void) { malloc_trim(0); }
#else
// Not known here.
static inline size_t allocated_bytes(void) { return 0; }

// Its allocator does as it likes.
static inline void return_free_pages(void) {}
#endif

#endif
