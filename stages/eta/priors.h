/* priors.h - what a model begins with: cells that another has learned, in a file.
 *
 * Text: a line "peakline-priors 1", then one "FIELD BYTES" a line, as a checkpoint stores them,
 * the bytes in hex.  Samples count as they did when the file was made, however long ago that was,
 * until newer ones come; they decay from then on.
 */
#ifndef STAGES_ETA_PRIORS_H
#define STAGES_ETA_PRIORS_H

#include <stdint.h>
#include <stdio.h>

struct model;
struct priors;

/* Reads and checks all of it.  NULL with the error trail: file, line, and what is wrong.
 * owns: the caller, priors_destroy.  thread: any. */
struct priors *priors_read(const char *file);
void           priors_destroy(struct priors *);
uint32_t       priors_count(const struct priors *);   /* cells */

/* The model, which knows nothing yet, begins with them: all of it is dirty. */
void priors_give(const struct priors *, struct model *);

/* All that the model knows as of now_s, but for what it has learned of its own P90s; 0, or -1 with
 * the error trail when it cannot be written. */
int priors_write(struct model *, uint32_t now_s, FILE *);

#endif
