/* model_store.h - a model as fields of one hash: what a checkpoint writes and a restart reads.
 *
 * A cell stored and restored is the same to the last bit.  thread: the model's.
 */
#ifndef STAGES_ETA_MODEL_STORE_H
#define STAGES_ETA_MODEL_STORE_H

#include "stages/eta/model.h"

enum { MODEL_CELL_BYTES_MAX = 296, MODEL_FIELD_MAX = 24,
       MODEL_FIELDS_MAX = 2 * MODEL_LEVELS + 2 };

/* Checkpoint: the cells changed since the last model_clean, packed; `field` names the cell.
 * First those that are gone (HDEL), `bytes` NULL: one may have come back since. */
struct model_changes {
    uint32_t gone, set;     /* how many calls of either kind model_dirty_each will make        */
};
struct model_changes model_changes(const struct model *);
void model_dirty_each(struct model *, void (*each)(void *self, const char *field,
                      size_t field_length, const uint8_t *bytes, size_t length), void *self);
void model_clean(struct model *);
/* All cells will be stored with the next checkpoint. */
void model_mark_all(struct model *);
/* All that is known, as of now_s, for a model of any partition to begin with (priors.h): by
 * model_dirty_each's calls. */
void model_export(const struct model *, uint32_t now_s, void (*each)(void *self,
                  const char *field, size_t field_length, const uint8_t *bytes, size_t length),
                  void *self);
/* The fields of all that an outlook of this key may ask: what to restore to answer it alone. */
void model_fields(const struct model *, struct model_key, void (*each)(void *self,
                  const char *field, size_t field_length), void *self);
/* 0; -1 with the error trail: not a cell this binary knows.  Cells of older formats had other
 * keys: they are left out, and gone with the next checkpoint. */
int  model_restore(struct model *, const char *field, size_t field_length,
                   const uint8_t *bytes, size_t length);

#endif
