/* A network as a list of operations over device.h.
 *
 * A model's file says which operations (mlp.c, rnn.c); an operation's file (op_*.c) declares
 * its tensors, and has two passes and a cost. From the declarations follow memory and its
 * prediction, filling and hashing (tape_memory.c), windows and statistics (tape_window.c), and
 * which tensor has which role (tape.c).
 *
 * The gradient of a value is kept as a product that has not been multiplied: delta W of the
 * operation that reads it. So the one that made it can multiply and apply phi' in one call.
 *
 * A gradient sweep needs only statistics of the backward pass, so deltas and weight gradients
 * are not kept. Going back, operations are taken in windows of K: when the deltas of a window
 * are there, its weight gradients and then its statistics are one call each. Two windows of
 * deltas take turns, so that the next may be filled while the last is still being read; one
 * window of gradients suffices. K is 1 where every layer is best dealt with in cache. */
#ifndef GS_NET_TAPE_H
#define GS_NET_TAPE_H

#include "base/arena.h"
#include "device/device.h"
#include "device/facts.h"
#include "net/cost.h"
#include "net/role.h"

typedef struct gs_tape gs_tape;
typedef struct gs_op gs_op;

/* A tensor's index in the tape's list, from 1; 0: none. */
typedef int32_t gs_handle;

/* Matrices of rows x cols one below the other: steps of a sequence, or each step's W. */
typedef struct gs_shape {
  int64_t parts, rows, cols;
} gs_shape;

/* How long a tensor lives (gradients: unless the network keeps them), and its exponents. */
enum {
  GS_KEPT = 0,
  GS_WINDOWED = 1, /* until the statistics of its window have been taken */
  GS_PASSING = 2,  /* each part until its statistics have been taken */
  GS_TRACKED = 4   /* in extended range: an exponent for each part and replica */
};

typedef struct gs_declared {
  gs_role role;
  int traits; /* of the enumeration above */
  gs_shape shape;
  int64_t index;  /* of the first part: a layer or step */
  int64_t filled; /* parts, from the first on */
  gs_fill fill;   /* of the first; the next ones draw from the streams behind it */
} gs_declared;

/* What an operation reads or makes. */
typedef struct gs_value {
  gs_handle tensor;
  int32_t op; /* that makes it, from 1; 0: it is data, nobody wants its gradient */
  int64_t units;
} gs_value;

/* dLoss/dh of a value: the sum of delta w of an operation that reads it, of dh and of what
 * else another reader gives. No value has two readers with a w. */
typedef struct gs_gradient {
  gs_handle delta, w, dh, also;
} gs_gradient;

/* What an operation does; NULL: nothing. The passes only enqueue. */
typedef struct gs_op_kind {
  void (*declare)(gs_tape *, gs_op *);
  gs_status (*forward)(const gs_tape *, const gs_op *);
  gs_status (*backward)(const gs_tape *, const gs_op *);
  void (*cost)(const gs_config *, const gs_op *, gs_cost *); /* adds its own */
} gs_op_kind;

struct gs_op {
  const gs_op_kind *kind;
  int64_t index; /* its layer, or first step; never falls from operation to operation */
  int64_t point; /* from 1: the value it makes is one of those handed from block to block; or 0 */
  gs_value x;
  gs_value branch; /* what a residual connection adds to x */
  double by;       /* that times this */
  gs_norm norm;
  bool measured; /* the value it makes is a layer's h */
  int64_t units; /* of the value that it makes */
  gs_activation phi;
  gs_handle value;      /* that value's tensor */
  gs_gradient gradient; /* of that value */
  gs_handle tensor[GS_ROLE_COUNT];
  int64_t turn; /* its number among the windowed operations; 0: it is none */
};

typedef struct gs_window {
  int64_t size;                    /* K */
  int64_t ops;                     /* how many operations are windowed */
  int64_t elements[GS_ROLE_COUNT]; /* of a replica of the role's largest windowed tensor */
  gs_handle last[GS_ROLE_COUNT];   /* the role's last one */
  char *data[GS_ROLE_COUNT];
  gs_gradient_job *gradients; /* [K] */
  gs_stats_job *statistics;   /* [K][GS_QUANTITY_COUNT] */
} gs_window;

