#include "product.h"

namespace planted {
namespace {

cublasLtMatrixLayout_t layout(const Side &side, int32_t batch) {
  cublasLtMatrixLayout_t created = nullptr;
  CHECK(cublasLtMatrixLayoutCreate(&created, side.type, side.rows, side.cols, side.ld) ==
        CUBLAS_STATUS_SUCCESS);
  CHECK(cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch,
                                         sizeof(batch)) == CUBLAS_STATUS_SUCCESS);
  CHECK(cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                         &side.stride,
                                         sizeof(side.stride)) == CUBLAS_STATUS_SUCCESS);
  return created;
}

} // namespace

Product::Product(cublasComputeType_t compute, bool trans_a, bool trans_b, int batch, const Side &a,
                 const Side &b, const Side &d)
    : a_(a), b_(b), d_(d) {
  CHECK(cublasLtCreate(&handle_) == CUBLAS_STATUS_SUCCESS);
  const cudaDataType scale = compute == CUBLAS_COMPUTE_64F ? CUDA_R_64F : CUDA_R_32F;
  CHECK(cublasLtMatmulDescCreate(&desc_, compute, scale) == CUBLAS_STATUS_SUCCESS);
  const cublasOperation_t op_a = trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t op_b = trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_TRANSA, &op_a, sizeof(op_a));
  cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_TRANSB, &op_b, sizeof(op_b));
  a_layout_ = layout(a, batch);
  b_layout_ = layout(b, batch);
  d_layout_ = layout(d, batch);
}

Product::~Product() {
  cublasLtMatrixLayoutDestroy(a_layout_);
  cublasLtMatrixLayoutDestroy(b_layout_);
  cublasLtMatrixLayoutDestroy(d_layout_);
  cublasLtMatmulDescDestroy(desc_);
  cublasLtDestroy(handle_);
}

void Product::take_scalars_from_device() {
  const int32_t mode = CUBLASLT_POINTER_MODE_DEVICE;
  CHECK(cublasLtMatmulDescSetAttribute(desc_, CUBLASLT_MATMUL_DESC_POINTER_MODE, &mode,
                                       sizeof(mode)) == CUBLAS_STATUS_SUCCESS);
}

std::vector<cublasLtMatmulHeuristicResult_t> Product::algorithms(size_t workspace_bytes) const {
  cublasLtMatmulPreference_t preference = nullptr;
  CHECK(cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS);
  const uint64_t most = workspace_bytes;
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most,
                                       sizeof(most));
  std::vector<cublasLtMatmulHeuristicResult_t> results(8);
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_, desc_, a_layout_, b_layout_, d_layout_, d_layout_, preference,
      static_cast<int>(results.size()), results.data(), &count);
  cublasLtMatmulPreferenceDestroy(preference);
  CHECK(status == CUBLAS_STATUS_SUCCESS || count == 0);
  results.resize(static_cast<size_t>(count));
  return results;
}

cublasStatus_t Product::run(const void *alpha, const void *beta, const cublasLtMatmulAlgo_t *algo,
                            void *workspace, size_t workspace_bytes, cudaStream_t stream) const {
  return cublasLtMatmul(handle_, desc_, alpha, a_.data, a_layout_, b_.data, b_layout_, beta,
                        d_.data, d_layout_, d_.data, d_layout_, algo, workspace, workspace_bytes,
                        stream);
}

} // namespace planted
