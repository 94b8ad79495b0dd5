/* How reductions over matrices are cut into parts, one block each, by shapes alone.
 *
 * A matrix without gaps between its rows is a run of elements, walked as rows of 256
 * packs. Any other, and one whose columns must stay apart, is cut into strips of at most
 * 256 packs and bands of rows. A thread has one column of packs and every so many rows
 * of it, so neighbouring threads read neighbouring memory. Who reads what does not
 * depend on addresses: whether a pack is read in one access or element by element, its
 * elements go to the same thread in the same order. */
#ifndef GS_KERNELS_PARTS_CUH
#define GS_KERNELS_PARTS_CUH

#include "kernels/language.h"
#include "kernels/vector.cuh"

namespace gs {

constexpr int PART_THREADS = 256;

/* A matrix as it is walked, and its parts. */
struct Parts {
  int64_t rows, cols;
  int64_t ld;        /* elements between rows; each tensor's own where `run` is false */
  int64_t end;       /* elements from the first to behind the last */
  int64_t count;     /* parts */
  int32_t packs;     /* of a strip's row */
  int32_t strips;    /* of a band; part = band * strips + strip */
  int32_t band_rows; /* rows of a part */
  bool run;          /* without gaps */
};

/* The packs of one thread: `count` of them, each `width` elements but for the last. */
struct PackWalk {
  int64_t row, col; /* of the first */
  int32_t row_step;
  int32_t count;
  int32_t width, last_width;
  int32_t across; /* the thread's place in its strip */
};

/* Parts of at most `elements` (at least 256 packs; a power of two) of a rows x cols
 * matrix, in packs of `lanes`. whole_rows: no part may mix the columns of rows. */
inline Parts parts_of(int lanes, int64_t rows, int64_t cols, int64_t ld, bool whole_rows,
                      int64_t elements) {
  const int64_t longest = static_cast<int64_t>(PART_THREADS) * lanes;
  Parts parts{};
  parts.run = !whole_rows && (ld == cols || rows == 1);
  if (parts.run) {
    parts.end = rows * cols;
    parts.rows = (parts.end + longest - 1) / longest;
    parts.cols = longest;
    parts.ld = longest;
    parts.packs = PART_THREADS;
    parts.strips = 1;
    parts.band_rows = static_cast<int32_t>(elements / longest);
  } else {
    const int64_t all = (cols + lanes - 1) / lanes;
    const int64_t min = (all + PART_THREADS - 1) / PART_THREADS;
    /* strips of about one width, each beginning at a multiple of 32 columns */
    const int64_t packs = min == 1 ? all : ((all + min - 1) / min + 15) / 16 * 16;
    const int64_t width = packs * lanes < cols ? packs * lanes : cols;
    parts.rows = rows;
    parts.cols = cols;
    parts.ld = ld;
    parts.end = (rows - 1) * ld + cols;
    parts.packs = static_cast<int32_t>(packs);
    parts.strips = static_cast<int32_t>((all + packs - 1) / packs);
    parts.band_rows = static_cast<int32_t>(elements / width);
  }
  const int64_t bands = (parts.rows + parts.band_rows - 1) / parts.band_rows;
  parts.count = (bands > 1 ? bands : 1) * parts.strips;
  return parts;
}

/* What this thread of a block of PART_THREADS reads of a part. */
template <int LANES>
__device__ __forceinline__ PackWalk walk_of(const Parts &parts, uint32_t part) {
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  uint32_t band = part;
  uint32_t strip = 0;
  int32_t down = 0;
  PackWalk walk;
  walk.across = thread;
  walk.row_step = 1;
  if (!parts.run) { /* a run needs no divisions */
    band = part / static_cast<uint32_t>(parts.strips);
    strip = part - band * static_cast<uint32_t>(parts.strips);
    down = thread / parts.packs;
    walk.across = thread - down * parts.packs;
    walk.row_step = PART_THREADS / parts.packs;
  }
  const int64_t first = static_cast<int64_t>(band) * parts.band_rows;
  const int64_t below = parts.rows - first;
  const int32_t rows = below < parts.band_rows ? static_cast<int32_t>(below) : parts.band_rows;
  walk.row = first + down;
  walk.col = (static_cast<int64_t>(strip) * parts.packs + walk.across) * LANES;
  const int64_t beside = parts.cols - walk.col;
  walk.width = beside < LANES ? static_cast<int32_t>(beside) : LANES;
  walk.last_width = walk.width;
  walk.count = 0;
  if (beside <= 0 || down >= walk.row_step || down >= rows) return walk;
  walk.count = rows - down;
  if (walk.row_step > 1) walk.count = (walk.count + walk.row_step - 1) / walk.row_step;
  const int64_t last = walk.row + static_cast<int64_t>(walk.count - 1) * walk.row_step;
  const int64_t behind = parts.end - (last * parts.ld + walk.col);
  if (behind <= 0) {
    walk.count--;
  } else if (behind < walk.width) {
    walk.last_width = static_cast<int32_t>(behind);
  }
  return walk;
}

/* Elements in pack k of a walk; 0 behind its end. */
__device__ __forceinline__ int32_t width_of(const PackWalk &walk, int32_t k) {
  return k >= walk.count ? 0 : k == walk.count - 1 ? walk.last_width : walk.width;
}

} // namespace gs

#endif
