/*
 * model_impl.h: what the files of the model share, and nobody else.
 */
#ifndef MODEL_IMPL_H
#define MODEL_IMPL_H

#include "match.h"
#include "model.h"

#define MODEL_TEXT_MAX	4096	/* bytes of any text field */
#define MODEL_SHOWN_MAX	512	/* bytes of a result as a text */
#define MODEL_BOUNDS_MAX	512	/* bytes of a list of bounds */

/* for: each field of a kind, in the table's order. */
#define MODEL_EACH(f, k) \
	for ((f) = model_kinds[k].field; \
	    (f) < model_kinds[k].field + model_kinds[k].fields; (f)++)

/* Fields that are numbers, whatever their width. */
void model_put_number(const struct field *f, struct object *o, int64_t v);

#endif
