// A matrix product through cublasLt.
#ifndef GS_CUDA_ON_CPU_PLANTED_PRODUCT_H
#define GS_CUDA_ON_CPU_PLANTED_PRODUCT_H

#include <cublasLt.h>

#include "planted.h"

namespace planted {

// One matrix of a product, column-major.
struct Side {
  void *data;
  cudaDataType type;
  uint64_t rows;
  uint64_t cols;
  int64_t ld;
  int64_t stride;
};

class Product {
public:
  Product(cublasComputeType_t compute, bool trans_a, bool trans_b, int batch, const Side &a,
          const Side &b, const Side &d);
  ~Product();
  Product(const Product &) = delete;
  Product &operator=(const Product &) = delete;
  // Alpha and beta are then on the device.
  void take_scalars_from_device();
  // The heuristic's algorithms for this workspace.
  std::vector<cublasLtMatmulHeuristicResult_t> algorithms(size_t workspace_bytes) const;
  cublasStatus_t run(const void *alpha, const void *beta, const cublasLtMatmulAlgo_t *algo,
                     void *workspace, size_t workspace_bytes, cudaStream_t stream) const;

private:
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t desc_ = nullptr;
  cublasLtMatrixLayout_t a_layout_ = nullptr;
  cublasLtMatrixLayout_t b_layout_ = nullptr;
  cublasLtMatrixLayout_t d_layout_ = nullptr;
  Side a_;
  Side b_;
  Side d_;
};

} // namespace planted

#endif
