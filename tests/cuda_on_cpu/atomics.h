// Atomic operations of device code: relaxed, as CUDA's are. Each returns the
// value before.
#ifndef GS_CUDA_ON_CPU_ATOMICS_H
#define GS_CUDA_ON_CPU_ATOMICS_H

namespace gs_sim {

template <class T, class Operation> T atomic_update(T *address, Operation operation) {
  T before;
  __atomic_load(address, &before, __ATOMIC_RELAXED);
  T after = operation(before);
  while (!__atomic_compare_exchange(address, &before, &after, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
    after = operation(before);
  return before;
}

} // namespace gs_sim

#define GS_SIM_ATOMIC(name, type, expression)                                                      \
  inline type name(type *address, type value) {                                                    \
    return gs_sim::atomic_update(address, [value](type old) -> type { return expression; });       \
  }
#define GS_SIM_ATOMIC_INTEGER(type)                                                                \
  GS_SIM_ATOMIC(atomicAdd, type, static_cast<type>(old + value))                                   \
  GS_SIM_ATOMIC(atomicMin, type, value < old ? value : old)                                        \
  GS_SIM_ATOMIC(atomicMax, type, value > old ? value : old)                                        \
  GS_SIM_ATOMIC(atomicAnd, type, old &value)                                                       \
  GS_SIM_ATOMIC(atomicOr, type, old | value)                                                       \
  GS_SIM_ATOMIC(atomicXor, type, old ^ value)                                                      \
  GS_SIM_ATOMIC(atomicExch, type, (static_cast<void>(old), value))                                 \
  inline type atomicCAS(type *address, type expected, type value) {                                \
    return gs_sim::atomic_update(                                                                  \
        address, [expected, value](type old) -> type { return old == expected ? value : old; });   \
  }

GS_SIM_ATOMIC_INTEGER(int)
GS_SIM_ATOMIC_INTEGER(unsigned)
GS_SIM_ATOMIC_INTEGER(unsigned long long)
GS_SIM_ATOMIC(atomicSub, int, old - value)
GS_SIM_ATOMIC(atomicSub, unsigned, old - value)
GS_SIM_ATOMIC(atomicAdd, float, old + value)
GS_SIM_ATOMIC(atomicAdd, double, old + value)
GS_SIM_ATOMIC(atomicExch, float, (static_cast<void>(old), value))
GS_SIM_ATOMIC(atomicInc, unsigned, old >= value ? 0u : old + 1)
GS_SIM_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)

#undef GS_SIM_ATOMIC_INTEGER
#undef GS_SIM_ATOMIC

#endif
