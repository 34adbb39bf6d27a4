// XXH3's own code, inlined into its callers: a user id has few bytes, and the call into the shared library would cost as
// much as their hash. The function that names it is for Swift, which sees no macros.
#define XXH_INLINE_ALL
#include <xxhash.h>

static inline XXH64_hash_t pushring_xxh3_64bits(const void *input, size_t length) { return XXH3_64bits(input, length); }
