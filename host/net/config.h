/* gs_config: the complete, resolved description of one network to measure (one
 * cell of a sweep). Every field has a value; nothing is "unset". */
#ifndef GS_NET_CONFIG_H
#define GS_NET_CONFIG_H

#include "base/names.h"
#include "base/status.h"
#include "device/types.h"

/* X(constant, name, row): the row is that of net/model.c, so that no model can lack one. */
#define GS_MODEL_LIST(X) X(GS_MLP, "mlp", gs_mlp_model) X(GS_RNN, "rnn", gs_rnn_model)
#define GS_MODEL_VALUE(constant, name, row) constant,

/* What JSON, the command line and tables can choose from: X(constant, name). */
#define GS_FAN_LIST(X) X(GS_FAN_IN, "in") X(GS_FAN_OUT, "out")
#define GS_LOSS_LIST(X) X(GS_LOSS_LINEAR, "linear") X(GS_LOSS_MSE, "mse")
#define GS_LOSS_AT_LIST(X) X(GS_LOSS_LAST, "last") X(GS_LOSS_EVERY, "every")
#define GS_RANGE_LIST(X) X(GS_RANGE_EXTENDED, "extended") X(GS_RANGE_NATIVE, "native")
#define GS_STATS_LIST(X) X(GS_STATS_OFF, "off") X(GS_STATS_NORMS, "norms") X(GS_STATS_FULL, "full")
#define GS_BACKEND_LIST(X)                                                                         \
  X(GS_BACKEND_AUTO, "auto") X(GS_BACKEND_CPU, "cpu") X(GS_BACKEND_CUDA, "cuda")
/* How the timed step is enqueued: its operations one by one, or once captured as a
 * graph and replayed. Auto: a graph where the device has them. */
#define GS_LAUNCH_LIST(X)                                                                          \
  X(GS_LAUNCH_AUTO, "auto") X(GS_LAUNCH_GRAPH, "graph") X(GS_LAUNCH_EAGER, "eager")

typedef enum gs_model { GS_MODEL_LIST(GS_MODEL_VALUE) GS_MODEL_COUNT } gs_model;
typedef enum gs_fan { GS_FAN_LIST(GS_ROW_VALUE) GS_FAN_COUNT } gs_fan;
typedef enum gs_loss { GS_LOSS_LIST(GS_ROW_VALUE) GS_LOSS_COUNT } gs_loss;
typedef enum gs_loss_at { GS_LOSS_AT_LIST(GS_ROW_VALUE) GS_LOSS_AT_COUNT } gs_loss_at;
typedef enum gs_range { GS_RANGE_LIST(GS_ROW_VALUE) GS_RANGE_COUNT } gs_range;
typedef enum gs_stats_level { GS_STATS_LIST(GS_ROW_VALUE) GS_STATS_LEVEL_COUNT } gs_stats_level;
typedef enum gs_launch { GS_LAUNCH_LIST(GS_ROW_VALUE) GS_LAUNCH_COUNT } gs_launch;
typedef enum gs_backend { GS_BACKEND_LIST(GS_ROW_VALUE) GS_BACKEND_COUNT } gs_backend;

/* X(constant, name, takes, later) - `takes` lists the parameters the name accepts; `later`
 * those of them that it got when cells of that name had identities already: where one has
 * its default, it is no part of a cell's. */
