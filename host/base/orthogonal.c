/* Householder QR in float64, from +, -, *, / and sqrt in one fixed order.
 *
 * With A of m x n, m >= n, reflector k is H_k = I - beta_k v_k v_k^T, v_k zero
 * above row k, such that H_{n-1} ... H_0 A = R; then Q = H_0 ... H_{n-1} I
 * (Golub and Van Loan, Matrix Computations, 5.1 and 5.2). Each column goes
 * through the same operations whatever is done beside it, so TILE columns are
 * taken at a time (they stay in cache and fill the vector registers) without
 * changing a bit. No library's QR: theirs differ in the last digits.
 *
 * Build with -ffp-contract=off, as all of gradsweep is. */
#include "base/orthogonal.h"

#include <math.h>

#include "base/random.h"

enum { TILE = 32 };

typedef struct factors {
  int64_t m;      /* rows of A, the longer side of out */
  int64_t n;      /* columns of A */
  double *v;      /* n x m: reflector k is row k, from element k on */
  double *beta;   /* n */
  double *sign;   /* n: of R's diagonal */
  double *tile;   /* m x TILE: the columns at work, row-major */
  int64_t row;    /* elements of out from one row of A to the next, */
  int64_t column; /* and from one column to the next */
} factors;

size_t gs_random_orthogonal_workspace(int64_t rows, int64_t cols) {
  const size_t m = (size_t)(rows < cols ? cols : rows);
  const size_t n = (size_t)(rows < cols ? rows : cols);
  return n * m + 2 * n + m * TILE;
}

static factors factors_over(int64_t rows, int64_t cols, double *workspace) {
  factors f = {.m = rows, .n = cols, .row = cols, .column = 1};
  if (rows < cols) f = (factors){.m = cols, .n = rows, .row = 1, .column = cols};
  f.v = workspace;
  f.beta = f.v + f.n * f.m;
  f.sign = f.beta + f.n;
  f.tile = f.sign + f.n;
  return f;
}

/* tile = H_k tile: w = beta v^T tile, tile -= v w. */
static void reflect(const factors *f, int64_t k) {
  const double *v = f->v + k * f->m;
  double w[TILE] = {0};
  for (int64_t i = k; i < f->m; i++) {
    const double *row = f->tile + i * TILE;
    for (int c = 0; c < TILE; c++) w[c] += v[i] * row[c];
  }
  for (int c = 0; c < TILE; c++) w[c] *= f->beta[k];
  for (int64_t i = k; i < f->m; i++) {
    double *row = f->tile + i * TILE;
    for (int c = 0; c < TILE; c++) row[c] -= v[i] * w[c];
  }
}

/* Reflector k from column c of the tile: v = x + sign(x_k) |x| e_k turns the
 * column into -sign(x_k) |x| e_k. A column of zeros is left alone. */
static void make_reflector(const factors *f, int64_t k, int c) {
  double *v = f->v + k * f->m;
  double square = 0;
  for (int64_t i = k; i < f->m; i++) {
    v[i] = f->tile[i * TILE + c];
    square += v[i] * v[i];
  }
  const double norm = sqrt(square);
  const double head = v[k];
  const double towards = head < 0 ? -1.0 : 1.0;
  const double magnitude = norm * (norm + head * towards); /* v^T v / 2 */
  v[k] = head + towards * norm;
  f->beta[k] = magnitude > 0 ? 1.0 / magnitude : 0.0;
  f->sign[k] = magnitude > 0 ? -towards : 1.0;
}

/* Columns first .. first + TILE of A into the tile; past the last, zeros. */
static void load_tile(const factors *f, const float *a, int64_t first) {
  for (int64_t i = 0; i < f->m; i++) {
    for (int64_t c = 0; c < TILE; c++) {
      const int64_t j = first + c;
      f->tile[i * TILE + c] = j < f->n ? (double)a[i * f->row + j * f->column] : 0.0;
    }
  }
}

/* The same columns of the identity. */
static void load_identity(const factors *f, int64_t first) {
  for (int64_t i = 0; i < f->m * TILE; i++) f->tile[i] = 0;
  for (int64_t c = 0; c < TILE && first + c < f->n; c++) f->tile[(first + c) * TILE + c] = 1;
}

static void store_tile(const factors *f, float *out, int64_t first, double gain) {
  for (int64_t i = 0; i < f->m; i++) {
    for (int64_t c = 0; c < TILE && first + c < f->n; c++) {
      const int64_t j = first + c;
      out[i * f->row + j * f->column] = (float)(f->tile[i * TILE + c] * f->sign[j] * gain);
    }
  }
}

void gs_random_orthogonal(float *out, int64_t rows, int64_t cols, double gain, uint64_t seed,
                          uint32_t tensor_id, uint32_t replica, double *workspace) {
  const factors f = factors_over(rows, cols, workspace);
  gs_random_normal(out, 0, (size_t)rows * (size_t)cols, seed, tensor_id, replica);
  for (int64_t first = 0; first < f.n; first += TILE) {
    load_tile(&f, out, first);
    for (int64_t k = 0; k < first; k++) reflect(&f, k);
    for (int c = 0; c < TILE && first + c < f.n; c++) {
      make_reflector(&f, first + c, c);
      reflect(&f, first + c); /* columns left of c are done with and may change */
    }
  }
  for (int64_t first = 0; first < f.n; first += TILE) {
    const int64_t last = first + TILE < f.n ? first + TILE : f.n;
    load_identity(&f, first);
    for (int64_t k = last - 1; k >= 0; k--) reflect(&f, k); /* later ones leave it as it is */
    store_tile(&f, out, first, gain);
  }
}