struct gs_tape {
  gs_device *device;
  const gs_config *config;
  bool keep_gradients;
  bool measured; /* this backward pass takes statistics */
  gs_cost *cost; /* not NULL: operations add their costs, and nothing else is done */
  gs_op *ops;
  int32_t op_count;
  gs_handle tensor_count;
  gs_tensor *tensors;             /* [tensor_count + 1] */
  gs_declared *declared;          /* [tensor_count + 1] */
  gs_handle first[GS_ROLE_COUNT]; /* tensor of a role, and how many there are */
  int32_t count[GS_ROLE_COUNT];
  gs_workspace_need need;
  gs_window window;
  gs_scale *slots; /* all exponents, for begin_step */
  int64_t slot_count;
  gs_scaled *loss;                               /* [R] */
  uint64_t *hash;                                /* [R] */
  gs_quantity_stats quantity[GS_QUANTITY_COUNT]; /* in the device's memory */
  void *workspace;
};

/* ---- for the network ---- */

/* Builds the list by a model's function; device, config and keep_gradients are set. Then the
 * windows' sizes follow. Errors: GS_ERR_MEMORY, without words. gs_tape_close frees all of it, in
 * any case. */
gs_status gs_tape_build(gs_tape *tape, void (*build)(gs_tape *));
gs_status gs_window_open(gs_tape *tape);
void gs_tape_close(gs_tape *tape);
/* Carves everything from an arena, or counts it. */
void gs_tape_carve(gs_tape *tape, gs_arena *arena, size_t bytes[GS_MEMORY_COUNT]);
gs_status gs_tape_fill(const gs_tape *tape);
/* Divides weights by the deviation of what they make of the data (lsuv.c). It waits. */
gs_status gs_tape_scale_to_data(const gs_tape *tape);
gs_status gs_tape_hash(const gs_tape *tape); /* adds to `hash` */
gs_status gs_tape_forward(const gs_tape *tape);
gs_status gs_tape_backward(gs_tape *tape, bool measured);
/* By role, and layer or step where there are several; data NULL: there is none. */
gs_tensor gs_tape_find(const gs_tape *tape, gs_role role, int64_t index);

/* ---- for models ---- */

gs_value gs_tape_input(gs_tape *tape, int64_t rows, int64_t units);
/* The next operation; returns what it makes. op: its kind, index, x, units, and what its kind
 * wants to know beside those. */
gs_value gs_tape_push(gs_tape *tape, gs_op op);

/* ---- for operations ---- */

/* fill: of weights and data all parts; of an output the state before its first step; NULL:
 * none. op NULL: no operation's. */
gs_handle gs_tape_declare(gs_tape *tape, gs_op *op, gs_role role, gs_shape shape, int traits,
                          const gs_fill *fill);
/* Sizes of an operation, `elements` those of its largest state: the workspace's are the
 * largest of all. */
void gs_tape_need(gs_tape *tape, gs_workspace_need need);
/* Adds to the gradient of a value. */
void gs_tape_give(gs_tape *tape, gs_value value, gs_gradient gradient);
/* Measures a tensor as an operation's, in a role beside its own: a stream's value. */
void gs_tape_alias(gs_tape *tape, gs_op *op, gs_role role, gs_handle handle);
/* to = phi' times the gradient of the value that the operation makes; db: its column sums, or
 * NULL. phi is the identity where two others give theirs without a product. */
gs_status gs_tape_receive(const gs_tape *tape, const gs_op *op, gs_activation phi,
                          const gs_tensor *to, const gs_tensor *db);

/* A tensor, NULL for none; `count` of its parts, from the first-th (0: the first) on. */
const gs_tensor *gs_tape_at(const gs_tape *tape, gs_handle handle);
const gs_tensor *gs_tape_of(const gs_tape *tape, const gs_op *op, gs_role role);
gs_tensor gs_tape_parts(const gs_tape *tape, gs_handle handle, int64_t first, int64_t count);
/* Whether all its parts have memory of their own. */
bool gs_tape_keeps(const gs_tape *tape, gs_handle handle);

/* The end of a windowed operation's backward pass: when the window is full, its gradients
 * are computed and its statistics taken. */
gs_status gs_tape_join(const gs_tape *tape, const gs_op *op, const gs_gradient_job *job);
/* Statistics of an operation that is not: of all but what passes; of a part that does. */
gs_status gs_tape_measure(const gs_tape *tape, const gs_op *op);
gs_status gs_tape_measure_part(const gs_tape *tape, const gs_op *op, gs_role role, int64_t part);

/* ---- for carving ---- */

/* How many buffers a role's windowed tensors share; which is an operation's. */
int64_t gs_window_buffers(const gs_window *window, gs_role role);
int64_t gs_window_buffer(const gs_window *window, const gs_op *op, gs_role role);

#endif
