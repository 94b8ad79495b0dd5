/* Enumerations' names, for JSON, the command line and tables; and what a word that is none
 * of them was meant to be. */
#ifndef GS_BASE_NAMES_H
#define GS_BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* An enumeration and its names are one list, X(constant, name), one row for each value:
 *
 *   #define GS_LOSS_LIST(X) X(GS_LOSS_LINEAR, "linear") X(GS_LOSS_MSE, "mse")
 *   typedef enum gs_loss { GS_LOSS_LIST(GS_ROW_VALUE) GS_LOSS_COUNT } gs_loss;
 *   const gs_names gs_loss_names = {"loss", GS_NAMES(GS_LOSS_LIST(GS_ROW_NAME)), NULL};
 *
 * so that no value can lack a name. A list with more columns has its own macro for a row. */
#define GS_ROW_VALUE(constant, name) constant,
#define GS_ROW_NAME(constant, name) name,
#define GS_NAMES(...) ((const char *const[]){__VA_ARGS__ NULL})

/* What others call a value. */
typedef struct gs_synonym {
  const char *word;
  const char *name;
} gs_synonym;

typedef struct gs_names {
  const char *what;           /* "loss" */
  const char *const *list;    /* by value, from 0 on; ends with NULL */
  const gs_synonym *synonyms; /* ends with a NULL word; or NULL */
} gs_names;

/* The name of a value, "unknown" where there is none. Enumerations are signed for some
 * compilers and unsigned for others: an int64_t takes both. */
const char *gs_name(const gs_names *names, int64_t value);

/* The value of a name, -1 if there is none (or no word); then *meant (which may be NULL) is the
 * name that the word is most likely a slip of, or another word for, or NULL. */
int gs_value_of(const gs_names *names, const char *word, const char **meant);

int gs_names_count(const gs_names *names);

/* Of count candidates the one that `word` is most likely a slip of, or NULL. */
const char *gs_closest(const char *word, const char *const *candidates, int count);

#endif