#define GS_INIT_LIST(X)                                                                            \
  X(GS_INIT_NORMAL, "normal", "std", "")                                                           \
  X(GS_INIT_SCALED, "scaled", "sigma_w2", "")                                                      \
  X(GS_INIT_HE_NORMAL, "he_normal", "fan slope", "")                                               \
  X(GS_INIT_HE_UNIFORM, "he_uniform", "fan slope", "")                                             \
  X(GS_INIT_HE_TRUNCATED, "he_truncated", "fan slope", "")                                         \
  X(GS_INIT_HE_TRUNCATED_UNCORRECTED, "he_truncated_uncorrected", "fan slope", "")                 \
  X(GS_INIT_XAVIER_NORMAL, "xavier_normal", "gain", "gain")                                        \
  X(GS_INIT_XAVIER_UNIFORM, "xavier_uniform", "gain", "gain")                                      \
  X(GS_INIT_LECUN_NORMAL, "lecun_normal", "", "")                                                  \
  X(GS_INIT_TORCH_DEFAULT, "torch_default", "", "")                                                \
  X(GS_INIT_KERAS_DEFAULT, "keras_default", "", "")                                                \
  X(GS_INIT_ORTHOGONAL, "orthogonal", "gain", "")                                                  \
  X(GS_INIT_IDENTITY, "identity", "gain", "")                                                      \
  X(GS_INIT_UNIFORM, "uniform", "a", "")                                                           \
  X(GS_INIT_TRUNCATED_NORMAL, "truncated_normal", "std", "")                                       \
  X(GS_INIT_LECUN_UNIFORM, "lecun_uniform", "", "")                                                \
  X(GS_INIT_CONSTANT, "constant", "value", "")                                                     \
  X(GS_INIT_ZEROS, "zeros", "", "")

typedef enum gs_init_kind {
#define GS_INIT_ENUM(constant, name, takes, later) constant,
  GS_INIT_LIST(GS_INIT_ENUM)
#undef GS_INIT_ENUM
      GS_INIT_COUNT
} gs_init_kind;

/* A weight initialisation. Fields a kind does not take hold their defaults. */
typedef struct gs_init {
  gs_init_kind kind;
  double std;      /* normal; truncated_normal, before the cut: standard deviation, default 1 */
  double sigma_w2; /* scaled: Var = sigma_w2 / fan_in, default 1 */
  double gain;     /* orthogonal, identity, Xavier: default 1 */
  double slope;    /* He: negative slope of the assumed leaky ReLU, default 0 */
  gs_fan fan;      /* He: default fan_in */
  double a;        /* uniform: U(-a, a), default 1 */
  double value;    /* constant: of any sign, default 1 */
} gs_init;

/* Residual connections: what a block adds to what it reads. */
#define GS_RESIDUAL_LIST(X)                                                                        \
  X(GS_RESIDUAL_NONE, "none")                                                                      \
  X(GS_RESIDUAL_PLAIN, "plain")   /* its branch */                                                 \
  X(GS_RESIDUAL_SCALED, "scaled") /* residual_scale times that */                                  \
  X(GS_RESIDUAL_REZERO, "rezero") /* a learnable number times that, at the start 0 */
/* Where phi stands: inside the branch, behind its layers but the last of several; before each
 * of its layers (He et al. 2016, Identity mappings); as inside and behind the sum (He et al.
 * 2016, Deep residual learning). */
#define GS_RESIDUAL_ACTIVATION_LIST(X)                                                             \
  X(GS_RESIDUAL_INNER, "inner") X(GS_RESIDUAL_PRE, "pre") X(GS_RESIDUAL_POST, "post")
/* What is normalised: every z^l, every phi(z^l), what every branch reads, every block's sum. */
#define GS_NORM_AT_LIST(X)                                                                         \
  X(GS_NORM_AT_Z, "z")                                                                             \
  X(GS_NORM_AT_H, "h") X(GS_NORM_AT_BRANCH, "branch") X(GS_NORM_AT_STREAM, "stream")

typedef enum gs_residual { GS_RESIDUAL_LIST(GS_ROW_VALUE) GS_RESIDUAL_COUNT } gs_residual;
typedef enum gs_residual_activation {
  GS_RESIDUAL_ACTIVATION_LIST(GS_ROW_VALUE) GS_RESIDUAL_ACTIVATION_COUNT
} gs_residual_activation;
typedef enum gs_norm_at { GS_NORM_AT_LIST(GS_ROW_VALUE) GS_NORM_AT_COUNT } gs_norm_at;

