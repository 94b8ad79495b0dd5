// Words for a fault at a forbidden page.
#ifndef GS_CUDA_ON_CPU_FAULTS_H
#define GS_CUDA_ON_CPU_FAULTS_H

namespace gs_sim {

// From the first call on, says on stderr what a fault means before it ends the process.
void faults_explain();

} // namespace gs_sim

#endif
