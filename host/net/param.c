/* The table of parameters. See param.h. */
#include "net/param.h"

#include <math.h>
#include <string.h>

#include "net/init.h"
#include "net/param_types.h"

/* ---- what follows from other parameters ---- */

static bool is_equal_widths(const gs_config *config) { return config->width > 0; }
static bool is_unequal_widths(const gs_config *config) { return config->width == 0; }

static bool has_input(const gs_config *config) {
  return config->width > 0 && config->input != config->width;
}

static bool has_output(const gs_config *config) {
  return config->width > 0 && config->output != config->width;
}

/* An mlp's ends are as wide as its other layers, unless somebody says otherwise. */
static void follow_width_input(gs_config *config) {
  if (config->width > 0) config->input = config->width;
}

static void follow_width_output(gs_config *config) {
  if (config->width > 0) config->output = config->width;
}

static bool is_leaky(const gs_config *config) {
  return config->activation.kind == GS_LEAKY_RELU ||
         config->output_activation.kind == GS_LEAKY_RELU;
}

/* A slope only where one is used, so that equal cells are equal configurations. */
static void follow_leaky(gs_config *config) {
  if (is_leaky(config)) return;
  config->activation.slope = GS_LEAKY_DEFAULT_SLOPE;
  config->output_activation.slope = GS_LEAKY_DEFAULT_SLOPE;
}

static void follow_activation(gs_config *config) { config->output_activation = config->activation; }

/* A framework's name sets input weights and biases, too. */
static void follow_init_input(gs_config *config) {
  const gs_init_kind kind = config->init.kind;
  config->input_init = gs_init_default(gs_init_is_framework(kind) ? kind : GS_INIT_SCALED);
}

static void follow_init_bias(gs_config *config) {
  config->bias = gs_init_bias(config->init.kind, config->model);
  config->bias_std = 0;
}

static bool has_residual(const gs_config *config) { return config->residual != GS_RESIDUAL_NONE; }
static bool is_scaled(const gs_config *config) { return config->residual == GS_RESIDUAL_SCALED; }
static bool has_norm(const gs_config *config) { return config->norm != GS_NORM_NONE; }

/* What goes with something that is not there has its default, so that equal cells are equal
 * configurations. */
static void follow_residual(gs_config *config) { config->residual_activation = GS_RESIDUAL_INNER; }
static void follow_norm(gs_config *config) { config->norm_at = GS_NORM_AT_Z; }
static void follow_init_branch(gs_config *config) { config->branch_init = config->init; }

static void follow_residual_block(gs_config *config) { config->block = GS_USUAL_BLOCK; }

/* 1/sqrt of the number of blocks: the variance of the stream grows by a factor at any depth. */
static void follow_depth_scale(gs_config *config) {
  config->residual_scale = 1;
  if (!is_scaled(config)) return;
  config->residual_scale = 1 / sqrt((double)config->depth / (double)config->block);
}

/* ---- the table ---- */

#define FIELD(name) offsetof(gs_config, name)
#define MLP GS_OF_MODEL(GS_MLP)
#define RNN GS_OF_MODEL(GS_RNN)

