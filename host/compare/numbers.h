/* Two records of one cell, number by number: the seeds are the same, so every norm of one
 * has its partner in the other. */
#ifndef GS_COMPARE_NUMBERS_H
#define GS_COMPARE_NUMBERS_H

#include "base/json.h"
#include "base/names.h"

/* X(constant, name), from good to bad */
#define GS_NUMBERS_LIST(X)                                                                         \
  X(GS_NUMBERS_IDENTICAL, "identical") /* the digests, and every number to the last bit */         \
  X(GS_NUMBERS_ROUNDING, "rounding")   /* no further apart than rounding in another order */       \
  X(GS_NUMBERS_DIFFERENT, "different")

typedef enum gs_numbers_verdict {
  GS_NUMBERS_LIST(GS_ROW_VALUE) GS_NUMBERS_COUNT
} gs_numbers_verdict;
extern const gs_names gs_numbers_names;

enum { GS_QUANTITY_TEXT_BYTES = 64 };

/* A number and its partner; NaN: null. */
typedef struct gs_number_pair {
  char quantity[GS_QUANTITY_TEXT_BYTES]; /* "delta.log10_norm.mean"; empty: there is none */
  const char *axis;                      /* what index counts: "layer", "step", "replica"; or "" */
  int64_t index;
  double base, other;
  double allowance; /* for |other - base|; 0: they are to be equal */
} gs_number_pair;

typedef struct gs_numbers {
  gs_numbers_verdict verdict;
  gs_number_pair first; /* in the order of computation: the first beyond its allowance, or,
                           where none is, the first that is not equal */
  double worst;         /* the largest |other - base| / allowance; INFINITY beside a null */
  int64_t unequal;      /* how many numbers are not equal */
} gs_numbers;

/* Compares two records of the same cell (trees of gs_start_record).
 *
 * Numbers are looked at in the order that a step computes them: activations from the first
 * layer on, the loss, delta from the last layer back, gradients from the last layer back,
 * the decades, Jacobians. docs/COMPARE.md derives the allowances. Of a number and a null, or
 * of unequal counts of norms that are zero or not finite, none is rounding. */
void gs_numbers_compare(const cJSON *base, const cJSON *other, gs_numbers *numbers);

/* What rounding may change log10 of a norm by, `products` products away from the weights:
 * factor 8 of u sqrt(products) / ln 10, with u the dtype's unit roundoff. growth: log10 of
 * how much the network magnifies a disturbance of its activations (0: not at all). */
double gs_numbers_allowance(const char *dtype, int64_t products, double growth);

#endif
