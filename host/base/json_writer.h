/* Trees from top to bottom: a writer whose first failure sticks. After it nothing is added,
 * and the end is NULL, or an error with what there was no memory for; what had been made is
 * freed. So nothing in between has to be asked whether it went well:
 *
 *   gs_json_writer w = gs_json_writer_object();
 *   gs_json_put_string(&w, "name", name);
 *   gs_json_open_array(&w, "sizes");
 *   for (int i = 0; i < count; i++) gs_json_put_int(&w, NULL, sizes[i]);
 *   gs_json_close(&w);
 *   return gs_json_finish_as(&w, "the sizes", &tree, error);
 *
 * In an object everything has a key, which is copied; in an array the key is NULL. */
#ifndef GS_BASE_JSON_WRITER_H
#define GS_BASE_JSON_WRITER_H

#include "base/json.h"

enum { GS_JSON_WRITER_DEPTH = 16 }; /* containers inside each other; one more is a failure */

typedef struct gs_json_writer {
  cJSON *open[GS_JSON_WRITER_DEPTH]; /* the root first, last what is written to */
  int depth;
  bool failed;
} gs_json_writer;

/* A writer of a tree whose root is such a container. It ends with gs_json_finish. */
gs_json_writer gs_json_writer_object(void);
gs_json_writer gs_json_writer_array(void);

/* What is put from here on is put into a new container, until that is closed. */
void gs_json_open_object(gs_json_writer *w, const char *key);
void gs_json_open_array(gs_json_writer *w, const char *key);
void gs_json_close(gs_json_writer *w);

/* Owns the item, also when it fails; an item that is NULL is a failure. */
void gs_json_put(gs_json_writer *w, const char *key, cJSON *item);
void gs_json_put_copy(gs_json_writer *w, const char *key, const cJSON *tree);
void gs_json_put_number(gs_json_writer *w, const char *key, double value); /* gs_json_number */
void gs_json_put_int(gs_json_writer *w, const char *key, int64_t value);   /* gs_json_integer */
void gs_json_put_string(gs_json_writer *w, const char *key, const char *value); /* NULL: null */
void gs_json_put_bool(gs_json_writer *w, const char *key, bool value);
void gs_json_put_numbers(gs_json_writer *w, const char *key, const double *values, size_t count);

/* Columns that grow side by side: an empty array, put into what is open or behind the
 * elements of a column; NULL after a failure. And one number more for a column. */
cJSON *gs_json_put_column(gs_json_writer *w, const char *key);
cJSON *gs_json_append_column(gs_json_writer *w, cJSON *column);
void gs_json_append_number(gs_json_writer *w, cJSON *column, double value);

/* What is open, as far as it is written; still the writer's, NULL where it could not begin. */
const cJSON *gs_json_opened(const gs_json_writer *w);
/* GS_OK, or GS_ERR_MEMORY with "no memory for WHAT", for those who would do something
 * costly next. */
gs_status gs_json_writer_status(const gs_json_writer *w, const char *what, gs_error *error);

/* The tree, which is the caller's, or NULL after a failure. Whatever is open is closed. */
cJSON *gs_json_finish(gs_json_writer *w);
/* The end of what is not wanted any more. */
void gs_json_abandon(gs_json_writer *w);
/* The same with a status: GS_ERR_MEMORY, "no memory for WHAT", and *tree NULL. */
gs_status gs_json_finish_as(gs_json_writer *w, const char *what, cJSON **tree, gs_error *error);

/* The same onto a stream, readably (gs_json_print_pretty): what cannot be written, the stream
 * knows. */
gs_status gs_json_finish_to(gs_json_writer *w, const char *what, FILE *stream, gs_error *error);

/* A tree as one line (gs_json_print_line; malloc'd, the caller's). Frees the tree, of which
 * NULL says that there was no memory for it: GS_ERR_MEMORY, "no memory for WHAT", *line NULL. */
gs_status gs_json_take_line(cJSON *tree, const char *what, char **line, gs_error *error);

#endif
