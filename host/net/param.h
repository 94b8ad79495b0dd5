/* The table of a network's parameters: one row says all there is to say about one. Reading
 * and writing JSON, a cell's identity and name, the help, tables, claims' set-ups, the schema
 * of results and docs/PARAMETERS.md are loops over it, so that none of them can forget a
 * parameter: a new one is a field of gs_config, its default in gs_config_default, and a row. */
#ifndef GS_NET_PARAM_H
#define GS_NET_PARAM_H

#include "base/line.h"
#include "base/value.h"
#include "net/config.h"

/* How a parameter is written on the command line. */
typedef enum gs_param_kind {
  GS_PARAM_NUMBER, /* 10 */
  GS_PARAM_WORD,   /* mse; numbers stay text */
  GS_PARAM_FLAG,   /* true, false */
  GS_PARAM_NAMED,  /* scaled:sigma_w2=1.5 */
  GS_PARAM_SIZES   /* 784,128,10: one list */
} gs_param_kind;

/* Where a parameter stands in a cell's name. Groups that give "key=value" do so where the
 * value is not what it usually is. */
typedef enum gs_param_group {
  GS_GROUP_OTHER,    /* key=value, at the end */
  GS_GROUP_MODEL,    /* its first word */
  GS_GROUP_KIND,     /* always there: tanh/xavier_normal */
  GS_GROUP_PART,     /* in the value of another one: leaky_relu:slope=0.1 */
  GS_GROUP_LENGTH,   /* always, with a letter: L100 */
  GS_GROUP_SIZE,     /* always, with a letter: n128 */
  GS_GROUP_COUNT,    /* always, with a letter: B32/R16 */
  GS_GROUP_NETWORK,  /* key=value, before ... */
  GS_GROUP_SEED,     /* ... this */
  GS_GROUP_LOCATION, /* where a cell runs, not what it is: part of neither name nor id, and
                      * options of every run */
  GS_GROUPS
} gs_param_group;

typedef struct gs_param gs_param;

/* What parameters of one type share. */
typedef struct gs_param_type {
  const char *name; /* "size" */
  gs_param_kind kind;
  /* Checks one JSON value (no list) and stores it. Errors: GS_ERR_DATA or GS_ERR_USAGE, by
   * location. NULL for the model, which is known before any other. */
  gs_status (*set)(const gs_param *param, const cJSON *value, const gs_location *location,
                   gs_config *config, gs_error *error);
  /* The same value as JSON; NULL when out of memory. */
  cJSON *(*get)(const gs_param *param, const gs_config *config);
  /* Takes from that JSON what is no part of a cell's identity. NULL: nothing. */
  void (*identify)(cJSON *value);
} gs_param_type;

struct gs_param {
  const char *key;
  const char *help;    /* one line, without the choices and the default */
  const char *details; /* what docs/PARAMETERS.md says beside that, or NULL */
  const char *usual;   /* the default in words, where it is not one value */
  unsigned models;     /* that have it: GS_OF_MODEL of each, or GS_EVERY_MODEL */
  const gs_param_type *type;
  size_t offset;           /* of the field in gs_config, for types of one field */
  int64_t max;             /* largest size */
  const gs_names *choices; /* or NULL */
  gs_param_group group;
  char letter;            /* before its value in a cell's name */
  const char *instead_of; /* keys that may not stand beside it, blanks between */
  /* The key of the choice that it goes with: only where that has some value other than "none",
   * or only this one. */
  const char *goes_with;
  const char *goes_with_value;
  bool later;             /* it came when cells had identities: its default is no part of one */
  bool changes_no_number; /* only how a network is measured: in no claim's set-up */
  /* Whether the configuration, of one of its models, has a value for it; NULL: always. */
  bool (*applies)(const gs_config *config);
  unsigned always; /* models whose configurations all have one, whatever `applies` is there for */
  /* Gives it the value that follows from the others: what it is where nobody gives it, or
   * where what is given does not apply. NULL: the default, whatever the others are. */
  void (*follow)(gs_config *config);
};

#define GS_OF_MODEL(model) (1U << (unsigned)(model))
#define GS_EVERY_MODEL (~0U)

/* All parameters, in canonical order. The model is the first. */
enum { GS_PARAM_COUNT = 36 };
extern const gs_param *const gs_params;

/* The index of a key in gs_params, or -1. */
int gs_param_find(const char *key);
bool gs_param_of_model(const gs_param *param, gs_model model);
bool gs_param_of_every_model(const gs_param *param);
/* Whether this configuration has a value for it. */
bool gs_param_applies(const gs_param *param, const gs_config *config);
/* Whether a key says where a cell runs: GS_GROUP_LOCATION. */
bool gs_param_is_location(const char *key);

/* Reads the name of a model. */
gs_status gs_param_model(const cJSON *value, const gs_location *location, gs_model *model,
                         gs_error *error);

/* What every parameter usually is beside the words of a cell's name that are always there:
 * the defaults of the model, with the config's activation and init, and what follows from
 * those. *usual is the caller's to clear. Errors: GS_ERR_MEMORY. */
gs_status gs_param_usual(const gs_config *config, gs_config *usual, gs_error *error);

/* The parameters in the order of rank[group], then of the table; without those whose rank
 * is 0. Returns how many. */
int gs_param_order(const int rank[GS_GROUPS], int order[GS_PARAM_COUNT]);

/* ---- as text (param_text.c) ---- */

typedef enum gs_param_style {
  GS_STYLE_NAME,  /* scaled:sigma_w2=1, 784-128-10 */
  GS_STYLE_TABLE, /* the same, and whole numbers without an exponent */
  GS_STYLE_OPTION /* as typed, and no default of an initialisation: scaled, 784,128,10 */
} gs_param_style;

/* Adds a value as its type's get gives it. */
void gs_param_add_text(const gs_param *param, const cJSON *value, gs_param_style style,
                       gs_line *line);
/* Adds the configuration's value. Returns false when out of memory. */
bool gs_param_add_value(const gs_param *param, const gs_config *config, gs_param_style style,
                        gs_line *line);
/* Adds its default: that of the first model that has it, or `usual`. */
void gs_param_add_default(const gs_param *param, gs_line *line);
/* Adds its help: "last, every: at which steps (last)". Choices that an earlier parameter has
 * too are not told again. */
void gs_param_add_help(const gs_param *param, gs_line *line);

#endif
