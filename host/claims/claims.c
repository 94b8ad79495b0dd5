/* The table of claims, and what a claim's checks are collected in. */
#include "claims/claims.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const gs_claim gs_claims[] = {
    {"textbook", "What introductory texts say, one statement at a time",
     "Nielsen 2015, Neural networks and deep learning; Goodfellow, Bengio & Courville 2016, Deep "
     "learning; Zhang, Lipton, Li & Smola, Dive into deep learning; CS231n course notes",
     gs_claim_textbook},
    {"he2015", "Rectifiers want a weight variance of 2/n",
     "He, Zhang, Ren & Sun 2015, Delving deep into rectifiers, section 2.2", gs_claim_he2015},
    {"glorot2010", "Normalised initialisation keeps gradients level",
     "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural "
     "networks, section 4.2",
     gs_claim_glorot2010},
    {"saxe2014", "Orthogonal weights keep deep networks isometric",
     "Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in "
     "deep linear neural networks; Pennington, Schoenholz & Ganguli 2017, Resurrecting the sigmoid "
     "in deep learning through dynamical isometry",
     gs_claim_saxe2014},
    {"schoenholz2017", "Order, chaos, and the line between them",
     "Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, Deep information propagation, "
     "sections 3 and 4",
     gs_claim_schoenholz2017},
    {"nielsen", "Early layers of sigmoid networks learn slower",
     "Nielsen 2015, Neural networks and deep learning, chapter 5", gs_claim_nielsen},
    {"hanin2020", "Gradients of random rectifier networks are log-normal",
     "Hanin & Nica 2020, Products of many large random matrices and gradients in deep neural "
     "networks",
     gs_claim_hanin2020},
    {"pascanu2013", "A bound decides whether recurrent gradients must vanish",
     "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks, "
     "section 2.1",
     gs_claim_pascanu2013},
    {"irnn2015", "Recurrent rectifiers that start from the identity",
     "Le, Jaitly & Hinton 2015, A simple way to initialize recurrent networks of rectified "
     "linear units",
     gs_claim_irnn2015},
    {"zucchet2024", "Long memory alone makes the gradient of W explode",
     "Zucchet & Orvieto 2024, Recurrent neural networks: vanishing and exploding gradients are "
     "not the end of the story",
     gs_claim_zucchet2024},
    {"lu2019", "Rectifier networks are born dead with a known probability",
     "Lu, Shin, Su & Karniadakis 2019, Dying ReLU and initialization: theory and numerical "
     "examples",
     gs_claim_lu2019},
    {"roberts2022", "Critical tanh networks fall by a power of depth",
     "Roberts, Yaida & Hanin 2022, The principles of deep learning theory", gs_claim_roberts2022},
    {"kaiming-normal", "he_normal draws what PyTorch's kaiming_normal_ promises",
     "PyTorch, torch.nn.init.kaiming_normal_", gs_claim_kaiming_normal},
    {"keras-he-normal", "he_truncated draws what Keras's HeNormal promises",
     "Keras, keras.initializers.HeNormal", gs_claim_keras_he_normal},
};
const int gs_claim_count = sizeof gs_claims / sizeof *gs_claims;

const gs_claim *gs_claim_find(const char *name) {
  for (int i = 0; i < gs_claim_count; i++) {
    if (strcmp(name, gs_claims[i].name) == 0) return &gs_claims[i];
  }
  return NULL;
}

gs_status gs_claim_add(gs_claim_run *run, gs_check *check, gs_error *error) {
  if (run->count == run->capacity) {
    const int capacity = run->capacity ? 2 * run->capacity : 16;
    gs_check *checks = realloc(run->checks, (size_t)capacity * sizeof *checks);
    if (!checks) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %d checks", capacity);
    run->checks = checks;
    run->capacity = capacity;
  }
  if (run->falsify) check->expected = gs_expect_inside(INFINITY, -INFINITY);
  gs_check_judge(check);
  run->checks[run->count++] = *check;
  if (run->report) run->report(run->context, check);
  return GS_OK;
}

bool gs_claim_passed(const gs_claim_run *run) {
  for (int i = 0; i < run->count; i++) {
    if (!run->checks[i].passed) return false;
  }
  return run->count > 0;
}

void gs_claim_run_clear(gs_claim_run *run) {
  free(run->checks);
  run->checks = NULL;
  run->count = run->capacity = 0;
}

void gs_claim_put(gs_json_writer *w, const gs_claim *claim, const gs_claim_run *run) {
  gs_json_open_object(w, NULL);
  gs_json_open_array(w, "checks");
  for (int i = 0; i < run->count; i++) gs_check_put(w, &run->checks[i]);
  gs_json_close(w);
  gs_json_put_string(w, "name", claim->name);
  gs_json_put_string(w, "title", claim->title);
  gs_json_put_string(w, "source", claim->source);
  gs_json_put_bool(w, "passed", gs_claim_passed(run));
  gs_json_close(w);
}