static const gs_param table[] = {
    {.key = "model",
     .help = "of the network",
     .details = "a simple feed-forward network, or a simple recurrent one: the README's symbols "
                "define both",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_model,
     .offset = FIELD(model),
     .choices = &gs_model_names,
     .group = GS_GROUP_MODEL},
    {.key = "depth",
     .help = "layers L",
     .models = MLP,
     .type = &gs_type_size,
     .offset = FIELD(depth),
     .max = GS_MAX_DEPTH,
     .group = GS_GROUP_LENGTH,
     .letter = 'L',
     .applies = is_equal_widths},
    {.key = "width",
     .help = "units of every layer, and of input and output unless those say otherwise",
     .models = MLP,
     .type = &gs_type_size,
     .offset = FIELD(width),
     .max = GS_MAX_SIZE,
     .group = GS_GROUP_SIZE,
     .letter = 'n',
     .applies = is_equal_widths},
    {.key = "widths",
     .help = "unequal widths n_0,...,n_L instead; / between several lists",
     .details = "`[n_0, ..., n_L]`, `n_0` inputs first, instead of `depth`, `width`, `input` and "
                "`output`; a list of such lists is an axis",
     .usual = "",
     .models = MLP,
     .type = &gs_type_sizes,
     .max = GS_MAX_DEPTH,
     .group = GS_GROUP_SIZE,
     .letter = 'n',
     .instead_of = "depth width input output",
     .applies = is_unequal_widths},
    {.key = "hidden",
     .help = "hidden units n",
     .models = RNN,
     .type = &gs_type_size,
     .offset = FIELD(hidden),
     .max = GS_MAX_SIZE,
     .group = GS_GROUP_SIZE,
     .letter = 'n'},
    {.key = "input",
     .help = "units of the input x, of an rnn at each step; of an mlp usually as width",
     .details = "with `output` beside `depth` and `width`: 784-100-...-100-10 of any depth",
     .usual = "128; an mlp's width",
     .models = MLP | RNN,
     .type = &gs_type_size,
     .offset = FIELD(input),
     .max = GS_MAX_SIZE,
     .group = GS_GROUP_SIZE,
     .letter = 'x',
     .applies = has_input,
     .always = RNN,
     .follow = follow_width_input},
    {.key = "output",
     .help = "units of the last layer",
     .usual = "as width",
     .models = MLP,
     .type = &gs_type_size,
     .offset = FIELD(output),
     .max = GS_MAX_SIZE,
     .group = GS_GROUP_SIZE,
     .letter = 'y',
     .applies = has_output,
     .follow = follow_width_output},
    {.key = "seq_len",
     .help = "time steps T",
     .models = RNN,
     .type = &gs_type_size,
     .offset = FIELD(seq_len),
     .max = GS_MAX_DEPTH,
     .group = GS_GROUP_LENGTH,
     .letter = 'T'},
    {.key = "batch",
     .help = "examples B",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_size,
     .offset = FIELD(batch),
     .max = GS_MAX_SIZE,
     .group = GS_GROUP_COUNT,
     .letter = 'B'},
    {.key = "replicas",
     .help = "networks R that differ only in their random numbers",
     .details = "they are measured together, and statistics are over them",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_size,
     .offset = FIELD(replicas),
     .max = GS_MAX_REPLICAS,
     .group = GS_GROUP_COUNT,
     .letter = 'R'},
    {.key = "seed",
     .help = "of all random numbers",
     .details = "64 bits: from 2^53 on in quotes",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_seed,
     .group = GS_GROUP_SEED},
    {.key = "activation",
     .help = "of every layer",
     .details = "the README has the formulas; `{\"name\": \"leaky_relu\", \"slope\": 0.1}` and "
                "`leaky_relu:slope=0.1` say the slope, too",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_activation,
     .choices = &gs_activation_names,
     .group = GS_GROUP_KIND},
    {.key = "slope",
     .help = "of leaky_relu below zero",
     .details =
         "of whichever of `activation` and `output_activation` is `leaky_relu`: PyTorch's default",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_slope,
     .group = GS_GROUP_PART,
     .applies = is_leaky,
     .follow = follow_leaky},
    {.key = "output_activation",
     .help = "of the last layer",
     .details = "`same`: as `activation`; a leaky_relu here has the same slope",
     .usual = "as activation",
     .models = MLP,
     .type = &gs_type_output,
     .choices = &gs_activation_names,
     .group = GS_GROUP_NETWORK,
     .follow = follow_activation},
    {.key = "init",
     .help = "of the weights W; torch_default, keras_default: all that Linear and RNN, Dense and "
             "SimpleRNN set, biases and input weights included",
     .details = "for an rnn of the recurrent W; the README has the variances. `{\"name\": "
                "\"scaled\", \"sigma_w2\": 1.5}` in a file is `scaled:sigma_w2=1.5` as an option",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_init,
     .offset = FIELD(init),
     .choices = &gs_init_names,
     .group = GS_GROUP_KIND},
    {.key = "input_init",
     .help = "of the input weights U, as init",
     .details = "where `init` is a framework's name, the default is that",
     .usual = "scaled:sigma_w2=1; a framework's own",
     .models = RNN,
     .type = &gs_type_init,
     .offset = FIELD(input_init),
     .choices = &gs_init_names,
     .group = GS_GROUP_NETWORK,
     .follow = follow_init_input},
    {.key = "residual",
     .help = "connections around every block of layers",
     .details = "`plain`: a block's input is added to its branch, `scaled`: to `residual_scale` "
                "times its branch, `rezero`: to a learnable multiple of it that is 0 at the start. "
                "The input and the sums after every block are the stream, of which the record has "
                "norms and gradients, and `decades`. Blocks begin at layer 1, and what is added "
                "must be equally wide",
     .models = MLP,
     .type = &gs_type_choice,
     .offset = FIELD(residual),
     .choices = &gs_residual_names,
     .group = GS_GROUP_NETWORK,
     .later = true},
    {.key = "block",
     .help = "layers of a residual branch",
     .details = "a divisor of `depth`",
     .usual = "2",
     .models = MLP,
     .type = &gs_type_size,
     .offset = FIELD(block),
     .max = GS_MAX_DEPTH,
     .group = GS_GROUP_NETWORK,
     .goes_with = "residual",
     .applies = has_residual,
     .follow = follow_residual_block},
    {.key = "residual_scale",
     .help = "what branches are multiplied by",
     .details = "the square root is that of the number of blocks",
     .usual = "1/sqrt(depth/block)",
     .models = MLP,
     .type = &gs_type_real,
     .offset = FIELD(residual_scale),
     .group = GS_GROUP_NETWORK,
     .goes_with = "residual",
     .goes_with_value = "scaled",
     .applies = is_scaled,
     .follow = follow_depth_scale},
    {.key = "residual_activation",
     .help = "where a residual branch has its activations",
     .details = "`inner`: after every layer but the last, x + V phi(W x), and after that where a "
                "branch is one layer, x + phi(W x); `pre`: before every layer, "
                "x + V phi(W phi(x)); `post`: after every layer but the last, and after the sum, "
                "phi(x + V phi(W x))",
     .usual = "inner",
     .models = MLP,
     .type = &gs_type_choice,
     .offset = FIELD(residual_activation),
     .choices = &gs_residual_activation_names,
     .group = GS_GROUP_NETWORK,
     .goes_with = "residual",
     .applies = has_residual,
     .follow = follow_residual},
    {.key = "branch_init",
     .help = "of the last weights of every residual branch, as init",
     .details = "`zeros`: every block is the identity at the start",
     .usual = "as init",
     .models = MLP,
     .type = &gs_type_init,
     .offset = FIELD(branch_init),
     .choices = &gs_init_names,
     .group = GS_GROUP_NETWORK,
     .goes_with = "residual",
     .applies = has_residual,
     .follow = follow_init_branch},
    {.key = "norm",
     .help = "over the units (layer, rms) or over the batch, without gain and offset",
     .details = "(z - mean)/sqrt(variance + 1e-5), the variance being the mean square; `rms`: "
                "z/sqrt(mean of z^2 + 1e-5)",
     .models = MLP,
     .type = &gs_type_choice,
     .offset = FIELD(norm),
     .choices = &gs_norm_names,
     .group = GS_GROUP_NETWORK,
     .later = true},
    {.key = "norm_at",
     .help = "what is normalised",
     .details =
         "`z`: every pre-activation, h = phi(norm(z)); `h`: every layer's output, "
         "h = norm(phi(z)). With residual connections also `branch`: what every branch reads "
         "(pre-LN), `stream`: every block's sum (post-LN)",
     .usual = "z",
     .models = MLP,
     .type = &gs_type_choice,
     .offset = FIELD(norm_at),
     .choices = &gs_norm_at_names,
     .group = GS_GROUP_NETWORK,
     .goes_with = "norm",
     .applies = has_norm,
     .follow = follow_norm},
    {.key = "lsuv",
     .help = "true: every layer's weights divided by the deviation of their z",
     .details = "layer-sequential unit variance (Mishkin & Matas 2016): over all units and the "
                "network's own batch, layer after layer, until the variance is 1 to within 0.01; "
                "usually of `orthogonal` weights",
     .models = MLP,
     .type = &gs_type_flag,
     .offset = FIELD(lsuv),
     .group = GS_GROUP_NETWORK,
     .later = true},
    {.key = "tied",
     .help = "true, or false: a new W for every step",
     .details = "a control: every step has a W of its own",
     .models = RNN,
     .type = &gs_type_flag,
     .offset = FIELD(tied),
     .group = GS_GROUP_NETWORK},
    {.key = "bias_std",
     .help = "biases N(0, bias_std^2); 0: none; init: of a framework, its default",
     .details = "`init`, in a file also `null`, is the default: a framework's name brings its "
                "biases, every other name none. With `0` the network has no biases",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_bias,
     .group = GS_GROUP_NETWORK,
     .follow = follow_init_bias},
    {.key = "loss",
     .help = "summed over the batch",
     .details = "`linear`: sum of g h, g ~ N(0,1), so that dLoss/dh does not depend on the "
                "network; `mse`: 1/2 sum of (h - y)^2, y ~ N(0,1)",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_choice,
     .offset = FIELD(loss),
     .choices = &gs_loss_names,
     .group = GS_GROUP_NETWORK},
    {.key = "loss_at",
     .help = "at which steps",
     .models = RNN,
     .type = &gs_type_choice,
     .offset = FIELD(loss_at),
     .choices = &gs_loss_at_names,
     .group = GS_GROUP_NETWORK},
    {.key = "dtype",
     .help = "as far as the device has them",
     .details = "on a GPU `f16` and, from compute capability 8.0 on, `tf32` and `bf16`: stored so, "
                "multiplied exactly, summed in f32; the CPU backend skips such cells and says so",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_choice,
     .offset = FIELD(dtype),
     .choices = &gs_dtype_names},
    {.key = "range",
     .help = "no under- or overflow, or as a framework",
     .details = "`native`: exactly what a framework computes, zeros and infinities included",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_choice,
     .offset = FIELD(range),
     .choices = &gs_range_names},
    {.key = "stats",
     .help = "full has histograms of exponents",
     .details = "`off`: none, `norms`: norms and counts",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_choice,
     .offset = FIELD(stats),
     .choices = &gs_stats_names,
     .changes_no_number = true},
    {.key = "jacobian",
     .help = "true: singular values of Jacobians and Lyapunov exponents too",
     .details = "of dh^l/dh^(l-1) and dh^L/dh^0, for the first example, in float64 on the host; "
                "`dtype` f64, f32 or tf32",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_flag,
     .offset = FIELD(jacobian)},
    {.key = "launch",
     .help = "of a timed step; auto is a graph if the device can",
     .details = "`graph`: captured once, then replayed; skipped where the device has no graphs. "
                "`eager`: operation by operation. The record says which it was",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_choice,
     .offset = FIELD(launch),
     .choices = &gs_launch_names,
     .changes_no_number = true},
    {.key = "loop",
     .help = "over the time steps; persistent is one kernel for all",
     .details =
         "`steps`: operations for each; `persistent`: W is kept on the chip; skipped where device, "
         "shape or dtype do not allow it. `auto`: the device chooses, by shape and dtype alone",
     .models = RNN,
     .type = &gs_type_choice,
     .offset = FIELD(loop),
     .choices = &gs_loop_names,
     .changes_no_number = true},
    {.key = "backend",
     .help = "auto is the first GPU, or the CPU where there is none",
     .details = "never a silent fallback: every record names what it ran on",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_choice,
     .offset = FIELD(backend),
     .choices = &gs_backend_names,
     .group = GS_GROUP_LOCATION,
     .changes_no_number = true},
    {.key = "device",
     .help = "auto, or the backend's name for one",
     .details = "a GPU's index, UUID (`GPU-...`, of a part of one `MIG-...`) or PCI address; one "
                "that is asked for by name and "
                "is not there ends the run",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_text,
     .group = GS_GROUP_LOCATION,
     .changes_no_number = true},
};
_Static_assert(sizeof table / sizeof *table == GS_PARAM_COUNT, "GS_PARAM_COUNT is not the rows");

