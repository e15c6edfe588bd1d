// What glibc has and Swift's Glibc module leaves out.
#ifndef WEIR_CGLIBC_H
#define WEIR_CGLIBC_H

#include <malloc.h>

/// <fcntl.h> with _GNU_SOURCE; see sync_file_range(2).
int sync_file_range(int descriptor, long long offset, long long count, unsigned int flags);
enum { WEIR_SYNC_FILE_RANGE_WRITE = 2 };

#endif
