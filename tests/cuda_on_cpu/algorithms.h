// The algorithms that the simulated cublasLt suggests, so that callers meet what they may
// meet on a GPU.
#ifndef GS_CUDA_ON_CPU_ALGORITHMS_H
#define GS_CUDA_ON_CPU_ALGORITHMS_H

#include <cublasLt.h>

#include <chrono>

#include "matmul.h"

namespace gs_sim {

struct Algorithm {
  Summation summation;
  bool runs;              // it does not refuse
  size_t workspace_bytes; // that it needs
};

// In the order of their numbers.
constexpr Algorithm algorithms[] = {
    {Summation::ascending, true, 0},        // the best, where no algorithm is named
    {Summation::ascending, true, 0},        // the same bits
    {Summation::halves, true, 0},           // others
    {Summation::ascending, false, 0},       //
    {Summation::ascending, true, 64 << 10}, // the bits of the first
    {Summation::eights, true, 0},           // others again
    {Summation::narrow_halves, true, 0},    // rounds partial sums to the result's type
};
constexpr int algorithm_count = sizeof algorithms / sizeof *algorithms;

// The number of a suggested algorithm; -1: of none. One that was given with a state that is
// no success ends the process: it must not be used.
int algorithm_of(const cublasLtMatmulAlgo_t *algo);

// Suggests for a product; returns the status of cublasLtMatmulAlgoGetHeuristic.
// narrow_halves comes first, where a preference does not forbid it and the result is of 16
// bits, and one that does not serve last, as its state says.
cublasStatus_t suggest_algorithms(const Matmul &matmul, cublasLtMatmulPreference_t preference,
                                  int wanted, cublasLtMatmulHeuristicResult_t results[],
                                  int *count);

// How much longer this algorithm's products pretend to take than the fastest's, which
// GRADSWEEP_SIM_FAST names.
std::chrono::nanoseconds algorithm_delay(int algorithm);

} // namespace gs_sim

#endif
