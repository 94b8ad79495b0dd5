// The built-in variables of device code. Kernels see them as const: they do not
// change while a thread runs, and a thread keeps its own when it is resumed.
#include <vector_types.h>

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;
