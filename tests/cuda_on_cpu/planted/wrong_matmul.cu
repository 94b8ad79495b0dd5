// Calls of cublasLt with one mistake each.
#include "product.h"

namespace planted {
namespace {

Side square(void *data) { return {data, CUDA_R_32F, 16, 16, 16, 0}; }

const float one = 1;
const float zero = 0;

// Two products on two streams write to one workspace.
void shared_workspace() {
  const Streams streams;
  Array<float> a(std::vector<float>(256, 1));
  Array<float> d(256);
  Array<float> e(256);
  Array<float> workspace(20000);
  const Product first(CUBLAS_COMPUTE_32F, false, false, 1, square(a.data), square(a.data),
                      square(d.data));
  const Product second(CUBLAS_COMPUTE_32F, false, false, 1, square(a.data), square(a.data),
                       square(e.data));
  CHECK(first.run(&one, &zero, nullptr, workspace.data, 80000, streams.first) ==
        CUBLAS_STATUS_SUCCESS);
  CHECK(second.run(&one, &zero, nullptr, workspace.data, 80000, streams.second) ==
        CUBLAS_STATUS_SUCCESS);
  streams.synchronize();
}

void product_into_input() {
  Array<float> a(std::vector<float>(512, 1));
  const Product product(CUBLAS_COMPUTE_32F, false, false, 1, square(a.data), square(a.data),
                        square(a.data + 255));
  product.run(&one, &zero, nullptr, nullptr, 0, nullptr);
}

void product_past_end() {
  Array<float> a(std::vector<float>(256, 1));
  Array<float> d(255);
  const Product product(CUBLAS_COMPUTE_32F, false, false, 1, square(a.data), square(a.data),
                        square(d.data));
  product.run(&one, &zero, nullptr, nullptr, 0, nullptr);
}

void product_of_host_memory() {
  std::vector<float> a(256, 1);
  Array<float> d(256);
  const Product product(CUBLAS_COMPUTE_32F, false, false, 1, square(a.data()), square(a.data()),
                        square(d.data));
  product.run(&one, &zero, nullptr, nullptr, 0, nullptr);
}

} // namespace

const Case wrong_matmul_cases[] = {{"shared_workspace", shared_workspace},
                                   {"product_into_input", product_into_input},
                                   {"product_past_end", product_past_end},
                                   {"product_of_host_memory", product_of_host_memory},
                                   {nullptr, nullptr}};

} // namespace planted
