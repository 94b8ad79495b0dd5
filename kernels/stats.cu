/* The statistics operation: one pass over the tensors of many jobs in one launch.
 *
 * The table of jobs is a kernel parameter: the driver copies it with the launch, graphs
 * keep a copy, and kernels read it through the constant cache. Blocks are numbered job
 * by job, unit by unit, part by part (stats_unit.cuh, parts.cuh). A launch takes as many
 * units as the table and, where units have several parts, scratch have room for. */
#include "kernels/kernels.h"
#include "kernels/stats_unit.cuh"

namespace gs {
namespace {

constexpr int64_t MAX_BLOCKS = 1 << 30;
/* Blocks on a multiprocessor; their counters fit, too. */
[[maybe_unused]] constexpr int BLOCKS_AT_ONCE = 4;
constexpr int MANY = 176; /* entries; parameters hold 32,764 bytes */
constexpr int FEW = 16;   /* what a network without windows needs: less to copy */

template <int ENTRIES> struct StatsTable {
  uint32_t count;
  uint32_t first_block[ENTRIES];
  StatsEntry entries[ENTRIES];
};
static_assert(sizeof(StatsTable<MANY>) <= 32764, "a kernel's parameters");

/* The last entry that begins at or before a block. */
template <int ENTRIES>
__device__ __forceinline__ uint32_t entry_of(const StatsTable<ENTRIES> &table, uint32_t block) {
  uint32_t low = 0;
  uint32_t high = table.count;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    if (table.first_block[middle] <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

template <typename T> __device__ __forceinline__ StatsWish<T> wish_of(const StatsEntry &job) {
  StatsWish<T> wish;
  wish.low = static_cast<Compute<T>>(job.low);
  wish.high = static_cast<Compute<T>>(job.high);
  wish.histogram = job.histogram != nullptr;
  wish.saturation = job.saturation;
  wish.dead = job.dead;
  return wish;
}

/* What a block has to do. */
struct Task {
  uint32_t entry, place, part; /* place: of the unit in the entry's range */
};

template <int ENTRIES> __device__ Task task_of(const StatsTable<ENTRIES> &table) {
  Task task;
  task.entry = entry_of(table, blockIdx.x);
  const uint32_t within = blockIdx.x - table.first_block[task.entry];
  const uint32_t parts = static_cast<uint32_t>(table.entries[task.entry].parts.count);
  task.place = within / parts;
  task.part = within - task.place * parts;
  return task;
}

template <typename T>
__device__ __forceinline__ Path<T> path_to(const StatsEntry &job, const Unit &unit, uint32_t part) {
  const T *data = static_cast<const T *>(job.data) + unit.step * job.step_stride +
                  unit.replica * job.replica_stride;
  return path_of<T>(data, job.parts.ld, walk_of<lanes_of<T>>(job.parts, part));
}

template <typename T>
__device__ void read_task(const StatsEntry &job, const Task &task, uint32_t *counters,
                          BlockStats<T> &block) {
  const Path<T> path = path_to<T>(job, unit_of(job, task.place), task.part);
  read_part<T>(path, wish_of<T>(job), counters, block);
  if constexpr (sizeof(T) == 8) mend_sums(path, block);
}

template <typename T, int ENTRIES>
__global__ void __launch_bounds__(PART_THREADS, BLOCKS_AT_ONCE)
    stats_kernel(const __grid_constant__ StatsTable<ENTRIES> table) {
  GS_DYNAMIC_SHARED(uint32_t, counters);
  GS_SHARED_ARRAY(BlockStats<T>, blocks, [1]);
  GS_SHARED_ARRAY(Task, tasks, [1]); /* so that no register holds it meanwhile */
  BlockStats<T> &block = blocks[0];
  {
    const Task task = task_of(table);
    if (threadIdx.x == 0) tasks[0] = task;
    const StatsEntry &job = table.entries[task.entry];
    read_task<T>(job, task, counters, block);
  }
  const Task task = tasks[0];
  const StatsEntry &job = table.entries[task.entry];
  const Unit unit = unit_of(job, task.place);
  if (job.parts.count == 1) {
    finish_block<T>(job, unit, counters, block);
    return;
  }
  const UnitPlace at = unit_place(job, task.place, Format<T>::bins);
  gather_part<T>(job, at, task.part, counters, block);
  if (last_block(at.arrived, static_cast<uint32_t>(job.parts.count))) {
    finish_unit<T>(job, unit, at);
  }
}

/* ---- saturation of scaled tensors ---- */

__device__ __forceinline__ float digits_bound(float, double bound, int32_t exponent) {
  return gs_scale_bound_f32(bound, exponent);
}
__device__ __forceinline__ double digits_bound(double, double bound, int32_t exponent) {
  return gs_scale_bound(bound, exponent);
}

/* Elements of a unit outside its bounds, which digits with an exponent reach elsewhere than
 * true values do. */
template <typename T>
__device__ uint32_t count_saturated(const StatsEntry &job, const Unit &unit, int32_t exponent) {
  const Compute<T> low = digits_bound(Compute<T>{}, job.low, exponent);
  const Compute<T> high = digits_bound(Compute<T>{}, job.high, exponent);
  uint32_t saturated = 0;
  for (uint32_t part = 0; part < static_cast<uint32_t>(job.parts.count); part++) {
    const Path<T> path = path_to<T>(job, unit, part);
    for (int32_t k = 0; k < path.walk.count; k++) {
      const T *pack = path.from + k * path.step;
      const int32_t width = width_of(path.walk, k);
      for (int32_t i = 0; i < width; i++) {
        const Compute<T> x = widen(pack[i]);
        saturated += (x <= low) | (x >= high);
      }
    }
  }
  return saturated;
}

/* After stats_kernel, with its blocks: the first of every unit whose exponent is not 0 counts
 * again. A kernel of its own, because it is rare and the other has no registers left. */
template <typename T, int ENTRIES>
__global__ void __launch_bounds__(PART_THREADS)
    mend_saturated_kernel(const __grid_constant__ StatsTable<ENTRIES> table) {
  const Task task = task_of(table);
  const StatsEntry &job = table.entries[task.entry];
  if (task.part > 0 || !job.saturation || !job.scale) return;
  const Unit unit = unit_of(job, task.place);
  const int32_t exponent = job.scale[unit.index].exponent;
  if (exponent == 0) return;
  const uint32_t saturated = block_reduce(count_saturated<T>(job, unit, exponent), Add{});
  if (threadIdx.x == 0) job.stats[unit.index].saturated = saturated;
}

/* ---- launching ---- */

/* What goes with one launch. */
struct Batch {
  StatsTable<MANY> table;
  uint32_t blocks;
  size_t scratch_used;
  bool histograms;
  bool scaled_bounds; /* of a tensor that may have an exponent */
};

template <typename T> Parts cut(const gs_stats_job &job) {
  const gs_tensor &tensor = job.tensor;
  return parts_of(lanes_of<T>, tensor.rows / job.steps, tensor.cols, tensor.ld, job.dead,
                  stats_part_elements(sizeof(T)));
}

/* Adds as many of a job's units, from `first` on, as there is room for; returns how many. */
template <typename T>
int64_t take_units(Batch &batch, const gs_stats_job &job, int64_t first, gs_scratch scratch) {
  const gs_tensor &tensor = job.tensor;
  const Parts parts = cut<T>(job);
  if (batch.table.count == MANY || parts.count > MAX_BLOCKS) return 0;
  const size_t unit_bytes =
      parts.count > 1 ? unit_scratch_bytes(parts.count, Format<T>::bins, tensor.cols) : 0;
  int64_t units = job.steps * tensor.replicas - first;
  const int64_t by_blocks = (MAX_BLOCKS - batch.blocks) / parts.count;
  if (units > by_blocks) units = by_blocks;
  if (unit_bytes > 0) {
    const int64_t by_scratch =
        static_cast<int64_t>((scratch.bytes - batch.scratch_used) / unit_bytes);
    if (units > by_scratch) units = by_scratch;
  }
  if (units == 0) return 0;
  StatsEntry &entry = batch.table.entries[batch.table.count];
  entry.data = tensor.data;
  entry.scale = tensor.scale;
  entry.stats = job.stats;
  entry.histogram = job.histogram;
  entry.scratch = static_cast<unsigned char *>(scratch.data) + batch.scratch_used;
  entry.unit_bytes = unit_bytes;
  entry.step_stride = tensor.rows / job.steps * tensor.ld;
  entry.replica_stride = tensor.stride;
  entry.first_step = first / tensor.replicas;
  entry.first_replica = static_cast<uint32_t>(first % tensor.replicas);
  entry.replicas = static_cast<uint32_t>(tensor.replicas);
  entry.elements = tensor.rows / job.steps * tensor.cols;
  entry.columns = tensor.cols;
  entry.parts = parts;
  entry.low = job.saturation_low;
  entry.high = job.saturation_high;
  entry.saturation = job.saturation;
  entry.dead = job.dead;
  batch.table.first_block[batch.table.count++] = batch.blocks;
  batch.blocks += static_cast<uint32_t>(units * parts.count);
  batch.scratch_used += static_cast<size_t>(units) * unit_bytes;
  batch.histograms = batch.histograms || job.histogram;
  batch.scaled_bounds = batch.scaled_bounds || (job.saturation && tensor.scale);
  return units;
}

template <typename T, int ENTRIES>
cudaError_t launch_table(gs_queue queue, const Batch &batch, const StatsTable<ENTRIES> &table) {
  const dim3 grid(batch.blocks);
  const dim3 block(PART_THREADS);
  const size_t shared = batch.histograms ? stats_counter_bytes<T> : sizeof(uint32_t);
  const cudaError_t status =
      gs_launch(stats_kernel<T, ENTRIES>, grid, block, shared, queue.stream, table);
  if (status != cudaSuccess || !batch.scaled_bounds) return status;
  return gs_launch(mend_saturated_kernel<T, ENTRIES>, grid, block, 0, queue.stream, table);
}

template <typename T> cudaError_t launch(gs_queue queue, const Batch &batch) {
  if (batch.table.count > FEW) return launch_table<T, MANY>(queue, batch, batch.table);
  StatsTable<FEW> few;
  few.count = batch.table.count;
  for (uint32_t i = 0; i < few.count; i++) {
    few.first_block[i] = batch.table.first_block[i];
    few.entries[i] = batch.table.entries[i];
  }
  return launch_table<T, FEW>(queue, batch, few);
}

/* Runs jobs[0 .. count), all stored as T. */
template <typename T>
cudaError_t run_jobs(gs_queue queue, const gs_stats_job *jobs, int64_t count, gs_scratch scratch) {
  int64_t job = 0;
  int64_t done = 0; /* units of jobs[job] */
  while (job < count) {
    Batch batch;
    batch.table.count = 0;
    batch.blocks = 0;
    batch.scratch_used = 0;
    batch.histograms = false;
    batch.scaled_bounds = false;
    while (job < count) {
      done += take_units<T>(batch, jobs[job], done, scratch);
      if (done < jobs[job].steps * jobs[job].tensor.replicas) break;
      job++;
      done = 0;
    }
    if (batch.blocks == 0) return cudaErrorInvalidValue; /* scratch for not even one unit */
    const cudaError_t status = launch<T>(queue, batch);
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

gs_dtype storage_of(gs_dtype dtype) { return dtype == GS_TF32 ? GS_F32 : dtype; }

} // namespace
} // namespace gs

cudaError_t gs_launch_stats(gs_queue queue, const gs_stats_job *jobs, int64_t count,
                            gs_scratch scratch) {
  int64_t first = 0;
  while (first < count) {
    const gs_dtype dtype = jobs[first].tensor.dtype;
    int64_t last = first + 1;
    while (last < count && gs::storage_of(jobs[last].tensor.dtype) == gs::storage_of(dtype)) {
      last++;
    }
    const cudaError_t status = gs::with_storage(dtype, [&](auto type) {
      return gs::run_jobs<decltype(type)>(queue, jobs + first, last - first, scratch);
    });
    if (status != cudaSuccess) return status;
    first = last;
  }
  return cudaSuccess;
}

size_t gs_stats_bytes(gs_dtype dtype, int64_t elements, int64_t columns, int64_t units) {
  /* Strips together are at most 1/8 wider than the matrix, a band holds at least 8/9 of
   * a part's elements; and the last band may be short in every strip. */
  const int64_t bytes = static_cast<int64_t>(gs_dtype_bytes(dtype));
  const int64_t strips = columns * bytes / (gs::PART_THREADS * 16) + 1;
  const int64_t parts = elements / gs::stats_part_elements(bytes) * 3 / 2 + strips + 3;
  const size_t unit = gs::unit_scratch_bytes(parts, gs_dtype_exponent_bins(dtype), columns);
  return static_cast<size_t>(units) * unit;
}
