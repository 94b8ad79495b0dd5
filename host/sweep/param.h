/* The table of a cell's parameters: their keys in canonical order, the models
 * they belong to, and how a JSON value becomes a field of gs_config. */
#ifndef GS_SWEEP_PARAM_H
#define GS_SWEEP_PARAM_H

#include "net/config.h"
#include "sweep/value.h"

/* How a parameter is written on the command line. */
typedef enum gs_param_kind {
  GS_PARAM_NUMBER, /* 10 */
  GS_PARAM_WORD,   /* mse; numbers stay text */
  GS_PARAM_FLAG,   /* true, false */
  GS_PARAM_NAMED,  /* scaled:sigma_w2=1.5 */
  GS_PARAM_SIZES   /* 784,128,10: one list */
} gs_param_kind;

typedef struct gs_param gs_param;
struct gs_param {
  const char *key;
  gs_param_kind kind;
  bool mlp; /* models that have it */
  bool rnn;
  /* Checks one value (no list) and stores it. NULL for `model`. */
  gs_status (*set)(const gs_param *param, const cJSON *value, const gs_place *place,
                   gs_config *config, gs_error *error);
  size_t offset;         /* of the field, for setters that serve several parameters */
  int64_t max;           /* largest size */
  const gs_names *names; /* of a choice */
};

/* All parameters, in canonical order. */
enum { GS_PARAM_COUNT = 27 };
extern const gs_param gs_params[GS_PARAM_COUNT];

/* The index of a key in gs_params, or -1. */
int gs_param_find(const char *key);
bool gs_param_applies(const gs_param *param, gs_model model);
/* Whether a key says where a cell runs (backend, device), not what it is: no part
 * of its identity, and options of every run. */
bool gs_param_is_place(const char *key);

/* Reads the name of a model. */
gs_status gs_param_model(const cJSON *value, const gs_place *place, gs_model *model,
                         gs_error *error);

#endif
