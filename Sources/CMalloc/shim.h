// What the allocator has given out, for measuring.
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
#else
// Not known here.
static inline size_t allocated_bytes(void) { return 0; }
#endif

#endif
