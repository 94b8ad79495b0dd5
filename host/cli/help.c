/* The program's help. The parameters come from the table that reads them, so
 * that none can be missing. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "net/param.h"
#include "sweep/build.h"
#include "sweep/require.h"

enum { HELP_COLUMNS = 100, HELP_BYTES = 1024 };

void gs_version_print(FILE *stream) {
  const char *commit = gs_build_commit();
  (void)fprintf(stream, "gradsweep %s (", gs_build_version());
  if (commit) {
    (void)fprintf(stream, "commit %.12s%s, ", commit, gs_build_dirty() ? ", dirty" : "");
  }
  (void)fprintf(stream, "%s)\n", gs_build_flags());
}

void gs_help_print(FILE *stream) {
  (void)fputs(
      "Usage: gradsweep run SWEEP.json|mlp|rnn [options]   measure a sweep of deep networks\n"
      "       gradsweep theory SWEEP.json|mlp|rnn [options]   predict it without running it\n"
      "       gradsweep reproduce CLAIM...|all [options]   published claims, checked here\n"
      "       gradsweep info [options]                     the device, its libraries and limits\n"
      "       gradsweep --version\n"
      "\n"
      "Measures how gradients vanish and explode with depth and sequence length, and\n"
      "how fast. gradsweep run --help lists every option and parameter, gradsweep theory\n"
      "--help what a prediction takes.\n"
      "\n"
      "Exit codes: 0 all cells ok or some skipped, all claims reproduced; 1 a claim was not;\n"
      "2 cells failed, timed out or crashed, or all were skipped; 3 what --require asks for is\n"
      "not met; 64 wrong usage; 65 bad input data; 69 the asked-for device is not there; 70, 71\n"
      "internal or device error; 74 output error; 128+n signal n.\n",
      stream);
}

void gs_help_reproduce_print(FILE *stream) {
  (void)fputs(
      "Usage: gradsweep reproduce CLAIM...|all [options]\n"
      "       gradsweep reproduce --list\n"
      "\n"
      "Checks published claims about gradients on this device. Each check has the statement,\n"
      "its source, the set-up, the number expected and where it comes from, the number\n"
      "measured with its 95 % confidence interval, and whether the two agree: to within what\n"
      "chance does once in 10,000 times and the stated allowance, or, for a range, with that\n"
      "much to either side inside it. Where a statement is true only in part, it is said when.\n"
      "\n"
      "Options:\n"
      "  --list               print the claims' names and titles, run nothing\n"
      "  --json               one JSON document instead of text\n"
      "  --seed N             of all random numbers (1)\n"
      "  --backend B          auto, cpu, cuda (auto)\n"
      "  --device NAME        auto, or the backend's name for one (auto)\n"
      "  --threads N          of the cpu backend, at most; 0: as many as may run here (0)\n"
      "  --help\n"
      "\n"
      "Exit code 0: every check passes; 1: some do not.\n",
      stream);
}

void gs_help_info_print(FILE *stream) {
  (void)fputs("Usage: gradsweep info [--backend auto|cpu|cuda] [--device NAME]\n"
              "\n"
              "Shows this build, the device that a run with the same options would use, and\n"
              "the device's limits, measured now. auto is the first GPU where there is one,\n"
              "else the CPU; a GPU's name is its index, its UUID or its PCI address.\n",
              stream);
}

/* Words from column `indent` on, in lines of at most HELP_COLUMNS. */
static void print_wrapped(FILE *stream, const char *words, int indent) {
  int column = indent;
  for (const char *word = words; *word; word += strspn(word, " ")) {
    const int length = (int)strcspn(word, " ");
    const bool first = word == words;
    if (!first && column + 1 + length > HELP_COLUMNS) {
      (void)fprintf(stream, "\n%*s", indent, "");
      column = indent;
    } else if (!first) {
      column += fprintf(stream, " ");
    }
    column += fprintf(stream, "%.*s", length, word);
    word += length;
  }
  (void)fputs("\n", stream);
}

