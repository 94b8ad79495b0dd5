// The entry points of cublasLt that need a GPU. Descriptors, layouts and
// preferences are the real library's: it makes them without one.
//
// Which algorithms there are, algorithms.h says. Every one that is given a workspace writes
// NaN over (the beginning of) it.
#include <cublasLt.h>

#include <set>
#include <type_traits>

#include "algorithms.h"
#include "api.h"
#include "bytes.h"
#include "die.h"
#include "heap.h"
#include "injection.h"
#include "launch.h"
#include "matmul.h"
#include "matmul_check.h"
#include "pretended_device.h"

using namespace gs_sim;

namespace {

constexpr size_t workspace_used = 64 << 10;
constexpr int max_batch = 65535; // what a grid has in the direction of the batch

std::set<void *> handles;

// What a descriptor says.
struct Description {
  cublasComputeType_t compute;
  cudaDataType scale;
  int32_t pointer_mode;
  int32_t trans_a;
  int32_t trans_b;
  uint32_t epilogue;
};

template <class T> T attribute(cublasLtMatmulDesc_t from, cublasLtMatmulDescAttributes_t name) {
  T value{};
  size_t written;
  if (cublasLtMatmulDescGetAttribute(from, name, &value, sizeof(value), &written) !=
      CUBLAS_STATUS_SUCCESS)
    die("a cublasLt descriptor does not answer");
  return value;
}

template <class T> T attribute(cublasLtMatrixLayout_t from, cublasLtMatrixLayoutAttribute_t name) {
  T value{};
  size_t written;
  if (cublasLtMatrixLayoutGetAttribute(from, name, &value, sizeof(value), &written) !=
      CUBLAS_STATUS_SUCCESS)
    die("a cublasLt layout does not answer");
  return value;
}

Description description_of(cublasLtMatmulDesc_t from) {
  return {
      static_cast<cublasComputeType_t>(attribute<int32_t>(from, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE)),
      static_cast<cudaDataType>(attribute<int32_t>(from, CUBLASLT_MATMUL_DESC_SCALE_TYPE)),
      attribute<int32_t>(from, CUBLASLT_MATMUL_DESC_POINTER_MODE),
      attribute<int32_t>(from, CUBLASLT_MATMUL_DESC_TRANSA),
      attribute<int32_t>(from, CUBLASLT_MATMUL_DESC_TRANSB),
      attribute<uint32_t>(from, CUBLASLT_MATMUL_DESC_EPILOGUE)};
}

struct Layout {
  Matrix matrix;
  int32_t batch;
  int32_t order;
};

Layout layout_of(cublasLtMatrixLayout_t from) {
  Layout layout{};
  layout.matrix.type =
      static_cast<cudaDataType>(attribute<uint32_t>(from, CUBLASLT_MATRIX_LAYOUT_TYPE));
  layout.matrix.rows = static_cast<int64_t>(attribute<uint64_t>(from, CUBLASLT_MATRIX_LAYOUT_ROWS));
  layout.matrix.cols = static_cast<int64_t>(attribute<uint64_t>(from, CUBLASLT_MATRIX_LAYOUT_COLS));
  layout.matrix.ld = attribute<int64_t>(from, CUBLASLT_MATRIX_LAYOUT_LD);
  layout.matrix.stride = attribute<int64_t>(from, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
  layout.batch = attribute<int32_t>(from, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
  layout.order = attribute<int32_t>(from, CUBLASLT_MATRIX_LAYOUT_ORDER);
  return layout;
}

bool types_fit(const Description &description, const Matmul &matmul) {
  const cudaDataType in = matmul.a.type;
  if (matmul.b.type != in || matmul.c.type != matmul.d.type) return false;
  const cudaDataType out = matmul.d.type;
  switch (description.compute) {
  case CUBLAS_COMPUTE_32F:
    if (description.scale != CUDA_R_32F) return false;
    if (in == CUDA_R_32F) return out == CUDA_R_32F;
    return (in == CUDA_R_16BF || in == CUDA_R_16F) && (out == in || out == CUDA_R_32F);
  case CUBLAS_COMPUTE_32F_FAST_TF32:
    return description.scale == CUDA_R_32F && in == CUDA_R_32F && out == CUDA_R_32F;
  case CUBLAS_COMPUTE_64F:
    return description.scale == CUDA_R_64F && in == CUDA_R_64F && out == CUDA_R_64F;
  default: return false;
  }
}

// Fills everything but the addresses, or says what is wrong.
cublasStatus_t describe(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                        cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                        cublasLtMatrixLayout_t d, Matmul *matmul) {
  const Description description = description_of(desc);
  const Layout layouts[] = {layout_of(a), layout_of(b), layout_of(c), layout_of(d)};
  for (const Layout &layout : layouts) {
    const Matrix &matrix = layout.matrix;
    if (layout.order != CUBLASLT_ORDER_COL) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (matrix.rows <= 0 || matrix.cols <= 0 || matrix.ld < matrix.rows || matrix.stride < 0 ||
        layout.batch < 1 || layout.batch != layouts[3].batch)
      return CUBLAS_STATUS_INVALID_VALUE;
  }
  *matmul = Matmul{};
  matmul->a = layouts[0].matrix;
  matmul->b = layouts[1].matrix;
  matmul->c = layouts[2].matrix;
  matmul->d = layouts[3].matrix;
  matmul->a.transposed = description.trans_a != CUBLAS_OP_N;
  matmul->b.transposed = description.trans_b != CUBLAS_OP_N;
  matmul->batch = layouts[3].batch;
  matmul->m = matmul->d.rows;
  matmul->n = matmul->d.cols;
  matmul->k = matmul->a.transposed ? matmul->a.rows : matmul->a.cols;
  matmul->tf32 = description.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? pretended_tf32() : Tf32::no;
  if ((matmul->a.transposed ? matmul->a.cols : matmul->a.rows) != matmul->m ||
      (matmul->b.transposed ? matmul->b.cols : matmul->b.rows) != matmul->k ||
      (matmul->b.transposed ? matmul->b.rows : matmul->b.cols) != matmul->n ||
      matmul->c.rows != matmul->m || matmul->c.cols != matmul->n)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!types_fit(description, *matmul) || description.epilogue != CUBLASLT_EPILOGUE_DEFAULT ||
      matmul->batch > max_batch)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return CUBLAS_STATUS_SUCCESS;
}

bool aligned(const Matrix &matrix) {
  return reinterpret_cast<uintptr_t>(matrix.data) % element_bytes(matrix.type) == 0;
}

// Alpha and beta on the host are read now, those on the device when it runs.
struct Scalars {
  bool on_device;
  const void *device_alpha;
  const void *device_beta;
  double alpha; // the bytes of a float or a double
  double beta;
};

cublasStatus_t read_scalars(int32_t mode, size_t bytes, const void *alpha, const void *beta,
                            Scalars *scalars) {
  *scalars = Scalars{mode == CUBLASLT_POINTER_MODE_DEVICE, alpha, beta, 0, 0};
  if (mode == CUBLASLT_POINTER_MODE_DEVICE) {
    heap_require(alpha, bytes, "alpha");
    heap_require(beta, bytes, "beta");
    return CUBLAS_STATUS_SUCCESS;
  }
  if (mode != CUBLASLT_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (is_device_memory(alpha) || is_device_memory(beta))
    die("cublasLtMatmul: alpha and beta are on the device, the pointer mode says host");
  copy_bytes(&scalars->alpha, alpha, bytes);
  copy_bytes(&scalars->beta, beta, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

// Runs on the stream.
void run(Matmul matmul, const Scalars &scalars, void *workspace, size_t workspace_bytes) {
  const HeapOpen open;
  const size_t scalar_bytes = matmul.a.type == CUDA_R_64F ? sizeof(double) : sizeof(float);
  matmul.alpha = scalars.on_device ? scalars.device_alpha : &scalars.alpha;
  matmul.beta = scalars.on_device ? scalars.device_beta : &scalars.beta;
  if (scalars.on_device) {
    note_read(matmul.alpha, scalar_bytes);
    note_read(matmul.beta, scalar_bytes);
  }
  const bool zero = matmul.a.type == CUDA_R_64F ? *static_cast<const double *>(matmul.beta) == 0
                                                : *static_cast<const float *>(matmul.beta) == 0;
  matmul_check_memory(matmul, !zero);
  const size_t scribbled = workspace_bytes < workspace_used ? workspace_bytes : workspace_used;
  if (scribbled > 0) {
    note_write(workspace, scribbled);
    fill_bytes(workspace, 0xff, scribbled);
  }
  matmul_note_accesses(matmul, !zero);
  const Quiet quiet;
  matmul_compute(matmul);
}

cublasStatus_t status_of(cudaError_t error) {
  switch (error) {
  case cudaSuccess: return CUBLAS_STATUS_SUCCESS;
  case cudaErrorInvalidResourceHandle: return CUBLAS_STATUS_INVALID_VALUE;
  default: return CUBLAS_STATUS_EXECUTION_FAILED;
  }
}

cublasStatus_t enqueue(const Matmul &matmul, int algorithm, const Scalars &scalars, void *workspace,
                       size_t workspace_bytes, cudaStream_t stream) {
  const cudaError_t refused = launch_begins();
  if (refused != cudaSuccess) return status_of(refused);
  counts.matmuls++;
  counts.matmuls_by[algorithm]++;
  return status_of(enqueue_work(stream, [=](Stream &) {
    counts.kernels_run++;
    device_clock_advance(algorithm_delay(algorithm));
    run(matmul, scalars, workspace, workspace_bytes);
  }));
}

} // namespace

size_t cublasLtGetVersion() { return CUBLAS_VERSION; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  const Entered entered;
  const cudaError_t pretended = call_begins(CallKind::ordinary);
  if (pretended == cudaErrorUnknown) return CUBLAS_STATUS_ALLOC_FAILED;
  if (pretended != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  void *created = std::malloc(1);
  handles.insert(created);
  counts.live_handles++;
  counts.handles_made++;
  *handle = static_cast<cublasLtHandle_t>(created);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  const Entered entered;
  if (handles.erase(handle) == 0) return CUBLAS_STATUS_INVALID_VALUE;
  std::free(handle);
  counts.live_handles--;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int *count) {
  const Entered entered;
  *count = 0;
  if (call_begins(CallKind::ordinary) != cudaSuccess) return CUBLAS_STATUS_INTERNAL_ERROR;
  if (handles.count(handle) == 0 || wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
  Matmul matmul;
  const cublasStatus_t status = describe(desc, a, b, c, d, &matmul);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  return suggest_algorithms(matmul, preference, wanted, results, count);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_bytes, cudaStream_t stream) {
  const Entered entered;
  if (call_begins(CallKind::ordinary) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (handles.count(handle) == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
  const int algorithm = algorithm_of(algo);
  if (algorithm < 0) return CUBLAS_STATUS_INVALID_VALUE;
  Matmul matmul;
  cublasStatus_t status = describe(desc, a_layout, b_layout, c_layout, d_layout, &matmul);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (!algorithms[algorithm].runs) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (workspace_bytes < algorithms[algorithm].workspace_bytes) return CUBLAS_STATUS_INVALID_VALUE;
  matmul.a.data = const_cast<void *>(a);
  matmul.b.data = const_cast<void *>(b);
  matmul.c.data = const_cast<void *>(c);
  matmul.d.data = d;
  matmul.summation = algorithms[algorithm].summation;
  if (!aligned(matmul.a) || !aligned(matmul.b) || !aligned(matmul.c) || !aligned(matmul.d) ||
      reinterpret_cast<uintptr_t>(workspace) % 16 != 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  matmul_check_memory(matmul, false);
  if (workspace_bytes > 0) heap_require(workspace, workspace_bytes, "the workspace");
  Scalars scalars;
  const size_t scalar_bytes = matmul.a.type == CUDA_R_64F ? sizeof(double) : sizeof(float);
  status = read_scalars(attribute<int32_t>(desc, CUBLASLT_MATMUL_DESC_POINTER_MODE), scalar_bytes,
                        alpha, beta, &scalars);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  return enqueue(matmul, algorithm, scalars, workspace, workspace_bytes, stream);
}
