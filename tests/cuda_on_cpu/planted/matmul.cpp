// The program of matrix products: apart, because cublasLt takes long to load.
#include "planted.h"

namespace planted {

const Case *const right_lists[] = {right_matmul_cases, nullptr};
const Case *const wrong_lists[] = {wrong_matmul_cases, nullptr};

} // namespace planted
