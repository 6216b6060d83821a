/* explain.h - why a parcel is expected when it is: which level of the model answers, out of how
 * many samples, and how likely it takes how long.
 *
 * Asked of the cells that the partition's last checkpoint stored, by the code that asks them at
 * each scan.
 */
#ifndef STAGES_SERVE_EXPLAIN_H
#define STAGES_SERVE_EXPLAIN_H

#include "stages/eta/estimate.h"
#include "stages/eta/model.h"
#include "stages/serve/view.h"

struct explanation {
    struct estimate  estimate;  /* as of the partition's clock; known = false: nothing to say  */
    struct quantiles left;      /* P10, P50 and P90 since the scan that gave the state, as the
                                   histograms have them                                    */
};

/* VIEW_FOUND, or VIEW_FAILED with the error trail.  thread: the view's. */
enum view_result explain_parcel(struct view *, const struct config *, const struct view_parcel *,
                                struct explanation *);

#endif
