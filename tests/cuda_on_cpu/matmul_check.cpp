#include "matmul_check.h"

#include "die.h"
#include "heap.h"
#include "sanitizers.h"

namespace gs_sim {
namespace {

// Bytes [first, end) relative to nothing in particular.
struct Extent {
  uintptr_t first;
  uintptr_t end;
};

bool overlap(Extent a, Extent b) { return a.first < b.end && b.first < a.end; }

Extent column_extent(const Matrix &matrix, int64_t item, int64_t col) {
  const auto bytes = static_cast<int64_t>(element_bytes(matrix.type));
  const auto base = reinterpret_cast<uintptr_t>(matrix.data);
  const auto first =
      base + static_cast<uintptr_t>((item * matrix.stride + col * matrix.ld) * bytes);
  return {first, first + static_cast<uintptr_t>(matrix.rows * bytes)};
}

Extent item_extent(const Matrix &matrix, int64_t item) {
  return {column_extent(matrix, item, 0).first, column_extent(matrix, item, matrix.cols - 1).end};
}

// Whether two sorted sequences of extents have any that overlap.
template <class First, class Second>
bool any_overlap(int64_t firsts, First first, int64_t seconds, Second second) {
  for (int64_t i = 0, j = 0; i < firsts && j < seconds;) {
    const Extent a = first(i);
    const Extent b = second(j);
    if (overlap(a, b)) return true;
    if (a.end <= b.first)
      i++;
    else
      j++;
  }
  return false;
}

bool items_overlap(const Matrix &a, int64_t i, const Matrix &b, int64_t j) {
  return overlap(item_extent(a, i), item_extent(b, j)) &&
         any_overlap(
             a.cols, [&](int64_t col) { return column_extent(a, i, col); }, b.cols,
             [&](int64_t col) { return column_extent(b, j, col); });
}

// Items of a batch whose extents interlace are compared column by column.
bool matrices_overlap(const Matrix &a, const Matrix &b, int64_t batch) {
  const int64_t a_items = a.stride == 0 ? 1 : batch;
  const int64_t b_items = b.stride == 0 ? 1 : batch;
  if (!any_overlap(
          a_items, [&](int64_t i) { return item_extent(a, i); }, b_items,
          [&](int64_t j) { return item_extent(b, j); }))
    return false;
  for (int64_t i = 0; i < a_items; i++)
    for (int64_t j = 0; j < b_items; j++)
      if (items_overlap(a, i, b, j)) return true;
  return false;
}

void require(const Matrix &matrix, int64_t batch, const char *name) {
  const Extent last = item_extent(matrix, matrix.stride == 0 ? 0 : batch - 1);
  heap_require(matrix.data, last.end - reinterpret_cast<uintptr_t>(matrix.data), name);
}

void note(const Matrix &matrix, int64_t batch, bool write) {
  const auto tell = [write](Extent extent) {
    auto *first = reinterpret_cast<void *>(extent.first);
    if (write)
      note_write(first, extent.end - extent.first);
    else
      note_read(first, extent.end - extent.first);
  };
  for (int64_t item = 0; item < (matrix.stride == 0 ? 1 : batch); item++) {
    if (matrix.ld == matrix.rows)
      tell(item_extent(matrix, item));
    else
      for (int64_t col = 0; col < matrix.cols; col++) tell(column_extent(matrix, item, col));
  }
}

bool same_place(const Matrix &a, const Matrix &b) {
  return a.data == b.data && a.type == b.type && a.ld == b.ld && a.stride == b.stride;
}

} // namespace

void matmul_check_memory(const Matmul &matmul, bool reads_c) {
  const Matrix &d = matmul.d;
  require(matmul.a, matmul.batch, "matrix A");
  require(matmul.b, matmul.batch, "matrix B");
  require(d, matmul.batch, "matrix D");
  if (matmul.batch > 1 && (d.stride == 0 || items_overlap(d, 0, d, 1)))
    die("matrices of the batch D overlap each other");
  if (matrices_overlap(d, matmul.a, matmul.batch)) die("matrix D overlaps A");
  if (matrices_overlap(d, matmul.b, matmul.batch)) die("matrix D overlaps B");
  if (!reads_c) return;
  require(matmul.c, matmul.batch, "matrix C");
  if (!same_place(matmul.c, d) && matrices_overlap(d, matmul.c, matmul.batch))
    die("matrix D overlaps C and is not the same");
}

void matmul_note_accesses(const Matmul &matmul, bool reads_c) {
  if (!with_tsan) return;
  note(matmul.a, matmul.batch, false);
  note(matmul.b, matmul.batch, false);
  if (reads_c) note(matmul.c, matmul.batch, false);
  note(matmul.d, matmul.batch, true);
}

} // namespace gs_sim
