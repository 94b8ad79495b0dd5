/* cuBLASLt, loaded when it is first called: its library has half a gigabyte, and most
 * runs of a program that could use a GPU do not. These are the library's own names and
 * prototypes; each hands on to the real function. Where it cannot be loaded they answer
 * CUBLAS_STATUS_NOT_INITIALIZED. */
#include <dlfcn.h>
#include <stdio.h>

#include "device/cuda_internal.h"

static void *symbol(const char *name) {
  static void *library;
  if (!library) {
    char file[32];
    snprintf(file, sizeof file, "libcublasLt.so.%d", CUBLAS_VER_MAJOR);
    library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  }
  return library ? dlsym(library, name) : NULL;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): ours are shorter */
#define FORWARD(type, failure, name, parameters, arguments)                                        \
  type CUBLASWINAPI name parameters {                                                              \
    static type(*real) parameters;                                                                 \
    if (!real) *(void **)&real = symbol(#name);                                                    \
    return real ? real arguments : (failure);                                                      \
  }
#define FORWARD_STATUS(name, parameters, arguments)                                                \
  FORWARD(cublasStatus_t, CUBLAS_STATUS_NOT_INITIALIZED, name, parameters, arguments)

FORWARD(size_t, 0, cublasLtGetVersion, (void), ())
FORWARD(const char *, "unknown", cublasLtGetStatusName, (cublasStatus_t status), (status))
FORWARD_STATUS(cublasLtCreate, (cublasLtHandle_t * handle), (handle))
FORWARD_STATUS(cublasLtDestroy, (cublasLtHandle_t handle), (handle))
FORWARD_STATUS(cublasLtMatmulDescCreate,
               (cublasLtMatmulDesc_t * desc, cublasComputeType_t compute, cudaDataType_t scale),
               (desc, compute, scale))
FORWARD_STATUS(cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t desc), (desc))
FORWARD_STATUS(cublasLtMatmulDescSetAttribute,
               (cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                const void *value, size_t size),
               (desc, attribute, value, size))
FORWARD_STATUS(cublasLtMatrixLayoutCreate,
               (cublasLtMatrixLayout_t * layout, cudaDataType type, uint64_t rows, uint64_t cols,
                int64_t ld),
               (layout, type, rows, cols, ld))
FORWARD_STATUS(cublasLtMatrixLayoutDestroy, (cublasLtMatrixLayout_t layout), (layout))
FORWARD_STATUS(cublasLtMatrixLayoutSetAttribute,
               (cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute,
                const void *value, size_t size),
               (layout, attribute, value, size))
FORWARD_STATUS(cublasLtMatmulPreferenceCreate, (cublasLtMatmulPreference_t * preference),
               (preference))
FORWARD_STATUS(cublasLtMatmulPreferenceDestroy, (cublasLtMatmulPreference_t preference),
               (preference))
FORWARD_STATUS(cublasLtMatmulPreferenceSetAttribute,
               (cublasLtMatmulPreference_t preference,
                cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t size),
               (preference, attribute, value, size))
FORWARD_STATUS(cublasLtMatmulAlgoGetHeuristic,
               (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                cublasLtMatmulPreference_t preference, int wanted,
                cublasLtMatmulHeuristicResult_t results[], int *found),
               (handle, desc, a, b, c, d, preference, wanted, results, found))
FORWARD_STATUS(cublasLtMatmul,
               (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
                const void *A, cublasLtMatrixLayout_t a, const void *B, cublasLtMatrixLayout_t b,
                const void *beta, const void *C, cublasLtMatrixLayout_t c, void *D,
                cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algo, void *workspace,
                size_t workspace_bytes, cudaStream_t stream),
               (handle, desc, alpha, A, a, B, b, beta, C, c, D, d, algo, workspace, workspace_bytes,
                stream))
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
