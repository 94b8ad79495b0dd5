// Where the matrices of a product lie.
#ifndef GS_CUDA_ON_CPU_MATMUL_CHECK_H
#define GS_CUDA_ON_CPU_MATMUL_CHECK_H

#include "matmul.h"

namespace gs_sim {

// Dies when a matrix does not lie within one allocation of device memory, or
// the output overlaps itself or an input (it may be C, element for element).
void matmul_check_memory(const Matmul &matmul, bool reads_c);
// Tells the thread sanitizer what the product reads and writes.
void matmul_note_accesses(const Matmul &matmul, bool reads_c);

} // namespace gs_sim

#endif
