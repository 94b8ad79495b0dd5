/* Numbers of two records. See numbers.h. */
#include "compare/numbers.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/types.h"
#include "measure/digest.h"
#include "net/config.h"

const gs_names gs_numbers_names = {"numbers", GS_NAMES(GS_NUMBERS_LIST(GS_ROW_NAME)), NULL};

/* The member, or without a key the object itself. */
static const cJSON *get(const cJSON *object, const char *key) {
  return key ? gs_json_get(object, key) : object;
}

/* ---- allowances ---- */

/* An unknown dtype: nothing is allowed. */
static double roundoff(const char *name) {
  const int dtype = name ? gs_value_of(&gs_dtype_names, name, NULL) : -1;
  return dtype >= 0 ? gs_dtype_roundoff((gs_dtype)dtype) : 0;
}

double gs_numbers_allowance(const gs_rounding *rounding) {
  const double factor = 8;
  const double max_luck = 30;
  const double horizon = 0.01;
  const double few = 0.01;
  const double k = (double)rounding->products;
  const double luck = fmin(exp(sqrt(2 * k / rounding->units)), max_luck);
  const double relative =
      factor * roundoff(rounding->dtype) * sqrt(k) * pow(10, rounding->growth) * luck;
  const double crossings = rounding->elements * k * roundoff(rounding->dtype) * sqrt(k);
  const double jumps = rounding->kinked && crossings > few ? 16 / rounding->units : 0;
  if (!(relative < horizon)) return DBL_MAX;
  return (relative + jumps) / log(10);
}

/* What is the same for all numbers of a cell. */
typedef struct pairing {
  gs_numbers *numbers;
  const char *dtype;
  const char *step; /* "layer" or "step" */
  int64_t points;   /* layers or steps */
  double units;     /* of a layer */
  bool kinked;      /* phi' jumps, or does in large strides */
  double elements;  /* at least, of a layer: batch x replicas x units */
  double all_units; /* the same without the batch */
  const cJSON *theory;
} pairing;

/* log10 of how much a small disturbance of h grows against h itself from the inputs to a
 * layer, by the theory's chi and q (docs/COMPARE.md): the root of the product of
 * chi_l q_{l-1} / q_l, where that is above 1. */
static double growth_to(const pairing *p, int64_t layer) {
  const cJSON *index = get(p->theory, "index") ? get(p->theory, "index")->child : NULL;
  const cJSON *q = get(p->theory, "log10_q") ? get(p->theory, "log10_q")->child : NULL;
  const cJSON *chi = get(p->theory, "log10_chi") ? get(p->theory, "log10_chi")->child : NULL;
  double growth = 0;
  for (; index && q && chi && index->next && q->next; chi = chi->next) {
    const double step =
        gs_json_number_of(chi) * (gs_json_number_of(index->next) - gs_json_number_of(index)) +
        gs_json_number_of(q) - gs_json_number_of(q->next);
    if (gs_json_number_of(index->next) > (double)layer) break;
    if (step > 0) growth += step / 2;
    index = index->next;
    q = q->next;
  }
  return growth;
}

/* Of the activations, up to a layer. */
static double forward_allowance(const pairing *p, int64_t layer) {
  const gs_rounding rounding = {p->dtype, layer, p->units, p->elements, growth_to(p, layer), false};
  return gs_numbers_allowance(&rounding);
}

/* Of what is so many products from the inputs, the last layer's among them. */
static double backward_allowance(const pairing *p, int64_t products) {
  const gs_rounding rounding = {p->dtype, products, p->units, p->elements, growth_to(p, p->points),
                                p->kinked};
  return gs_numbers_allowance(&rounding);
}

/* ---- pairs ---- */

static void note(pairing *p, const gs_number_pair *pair) {
  gs_numbers *n = p->numbers;
  const bool null = isnan(pair->base) || isnan(pair->other);
  if (pair->base == pair->other || (isnan(pair->base) && isnan(pair->other))) return;
  const double apart = null ? (double)INFINITY : fabs(pair->other - pair->base);
  const bool within = apart <= pair->allowance;
  const gs_numbers_verdict verdict = within ? GS_NUMBERS_ROUNDING : GS_NUMBERS_DIFFERENT;
  n->unequal++;
  n->worst = fmax(n->worst, pair->allowance > 0 ? apart / pair->allowance : (double)INFINITY);
  if (verdict <= n->verdict) return;
  n->verdict = verdict;
  n->first = *pair;
}

