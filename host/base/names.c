/* Names of values, and the way back. */
#include "base/names.h"

#include <stdbool.h>
#include <string.h>

int gs_names_count(const gs_names *names) {
  int count = 0;
  while (names->list[count]) count++;
  return count;
}

const char *gs_name(const gs_names *names, int64_t value) {
  return value >= 0 && value < gs_names_count(names) ? names->list[value] : "unknown";
}

static const char *other_word(const gs_names *names, const char *word) {
  for (const gs_synonym *at = names->synonyms; at && at->word; at++) {
    if (strcmp(at->word, word) == 0) return at->name;
  }
  return NULL;
}

int gs_value_of(const gs_names *names, const char *word, const char **meant) {
  const int count = gs_names_count(names);
  if (meant) *meant = NULL;
  if (!word) return -1;
  for (int i = 0; i < count; i++) {
    if (strcmp(names->list[i], word) == 0) return i;
  }
  if (!meant) return -1;
  *meant = other_word(names, word);
  if (!*meant) *meant = gs_closest(word, names->list, count);
  return -1;
}

/* ---- the closest word ---- */

enum { LONGEST_WORD = 31 };

static int min(int a, int b, int c) {
  const int ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/* Letters to insert, delete, replace or swap with a neighbour (optimal string
 * alignment distance), by the usual table of prefixes. */
static int edit_distance(const char *a, const char *b) {
  int table[LONGEST_WORD + 1][LONGEST_WORD + 1];
  const int rows = (int)strlen(a);
  const int cols = (int)strlen(b);
  for (int i = 0; i <= rows; i++) table[i][0] = i;
  for (int j = 0; j <= cols; j++) table[0][j] = j;
  for (int i = 1; i <= rows; i++) {
    for (int j = 1; j <= cols; j++) {
      const int replaced = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, replaced);
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && table[i - 2][j - 2] + 1 < table[i][j]) table[i][j] = table[i - 2][j - 2] + 1;
    }
  }
  return table[rows][cols];
}

const char *gs_closest(const char *word, const char *const *candidates, int count) {
  const size_t length = strnlen(word, LONGEST_WORD + 1);
  if (length > LONGEST_WORD) return NULL;
  /* a slip: one letter in a short word, two in a longer one */
  int nearest = length < 5 ? 1 : 2;
  const char *closest = NULL;
  for (int i = 0; i < count; i++) {
    if (strlen(candidates[i]) > LONGEST_WORD) continue;
    const int distance = edit_distance(word, candidates[i]);
    if (distance > nearest || (closest && distance == nearest)) continue;
    nearest = distance;
    closest = candidates[i];
  }
  return closest;
}
