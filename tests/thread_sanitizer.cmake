# What tests need under the thread sanitizer.
#
# GCC's OpenMP library is not instrumented, so the sanitizer does not see the
# barriers at the end of parallel regions and calls every loop after another
# loop a race. LLVM's comes with Archer, a tool that tells the sanitizer about
# them: with clang, libomp and Archer a correct program is silent and a real
# race is reported. oneDNN and OpenBLAS are not instrumented either; they are
# called single-threaded, so what happens inside them is ignored.
if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "The thread sanitizer needs clang and libomp: use the preset tsan")
endif()
file(REAL_PATH ${CMAKE_C_COMPILER} gs_clang)
cmake_path(GET gs_clang PARENT_PATH gs_clang_folder)
find_library(GRADSWEEP_ARCHER archer HINTS ${gs_clang_folder}/../lib)
if(NOT GRADSWEEP_ARCHER)
  message(FATAL_ERROR "The thread sanitizer needs libarcher.so (Debian: libomp-14-dev)")
endif()
list(APPEND gs_environment
  "OMP_TOOL_LIBRARIES=${GRADSWEEP_ARCHER}"
  "TSAN_OPTIONS=ignore_noninstrumented_modules=1:atexit_sleep_ms=0"
  "OMP_NUM_THREADS=4")

# Older sanitizers refuse the address layout of newer kernels.
execute_process(COMMAND setarch -R true RESULT_VARIABLE gs_setarch OUTPUT_QUIET ERROR_QUIET)
if(gs_setarch EQUAL 0)
  set(gs_launcher setarch -R)
endif()
