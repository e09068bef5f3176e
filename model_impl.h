/*
 * model_impl.h: what the files of the model share, and nobody else.
 */
#ifndef MODEL_IMPL_H
#define MODEL_IMPL_H

#include "model.h"

void *model_value_at(const struct field *f, const struct object *o);
/* Bytes of a field's value in its struct; 0: a state, or computed. */
size_t model_width(const struct field *f);
/* Fields that are numbers, whatever their width. */
void model_put_number(const struct field *f, struct object *o, int64_t v);

#endif
