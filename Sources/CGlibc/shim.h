// What glibc has and Swift's Glibc module leaves out.
#ifndef WEIR_CGLIBC_H
#define WEIR_CGLIBC_H

#include <malloc.h>

#endif
