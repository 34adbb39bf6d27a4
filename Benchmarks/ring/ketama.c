// libmemcached's ketama, measured as measure-ring measures: see run. Lines of JSON on stdout.
#include <libmemcached/memcached.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS = 4096, ROUNDS = 300, SAMPLE = 1000000 };
static char keys[2][KEYS][40];

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static size_t allocated(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static memcached_st *ring(int members, int newcomer) {
  memcached_st *ring = memcached_create(NULL);
  memcached_behavior_set(ring, MEMCACHED_BEHAVIOR_KETAMA, 1);
  for (int member = 0; member < members + newcomer; member++) {
    char name[40];
    if (member < members)
      snprintf(name, sizeof name, "session-manager-%d", member);
    else
      strcpy(name, "newcomer");
    memcached_server_add(ring, name, 11211);
  }
  return ring;
}

static double nanoseconds(memcached_st *ring, char (*some)[40]) {
  double best = 1e9;
  uint64_t sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    double start = seconds();
    for (int key = 0; key < KEYS; key++) sum += memcached_generate_hash(ring, some[key], strlen(some[key]));
    double each = (seconds() - start) * 1e9 / KEYS;
    if (each < best) best = each;
  }
  // Used, or the compiler might leave the work out.
  if (sum == UINT64_MAX) abort();
  return best;
}

// Of one member less than the others have, as 100 are the most that Debian's libmemcached takes.
static void balance(int members) {
  memcached_st *before = ring(members, 0), *after = ring(members, 1);
  int *counts = calloc(members, sizeof *counts);
  int largest = 0, moved = 0;
  for (int number = 0; number < SAMPLE; number++) {
    char key[40];
    int length = snprintf(key, sizeof key, "sample-%d", number);
    uint32_t owner = memcached_generate_hash(before, key, length);
    if (++counts[owner] > largest) largest = counts[owner];
    if (memcached_generate_hash(after, key, length) != owner) moved++;
  }
  printf(", \"largestShare\": %f, \"moved\": %f", (double)largest * members / SAMPLE,
         (double)moved * (members + 1) / SAMPLE);
}

int main(void) {
  for (int key = 0; key < KEYS; key++) {
    int number = 1000000 + key * 7919;
    snprintf(keys[0][key], sizeof keys[0][key], "user-%d", number);
    snprintf(keys[1][key], sizeof keys[1][key], "%d-3d5f-4b4a-9c1e-0123456789ab", number + 20000000);
  }
  int sizes[] = {3, 100};
  for (int size = 0; size < 2; size++) {
    int members = sizes[size];
    size_t before = allocated();
    memcached_st *made = ring(members, 0);
    // The continuum is made by the first look-up.
    memcached_generate_hash(made, "x", 1);
    double bytes = (double)(allocated() - before) / members;
    printf("{\"name\": \"libmemcached (ketama)\", \"members\": %d, \"nanoseconds\": %f, \"nanosecondsOfUUID\": %f, "
           "\"bytesPerMember\": %f",
           members, nanoseconds(made, keys[0]), nanoseconds(made, keys[1]), bytes);
    if (members == 100) balance(99);
    printf("}\n");
  }
  return 0;
}