const gs_param *const gs_params = table;

int gs_param_find(const char *key) {
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    if (strcmp(gs_params[i].key, key) == 0) return i;
  }
  return -1;
}

bool gs_param_of_model(const gs_param *param, gs_model model) {
  return (param->models & GS_OF_MODEL(model)) != 0;
}

bool gs_param_of_every_model(const gs_param *param) {
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    if (!gs_param_of_model(param, (gs_model)m)) return false;
  }
  return true;
}

bool gs_param_applies(const gs_param *param, const gs_config *config) {
  if (!gs_param_of_model(param, config->model)) return false;
  if (param->always & GS_OF_MODEL(config->model)) return true;
  return !param->applies || param->applies(config);
}

bool gs_param_is_location(const char *key) {
  const int param = gs_param_find(key);
  return param >= 0 && gs_params[param].group == GS_GROUP_LOCATION;
}

gs_status gs_param_model(const cJSON *value, const gs_location *location, gs_model *model,
                         gs_error *error) {
  int choice = 0;
  GS_TRY(gs_value_choice(value, location, &gs_model_names, &choice, error));
  *model = (gs_model)choice;
  return GS_OK;
}

gs_status gs_param_usual(const gs_config *config, gs_config *usual, gs_error *error) {
  GS_TRY(gs_config_default(config->model, usual, error));
  usual->activation = config->activation;
  usual->init = config->init;
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    if (gs_param_of_model(&gs_params[i], config->model) && gs_params[i].follow) {
      gs_params[i].follow(usual);
    }
  }
  return GS_OK;
}

int gs_param_order(const int rank[GS_GROUPS], int order[GS_PARAM_COUNT]) {
  int count = 0;
  for (int r = 1; r <= GS_GROUPS; r++) {
    for (int i = 0; i < GS_PARAM_COUNT; i++) {
      if (rank[gs_params[i].group] == r) order[count++] = i;
    }
  }
  return count;
}