/* Something that is there in one record alone, or is longer there. */
static void note_shape(pairing *p, const char *quantity) {
  gs_number_pair pair = {.axis = "", .base = NAN, .other = 0};
  snprintf(pair.quantity, sizeof pair.quantity, "%s", quantity);
  note(p, &pair);
}

static bool same_length(pairing *p, const char *quantity, const cJSON *a, const cJSON *b) {
  const bool both = a && b;
  if (!both && !a && !b) return false;
  if (both && cJSON_GetArraySize(a) == cJSON_GetArraySize(b)) return true;
  note_shape(p, quantity);
  return false;
}

/* ---- layers ---- */

/* What may round to another value in another order of summation. */
typedef enum kind {
  LOGARITHM, /* of a norm or a largest element */
  SHARE,     /* of a layer's elements: those near a limit may cross it */
  COUNT,     /* never */
  SMALLEST   /* what cancels leaves no digit that is not rounding: only whether it is there */
} kind;

static double allowance_of(const pairing *p, kind of, double logarithm) {
  switch (of) {
  case LOGARITHM: return logarithm;
  case SHARE: return fmin(4 * logarithm, 1) + 4 / p->elements + (p->kinked ? 4 / p->all_units : 0);
  case COUNT: return 0;
  case SMALLEST: return DBL_MAX;
  }
  return 0;
}

/* Columns, in the order of the record. A layer's histogram has its own rule. */
static const struct {
  const char *group; /* NULL: none */
  const char *key;
  kind kind;
} columns[] = {{"log10_norm", "finite", COUNT},
               {"log10_norm", "zero", COUNT},
               {"log10_norm", "not_finite", COUNT},
               {"log10_norm", "mean", LOGARITHM},
               {"log10_norm", "sd", LOGARITHM},
               {"log10_norm", "p05", LOGARITHM},
               {"log10_norm", "p50", LOGARITHM},
               {"log10_norm", "p95", LOGARITHM},
               {NULL, "nan", COUNT},
               {NULL, "inf", COUNT},
               {NULL, "log10_max", LOGARITHM},
               {NULL, "log10_min", SMALLEST},
               {NULL, "zero_share", SHARE},
               {NULL, "subnormal_share", SHARE},
               {NULL, "saturated_share", SHARE},
               {NULL, "dead_share", SHARE}};
enum { COLUMNS = sizeof columns / sizeof *columns };

typedef struct axis {
  const char *quantity;
  const cJSON *a, *b; /* of both records */
} axis;

static gs_number_pair pair_at(const pairing *p, const axis *x, const char *group, const char *key,
                              int64_t index) {
  gs_number_pair pair = {.axis = p->step, .index = index};
  snprintf(pair.quantity, sizeof pair.quantity, "%s.%s%s%s", x->quantity, group ? group : "",
           group ? "." : "", key);
  return pair;
}

/* Bins one after the other; a run of empty ones is one negative number in the record. */
typedef struct bins {
  const cJSON *at;
  double exponent; /* of the next bin */
} bins;

static bool next_bin(bins *of, double *exponent, double *count) {
  while (of->at) {
    const double value = gs_json_number_of(of->at);
    of->at = of->at->next;
    if (value < 0) {
      of->exponent -= value;
      continue;
    }
    *exponent = of->exponent++;
    *count = value;
    return true;
  }
  return false;
}

/* Half the sum of |differences|, in elements: how many would have to change their bin. NAN
 * where only one of them has a bin. */
static double histogram_distance(const cJSON *first_a, const cJSON *a, const cJSON *first_b,
                                 const cJSON *b, double *total) {
  bins left = {a ? a->child : NULL, gs_json_number_of(first_a)};
  bins right = {b ? b->child : NULL, gs_json_number_of(first_b)};
  double e[2] = {0, 0};
  double n[2] = {0, 0};
  bool have_a = next_bin(&left, &e[0], &n[0]);
  bool have_b = next_bin(&right, &e[1], &n[1]);
  double distance = 0;
  *total = 0;
  if (isnan(left.exponent) != isnan(right.exponent)) return NAN;
  while (have_a || have_b) { /* one of them is taken, whatever the file says */
    const bool take_a = have_a && !(have_b && e[1] < e[0]);
    const bool take_b = have_b && !(have_a && e[0] < e[1]);
    distance += fabs((take_a ? n[0] : 0) - (take_b ? n[1] : 0));
    if (take_a) *total += n[0];
    if (take_a) have_a = next_bin(&left, &e[0], &n[0]);
    if (take_b) have_b = next_bin(&right, &e[1], &n[1]);
  }
  return distance / 2;
}

