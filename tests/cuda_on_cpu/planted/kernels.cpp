// The program of kernels and streams.
#include "planted.h"

namespace planted {

const Case *const right_lists[] = {right_cases,       right_format_cases,  right_stream_cases,
                                   right_error_cases, right_cluster_cases, nullptr};
const Case *const wrong_lists[] = {wrong_cases, wrong_block_cases, wrong_cluster_cases,
                                   wrong_stream_cases, nullptr};

} // namespace planted
