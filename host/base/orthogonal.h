/* Random orthogonal matrices that are the same bits on every machine. */
#ifndef GS_BASE_ORTHOGONAL_H
#define GS_BASE_ORTHOGONAL_H

#include <stddef.h>
#include <stdint.h>

/* Doubles of workspace for a rows x cols matrix. */
size_t gs_random_orthogonal_workspace(int64_t rows, int64_t cols);

/* Fills out (rows x cols, row-major, contiguous; rows, cols >= 1) with gain * Q,
 * Q Haar-distributed with orthonormal columns (rows >= cols) or rows (rows <
 * cols), as torch.nn.init.orthogonal_ defines it: Q of the QR factorisation,
 * made unique by a positive diagonal of R, of the matrix (or its transpose)
 * that gs_random_normal draws from the stream. Overwrites workspace. */
void gs_random_orthogonal(float *out, int64_t rows, int64_t cols, double gain, uint64_t seed,
                          uint32_t tensor_id, uint32_t replica, double *workspace);

#endif