/* Elements are counted by binade: some near the edges of theirs may be in the next. */
static void compare_histogram(pairing *p, const axis *x, int64_t i, int64_t index,
                              double logarithm) {
  const cJSON *a = get(x->a, "histogram");
  const cJSON *b = get(x->b, "histogram");
  double total = 0;
  if (!a || !b) return;
  gs_number_pair pair = pair_at(p, x, "histogram", "counts", index);
  pair.other = histogram_distance(cJSON_GetArrayItem(get(a, "first_exponent"), (int)i),
                                  cJSON_GetArrayItem(get(a, "counts"), (int)i),
                                  cJSON_GetArrayItem(get(b, "first_exponent"), (int)i),
                                  cJSON_GetArrayItem(get(b, "counts"), (int)i), &total);
  pair.allowance = fmin(32 * logarithm, 1) * total + 32;
  note(p, &pair);
}

static void compare_kept(pairing *p, const axis *x, int64_t i, int64_t index, double logarithm) {
  const cJSON *format = NULL;
  const cJSON *share = NULL;
  cJSON_ArrayForEach(format, get(x->a, "kept")) {
    cJSON_ArrayForEach(share, format) {
      const cJSON *same = get(get(get(x->b, "kept"), format->string), share->string);
      char key[24];
      snprintf(key, sizeof key, "%s.%s", format->string, share->string);
      gs_number_pair pair = pair_at(p, x, "kept", key, index);
      pair.base = gs_json_number_of(cJSON_GetArrayItem(share, (int)i));
      pair.other = gs_json_number_of(cJSON_GetArrayItem(same, (int)i));
      pair.allowance = allowance_of(p, SHARE, logarithm);
      note(p, &pair);
    }
  }
}

/* The number itself is rounded to float64. */
static double with_last_digits(double allowance, double value) {
  const double digits = 8 * 0x1p-53;
  return allowance > 0 && isfinite(value) ? fmin(allowance + digits * fabs(value), DBL_MAX)
                                          : allowance;
}

static void compare_layer(pairing *p, const axis *x, int64_t i, double logarithm) {
  const double index = gs_json_number_of(cJSON_GetArrayItem(get(x->a, "index"), (int)i));
  for (int c = 0; c < COLUMNS; c++) {
    gs_number_pair pair = pair_at(p, x, columns[c].group, columns[c].key, (int64_t)index);
    const cJSON *a = get(get(x->a, columns[c].group), columns[c].key);
    const cJSON *b = get(get(x->b, columns[c].group), columns[c].key);
    if (!a && !b) continue;
    pair.base = gs_json_number_of(cJSON_GetArrayItem(a, (int)i));
    pair.other = gs_json_number_of(cJSON_GetArrayItem(b, (int)i));
    pair.allowance = with_last_digits(allowance_of(p, columns[c].kind, logarithm), pair.base);
    note(p, &pair);
  }
  compare_kept(p, x, i, (int64_t)index, logarithm);
  compare_histogram(p, x, i, (int64_t)index, logarithm);
}

/* Forward from the first layer on, backward from the last. */
static void compare_quantity(pairing *p, const cJSON *a, const cJSON *b, const char *quantity,
                             bool forward) {
  const axis x = {quantity, get(get(a, "layers"), quantity), get(get(b, "layers"), quantity)};
  if (!same_length(p, quantity, get(x.a, "index"), get(x.b, "index"))) return;
  const int64_t count = cJSON_GetArraySize(get(x.a, "index"));
  const double first = gs_json_number_of(cJSON_GetArrayItem(get(x.a, "index"), 0));
  for (int64_t k = 0; k < count; k++) {
    const int64_t i = forward ? k : count - 1 - k;
    const int64_t index = (int64_t)gs_json_number_of(cJSON_GetArrayItem(get(x.a, "index"), (int)i));
    /* a layer's delta is behind one; what a stream's blocks are behind, its index does not say */
    const int64_t below = first == 0 ? p->points : index;
    const int64_t products = 2 * p->points - (first == 0 ? 0 : index) + 1;
    if (gs_json_number_of(cJSON_GetArrayItem(get(x.b, "index"), (int)i)) != (double)index) {
      note_shape(p, quantity);
      return;
    }
    compare_layer(p, &x, i,
                  forward ? forward_allowance(p, below) : backward_allowance(p, products));
  }
}