static void print_parameters(FILE *stream) {
  for (int i = 1; i < GS_PARAM_COUNT; i++) { /* 0 is the model itself */
    const gs_param *param = &gs_params[i];
    char words[HELP_BYTES];
    char models[HELP_BYTES];
    gs_line line = gs_line_in(words, sizeof words);
    gs_line where = gs_line_in(models, sizeof models);
    for (int m = 0; m < GS_MODEL_COUNT; m++) {
      if (!gs_param_of_model(param, (gs_model)m)) continue;
      gs_line_add(&where, "%s%s", where.length > 0 ? "," : "", gs_name(&gs_model_names, m));
    }
    gs_param_add_help(param, &line);
    const int indent = fprintf(stream, "  --%-18s %-3s ", param->key,
                               gs_param_of_every_model(param) ? "" : models);
    print_wrapped(stream, words, indent);
  }
}

void gs_help_run_print(FILE *stream) {
  (void)fputs(
      "Usage: gradsweep run SWEEP.json [options]\n"
      "       gradsweep run mlp|rnn [parameters] [options]\n"
      "\n"
      "Options:\n"
      "  --out DIR            where the results go (results/local/NAME-DATE)\n"
      "  --resume             continue the run in DIR: do what is missing or went wrong\n"
      "  --overwrite          replace the run in DIR\n"
      "  --list               print the cells' ids and names, run nothing\n"
      "  --filter REGEX       only cells whose name matches (POSIX extended), or whole ids\n"
      "  --dry-run            print each cell's memory, arithmetic and time, run nothing\n"
      "  --timeout S          a cell may take so long (600)\n"
      "  --time-limit S       timing of a cell stops here; 0: no timing (the sweep's, or 1, or\n"
      "                       twice the least time if that is more)\n"
      "  --min-time S         but not before its samples took so long (the sweep's, or 0.5)\n"
      "  --min-samples N      ... and are so many (the sweep's, or 10)\n"
      "  --interleave R       time all cells in R rounds, each in a random order; from 9 on\n"
      "                       Google Benchmark's compare.py tells chance from change\n"
      "  --order-seed N       of these orders (1)\n"
      "  --memory-limit BYTES cells that need more are skipped; k, M, G, T may follow\n"
      "  --threads N          of the cpu backend, at most; 0: as many as may run here (0)\n"
      "  --max-points N       longer layer axes are thinned in the record (1024)\n"
      "  --threshold DECADES  what counts as vanishing or exploding (1)\n"
      "  --identify           a GPU's UUID and PCI address go into the results, too\n"
      "  --require WHAT       otherwise the exit code is 3; commas between several, or again:\n",
      stream);
  gs_requirements_print_help(stream);
  (void)fputs("  --quiet              no progress on the standard error\n"
              "  --help\n"
              "\n"
              "Parameters of a cell, in a sweep file and, with run mlp and run rnn, as options;\n"
              "several values with commas between them are an axis (defaults in brackets). In\n"
              "options - and _ are the same. --backend and --device go with a sweep file, too.\n"
              "\n",
              stream);
  print_parameters(stream);
}

void gs_help_theory_print(FILE *stream) {
  (void)fputs(
      "Usage: gradsweep theory SWEEP.json [options]\n"
      "       gradsweep theory mlp|rnn [parameters] [options]\n"
      "\n"
      "Predicts what gradsweep run would measure, without running it: decades of delta (rms\n"
      "over networks, typical of one, spread between them), the depth scale, and, for a single\n"
      "cell, the norms of every layer or step. It says how far the prediction can be trusted.\n"
      "\n"
      "Options:\n"
      "  --json               JSON instead of tables, with every quantity of every cell\n"
      "  --points N           longer layer axes are thinned (17; with --json 1024)\n"
      "  --realised           rnn: also spectral radius and largest singular value of the\n"
      "                       recurrent matrices that the seed draws\n"
      "  --help\n"
      "\n"
      "Parameters, as for gradsweep run:\n"
      "\n",
      stream);
  print_parameters(stream);
}