/* Where biases come from: bias_std, or a framework's name in init, which sets them too
 * (net/init.h). X(constant, name) */
#define GS_BIAS_LIST(X)                                                                            \
  X(GS_BIAS_NORMAL, "normal")             /* N(0, bias_std^2); bias_std 0: the net has none */     \
  X(GS_BIAS_ZEROS, "zeros")               /* Keras: they are there, and 0 */                       \
  X(GS_BIAS_UNIFORM, "uniform")           /* torch.nn.Linear: U(+-1/sqrt(fan_in)) */               \
  X(GS_BIAS_TWO_UNIFORMS, "two uniforms") /* torch.nn.RNN: the sum of two U(+-1/sqrt(n)) */

typedef enum gs_bias { GS_BIAS_LIST(GS_ROW_VALUE) GS_BIAS_COUNT } gs_bias;

enum {
  GS_DEVICE_NAME_BYTES = 64,
  GS_USUAL_BLOCK = 2,             /* layers of a residual branch */
  GS_MAX_DEPTH = 1 << 24,         /* layers of an mlp, time steps of an rnn */
  GS_MAX_REPLICAS = 1 << 20,      /* replicas of a cell */
  GS_JACOBIAN_MAX_WIDTH = 1 << 14 /* units of a layer whose Jacobian is wanted */
};

/* Sizes are numbers in JSON, so they stay where every integer is a double. */
#define GS_MAX_SIZE ((INT64_C(1) << 53) - 1)

/* No tensor, and no kind of tensor summed over layers or steps, may have more
 * elements; so element counts are safe in int64_t and size_t. */
#define GS_MAX_ELEMENTS (INT64_C(1) << 62)

/* What leaky_relu means without a slope (PyTorch's default). */
#define GS_LEAKY_DEFAULT_SLOPE 0.01

typedef struct gs_config {
  gs_model model;
  /* mlp: depth L >= 1 layers; widths n_0..n_L, depth + 1 of them, owned. They are
   * there however they were asked for, so that the net code reads only `widths`;
   * `width` is n_1 = .. = n_{L-1} where it was asked for by one number (input and
   * output are n_0 and n_L, usually n as well), else 0. */
  int64_t depth;
  int64_t width;
  int64_t *widths;
  /* rnn: n hidden units, n_x inputs, T steps */
  int64_t hidden;
  int64_t input;
  int64_t seq_len;
  int64_t output;   /* mlp: see width */
  int64_t batch;    /* B examples per replica */
  int64_t replicas; /* R networks that differ only in their random numbers */
  uint64_t seed;
  gs_activation activation;
  gs_activation output_activation; /* mlp: of layer L. rnn: equals activation, unused */
  gs_init init;                    /* mlp: every W^l; rnn: the recurrent W */
  gs_init input_init;              /* rnn: U */
  bool lsuv;                       /* mlp: weights are scaled to the data (lsuv.c) */
  gs_norm norm;                    /* mlp (device.h), and where */
  gs_norm_at norm_at;
  gs_residual residual; /* mlp, and what goes with it */
  int64_t block;        /* layers of a branch */
  double residual_scale;
  gs_residual_activation residual_activation;
  gs_init branch_init; /* of a branch's last W */
  bool tied;           /* rnn: false draws a new W for each step */
  gs_bias bias;        /* of bias_std, or those of the framework that init names */
  double bias_std;     /* b ~ N(0, bias_std^2); 0: none. 0 for a framework's biases */
  gs_loss loss;
  gs_loss_at loss_at; /* rnn; mlp: GS_LOSS_LAST */
  gs_dtype dtype;
  gs_range range;
  gs_stats_level stats;
  bool jacobian; /* singular values and Lyapunov exponents too (measure/jacobian.h) */
  gs_launch launch;
  gs_loop loop; /* rnn (device.h); mlp: GS_LOOP_AUTO */
  gs_backend backend;
  char device[GS_DEVICE_NAME_BYTES]; /* "auto", or index, UUID, PCI address */
} gs_config;