/* ---- what is of replicas ---- */

static void compare_list(pairing *p, const char *quantity, const cJSON *a, const cJSON *b,
                         double allowance) {
  if (!same_length(p, quantity, a, b) || !a || !b) return;
  const cJSON *other = b->child;
  int64_t index = 0;
  for (const cJSON *base = a->child; base && other; base = base->next, other = other->next) {
    index++;
    gs_number_pair pair = {.axis = "replica", .index = index, .allowance = allowance};
    snprintf(pair.quantity, sizeof pair.quantity, "%s", quantity);
    pair.base = gs_json_number_of(base);
    pair.other = gs_json_number_of(other);
    if (cJSON_IsString(base) && cJSON_IsString(other)) {
      pair.base = 0;
      pair.other = strcmp(base->valuestring, other->valuestring) != 0;
    }
    note(p, &pair);
  }
}

/* Signed sums cancel: the loss is held to what is left of it by the order of summation. */
static void compare_loss(pairing *p, const cJSON *a, const cJSON *b) {
  const cJSON *x = get(get(a, "summary"), "loss");
  const cJSON *y = get(get(b, "summary"), "loss");
  const double logarithm = forward_allowance(p, p->points);
  const double cancelling = fmin(1e3 * logarithm, DBL_MAX);
  compare_list(p, "loss.sign", get(x, "sign"), get(y, "sign"), cancelling > 0.5 ? 2 : 0);
  compare_list(p, "loss.log10_abs", get(x, "log10_abs"), get(y, "log10_abs"), cancelling);
}

static void compare_decades(pairing *p, const cJSON *a, const cJSON *b) {
  static const char *const counts[] = {"finite", "dead", "not_finite"};
  static const char *const logarithms[] = {"mean", "sd", "p05", "p50", "p95"};
  const cJSON *x = get(get(a, "summary"), "decades");
  const cJSON *y = get(get(b, "summary"), "decades");
  const double allowance = fmin(2 * backward_allowance(p, 2 * p->points), DBL_MAX);
  for (size_t i = 0; x && y && i < 3 + 5; i++) {
    const char *key = i < 3 ? counts[i] : logarithms[i - 3];
    gs_number_pair pair = {.axis = "", .allowance = i < 3 ? 0 : allowance};
    snprintf(pair.quantity, sizeof pair.quantity, "decades.%s", key);
    pair.base = gs_json_number_of(get(x, key));
    pair.other = gs_json_number_of(get(y, key));
    note(p, &pair);
  }
  compare_list(p, "decades.values", get(x, "values"), get(y, "values"), allowance);
  compare_list(p, "decades.class", get(get(x, "class"), "values"), get(get(y, "class"), "values"),
               0);
}

/* ---- Jacobians ---- */

/* Computed in float64 from the weights and inputs as stored, which are the same bits
 * everywhere: what differs is rounding of float64, magnified by cancellation. Smallest
 * singular values and late exponents may be all rounding. */
static void compare_jacobian_value(pairing *p, const char *path, const cJSON *a, const cJSON *b,
                                   int64_t index) {
  const bool small =
      strstr(path, "smallest") != NULL || strncmp(path, "jacobian.lyapunov", 17) == 0;
  const bool count = strstr(path, ".finite") || strstr(path, ".not_finite") ||
                     strstr(path, ".zero") || strstr(path, ".index");
  gs_number_pair pair = {.axis = index > 0 ? "index" : "", .index = index};
  snprintf(pair.quantity, sizeof pair.quantity, "%s", path);
  pair.base = gs_json_number_of(a);
  pair.other = gs_json_number_of(b);
  pair.allowance = count ? 0 : small ? DBL_MAX : 1e-6 * fmax(1, fabs(pair.base));
  note(p, &pair);
}

/* Down two levels of objects and one list: jacobian.layers.rms.mean[i]. */
static void compare_jacobian_part(pairing *p, const char *path, const cJSON *a, const cJSON *b) {
  const cJSON *x = NULL;
  if (!cJSON_IsArray(a)) {
    compare_jacobian_value(p, path, a, b, 0);
    return;
  }
  const cJSON *y = b && cJSON_IsArray(b) ? b->child : NULL;
  int64_t index = 0;
  cJSON_ArrayForEach(x, a) {
    compare_jacobian_value(p, path, x, y, ++index);
    y = y ? y->next : NULL;
  }
}

