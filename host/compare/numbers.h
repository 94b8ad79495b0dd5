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

/* What a number's allowance follows from. */
typedef struct gs_rounding {
  const char *dtype;
  int64_t products; /* on the way from the weights and inputs to it */
  double units;     /* of a layer */
  double elements;  /* of a layer, of all replicas: batch x replicas x units */
  double growth;    /* log10 of how much the activations' disturbances grow on the way */
  bool kinked;      /* phi' may jump: an element of delta that is there or is not */
} gs_rounding;

/* What rounding in another order may change log10 of a norm by (docs/COMPARE.md), with u the
 * dtype's unit roundoff, k products and n units:
 *   8 u sqrt(k) 10^growth min(e^sqrt(2 k / n), 30) / ln 10, and, where phi' jumps and
 * more than a hundredth of an element is expected to have crossed to the other slope, by its
 * elements k u sqrt(k), another 16 / (n ln 10).
 * DBL_MAX where the first term is a hundredth or more: rounding has grown to the size of the
 * numbers, which are another draw of the same law then. */
double gs_numbers_allowance(const gs_rounding *rounding);

#endif
