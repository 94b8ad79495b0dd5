/* Two sides, compared: can they be, are their numbers the same, and which is faster. */
#ifndef GS_COMPARE_COMPARE_H
#define GS_COMPARE_COMPARE_H

#include "compare/across.h"
#include "compare/numbers.h"
#include "compare/speed.h"

/* X(constant, name, exit code, rank: of several the one with the highest counts) */
#define GS_COMPARE_LIST(X)                                                                         \
  X(GS_COMPARE_SAME, "same", 0, 0)                                                                 \
  X(GS_COMPARE_FASTER, "faster", 0, 1)                                                             \
  X(GS_COMPARE_UNDECIDED, "undecided", 5, 2)                                                       \
  X(GS_COMPARE_SLOWER, "slower", 3, 3)                                                             \
  X(GS_COMPARE_DIFFERENT, "different numbers", 4, 4)                                               \
  X(GS_COMPARE_NOT_COMPARABLE, "not comparable", 6, 5)
/* 7 is kept for "slower because the clock was", which no record can show yet. */

#define GS_COMPARE_VALUE(constant, name, code, rank) constant,
typedef enum gs_compare_verdict {
  GS_COMPARE_LIST(GS_COMPARE_VALUE) GS_COMPARE_COUNT
} gs_compare_verdict;

extern const gs_names gs_compare_names;
int gs_compare_exit_code(gs_compare_verdict verdict);
int gs_compare_rank(gs_compare_verdict verdict);

/* X(constant, name) How equal numbers must be. */
#define GS_REQUIRED_LIST(X)                                                                        \
  X(GS_REQUIRED_AUTO, "auto") /* identical; rounding where what computes them was allowed to       \
                                 differ and does */                                                \
  X(GS_REQUIRED_IDENTICAL, "identical")                                                            \
  X(GS_REQUIRED_ROUNDING, "rounding")

typedef enum gs_required { GS_REQUIRED_LIST(GS_ROW_VALUE) GS_REQUIRED_COUNT } gs_required;
extern const gs_names gs_required_names;

typedef struct gs_compare_policy {
  unsigned across; /* bits of gs_across */
  int required;    /* a gs_required */
  bool no_speed;   /* numbers alone */
  gs_speed_policy speed;
} gs_compare_policy;
gs_compare_policy gs_compare_defaults(void);

/* X(constant, name) What times are independent. */
#define GS_UNIT_LIST(X)                                                                            \
  X(GS_UNIT_ROUND, "round") /* interleaved rounds, of all starts together */                       \
  X(GS_UNIT_START, "start") /* three starts or more on both sides: the median of its rounds */

typedef enum gs_unit { GS_UNIT_LIST(GS_ROW_VALUE) GS_UNIT_COUNT } gs_unit;
extern const gs_names gs_unit_names;

typedef struct gs_compared_cell {
  const char *id, *name; /* the base's */
  gs_numbers numbers;    /* the worst of all starts */
  const char *start;     /* the start it is of; NULL where all are identical */
  gs_cell_speed speed;
} gs_compared_cell;

/* Borrows from both sides. */
typedef struct gs_compare_result {
  gs_compare_verdict verdict;
  char message[512];          /* why, one line */
  gs_differences differences; /* why not comparable; nothing below counts then */
  gs_compared_cell *cells;    /* [count]: ok on both sides, in the base's order */
  int64_t count;
  int64_t left_out;            /* cells that both have and neither measured */
  gs_numbers_verdict required; /* the worst that passes */
  gs_numbers_verdict numbers;  /* the worst that was found */
  int64_t numbers_of[GS_NUMBERS_COUNT];
  int64_t speed_of[GS_SPEED_COUNT];
  gs_unit unit;
  int64_t base_units, other_units; /* of the cell that has the fewest */
  int64_t busy;                    /* cells with a round that is no evidence */
  gs_global_speed global;
  gs_speed_word speed;
} gs_compare_result;

/* Compares all starts of `other` with the first of `base`, and the base's own among each
 * other, in what must be equal; and all with all in speed. To be cleared, also after a
 * failure. Errors: GS_ERR_DATA, GS_ERR_MEMORY. */
gs_status gs_compare(const gs_side *base, const gs_side *other, const gs_compare_policy *policy,
                     gs_compare_result *result, gs_error *error);
void gs_compare_result_clear(gs_compare_result *result);

#endif