/* An initialisation of this kind with every parameter at its default. */
gs_init gs_init_default(gs_init_kind kind);

/* The documented defaults for a model (docs/PARAMETERS.md): mlp depth 10,
 * width 128; rnn hidden 128, input 128, seq_len 100, input_init scaled with
 * sigma_w2 1, tied; batch 32, replicas 1, seed 1, tanh, xavier_normal, no
 * biases, linear loss at the last step, f32, extended, full statistics, no
 * Jacobians; the device chooses how it is launched and looped.
 * Allocates widths for mlp. Errors: GS_ERR_MEMORY. */
gs_status gs_config_default(gs_model model, gs_config *config, gs_error *error);

/* Gives an mlp depth layers of equal width, replacing what it had. The width is
 * not judged here (gs_config_check). Errors: GS_ERR_DATA for a depth outside
 * 1..GS_MAX_DEPTH; GS_ERR_MEMORY. */
gs_status gs_config_set_widths(gs_config *config, int64_t depth, int64_t width, gs_error *error);
/* Gives the widths of such an mlp their ends, n_0 and n_L, which are not judged here. */
void gs_config_set_ends(gs_config *config, int64_t input, int64_t output);

/* A deep copy; *copy is then the caller's to clear. Errors: GS_ERR_MEMORY. */
gs_status gs_config_copy(const gs_config *config, gs_config *copy, gs_error *error);

/* Frees what the config owns and zeroes it. Accepts NULL. */
void gs_config_clear(gs_config *config);

/* Refuses impossible shapes and values (zero or negative sizes, negative or
 * non-finite scales, identity for a rectangular weight, biases of a framework that init
 * does not name, element counts over GS_MAX_ELEMENTS, Jacobians of f16, bf16 or more than
 * GS_JACOBIAN_MAX_WIDTH units). Errors: GS_ERR_DATA naming the field and the value. */
gs_status gs_config_check(const gs_config *config, gs_error *error);

/* Whether the network has biases (and so gradients of them). */
bool gs_config_has_biases(const gs_config *config);
/* Whether what is handed on from block to block (without residual connections from layer to
 * layer), and its gradient, are quantities of their own. */
bool gs_config_has_stream(const gs_config *config);
/* Of an mlp with residual connections: what its branches are multiplied by; blocks. */
double gs_config_branch_scale(const gs_config *config);
int64_t gs_config_blocks(const gs_config *config);
/* Whether z^l of an mlp becomes phi(z^l), before anything is added or another layer comes. */
bool gs_config_layer_has_phi(const gs_config *config, int64_t l);
/* The initialisation of W^l. */
const gs_init *gs_config_init(const gs_config *config, int64_t l);

/* Names of all choices (base/names.h), by value. */
extern const gs_names gs_model_names;
extern const gs_names gs_dtype_names;
extern const gs_names gs_activation_names;
extern const gs_names gs_init_names;
extern const gs_names gs_fan_names;
extern const gs_names gs_bias_names;
extern const gs_names gs_loss_names;
extern const gs_names gs_loss_at_names;
extern const gs_names gs_range_names;
extern const gs_names gs_stats_names;
extern const gs_names gs_launch_names;
extern const gs_names gs_loop_names;
extern const gs_names gs_norm_names;
extern const gs_names gs_norm_at_names;
extern const gs_names gs_residual_names;
extern const gs_names gs_residual_activation_names;
extern const gs_names gs_backend_names;

/* The parameters that an initialisation takes: "fan slope". */
const char *gs_init_takes(gs_init_kind kind);
/* Those of them that came later (GS_INIT_LIST). */
const char *gs_init_later(gs_init_kind kind);

#endif
