#include "algorithms.h"

#include "cuda_on_cpu_control.h"
#include "die.h"
#include "environment.h"

namespace gs_sim {
namespace {

constexpr uint64_t algorithm_tag = 0x6773; // in algo.data[1]
constexpr int unusable = algorithm_count;
constexpr std::chrono::microseconds slow{4};

static_assert(algorithm_count == GS_SIM_ALGORITHMS, "counts have one place for each");

template <class T>
T preference_of(cublasLtMatmulPreference_t from, cublasLtMatmulPreferenceAttributes_t name,
                T otherwise) {
  T value{};
  size_t written;
  return from != nullptr && cublasLtMatmulPreferenceGetAttribute(from, name, &value, sizeof(value),
                                                                 &written) == CUBLAS_STATUS_SUCCESS
             ? value
             : otherwise;
}

bool adds_in_results_type(cublasLtMatmulPreference_t preference) {
  constexpr uint32_t narrow =
      CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
  const auto mask = preference_of<uint32_t>(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                            CUBLASLT_REDUCTION_SCHEME_MASK);
  return (mask & narrow) != 0;
}

cublasLtMatmulHeuristicResult_t suggestion(int algorithm) {
  cublasLtMatmulHeuristicResult_t result{};
  result.algo.data[0] = static_cast<uint64_t>(algorithm);
  result.algo.data[1] = algorithm_tag;
  result.state = algorithm == unusable ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
  if (algorithm != unusable) result.workspaceSize = algorithms[algorithm].workspace_bytes;
  result.wavesCount = 1;
  return result;
}

} // namespace

int algorithm_of(const cublasLtMatmulAlgo_t *algo) {
  if (algo == nullptr) return 0;
  if (algo->data[1] != algorithm_tag || algo->data[0] > unusable) return -1;
  if (algo->data[0] == unusable) die("cublasLtMatmul: an algorithm whose state was no success");
  return static_cast<int>(algo->data[0]);
}

cublasStatus_t suggest_algorithms(const Matmul &matmul, cublasLtMatmulPreference_t preference,
                                  int wanted, cublasLtMatmulHeuristicResult_t results[],
                                  int *count) {
  if (matmul.k == environment_number("GRADSWEEP_SIM_NO_PRODUCT", 0))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto workspace =
      preference_of<uint64_t>(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, 0);
  const auto add = [&](int algorithm) {
    if (*count < wanted) results[(*count)++] = suggestion(algorithm);
  };
  const int narrow = algorithm_count - 1;
  if (element_bytes(matmul.d.type) == 2 && adds_in_results_type(preference)) add(narrow);
  for (int i = 0; i < narrow; i++)
    if (algorithms[i].workspace_bytes <= workspace) add(i);
  add(unusable);
  return CUBLAS_STATUS_SUCCESS;
}

// Asked for every time: tests change it.
std::chrono::nanoseconds algorithm_delay(int algorithm) {
  if (algorithm == environment_number("GRADSWEEP_SIM_FAST", -1)) return {};
  return slow;
}

} // namespace gs_sim