static void compare_jacobian(pairing *p, const cJSON *a, const cJSON *b) {
  const cJSON *part = NULL;
  const cJSON *sample = NULL;
  const cJSON *value = NULL;
  if (!get(a, "jacobian")) return;
  cJSON_ArrayForEach(part, get(a, "jacobian")) {
    const cJSON *other = get(get(b, "jacobian"), part->string);
    cJSON_ArrayForEach(sample, part) {
      char path[GS_QUANTITY_TEXT_BYTES];
      const cJSON *same = other ? get(other, sample->string) : NULL;
      if (!cJSON_IsObject(sample)) {
        snprintf(path, sizeof path, "jacobian.%s.%s", part->string, sample->string);
        compare_jacobian_part(p, path, sample, same);
        continue;
      }
      cJSON_ArrayForEach(value, sample) {
        snprintf(path, sizeof path, "jacobian.%s.%s.%s", part->string, sample->string,
                 value->string);
        compare_jacobian_part(p, path, value, same ? get(same, value->string) : NULL);
      }
    }
  }
}

/* ---- all of it ---- */

static const char *text_of(const cJSON *item) { return cJSON_GetStringValue(item); }

/* Of a list of widths; 1 where there is none. */
static double narrowest(const cJSON *widths) {
  const cJSON *width = NULL;
  double min = INFINITY;
  cJSON_ArrayForEach(width, widths) min = fmin(min, gs_json_number_of(width));
  return isfinite(min) && min >= 1 ? min : 1;
}

/* The others have two slopes, which a large z steps between at once. */
static bool is_smooth(const char *activation) {
  static const char *const names[] = {"identity", "sigmoid", "tanh", "softsign"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(activation, names[i]) == 0) return true;
  }
  return false;
}

static pairing pairing_of(const cJSON *record, gs_numbers *numbers) {
  const cJSON *params = get(record, "params");
  const char *model = text_of(get(params, "model"));
  const bool rnn = model && strcmp(model, "rnn") == 0;
  const cJSON *delta = get(get(get(record, "layers"), "delta"), "index");
  const int last = delta ? cJSON_GetArraySize(delta) - 1 : -1;
  const double points = last >= 0 ? gs_json_number_of(cJSON_GetArrayItem(delta, last)) : 1;
  const double width = gs_json_number_of(get(params, rnn ? "hidden" : "width"));
  const double units = width >= 1 ? width : narrowest(get(params, "widths"));
  const double all_units = fmax(1, units * gs_json_number_of(get(params, "replicas")));
  const cJSON *activation = get(params, "activation");
  const char *phi = text_of(cJSON_IsObject(activation) ? get(activation, "name") : activation);
  return (pairing){.numbers = numbers,
                   .dtype = text_of(get(params, "dtype")),
                   .step = rnn ? "step" : "layer",
                   .points = (int64_t)points,
                   .units = units,
                   .kinked = !phi || !is_smooth(phi),
                   .elements = fmax(1, all_units * gs_json_number_of(get(params, "batch"))),
                   .all_units = all_units,
                   .theory = get(record, "theory")};
}

void gs_numbers_compare(const cJSON *base, const cJSON *other, gs_numbers *numbers) {
  static const char *const backward[] = {"delta", "grad_weight", "grad_bias", "grad_input_weight",
                                         "grad_stream"};
  *numbers = (gs_numbers){.verdict = GS_NUMBERS_IDENTICAL};
  pairing p = pairing_of(base, numbers);
  const char *said[2] = {text_of(get(base, "digest")), text_of(get(other, "digest"))};
  char found[2][GS_SHA256_TEXT_BYTES];
  gs_digest_of(base, found[0]);
  gs_digest_of(other, found[1]);
  const bool same = said[0] && said[1] && strcmp(said[0], said[1]) == 0;
  if (same && strcmp(found[0], found[1]) == 0) return;
  compare_quantity(&p, base, other, "activation", true);
  compare_quantity(&p, base, other, "stream", true);
  compare_loss(&p, base, other);
  for (size_t i = 0; i < sizeof backward / sizeof *backward; i++) {
    compare_quantity(&p, base, other, backward[i], false);
  }
  compare_decades(&p, base, other);
  compare_jacobian(&p, base, other);
  if (numbers->unequal == 0) note_shape(&p, "digest");
}
