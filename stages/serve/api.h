/* api.h - what HTTP answers: one function per path, from hooks and view to JSON.
 *
 * Only http.c and api*.c include it, and the command line for its --json.  Members that are
 * not known are left out.  thread: HTTP's.
 */
#ifndef STAGES_SERVE_API_H
#define STAGES_SERVE_API_H

#include <stdint.h>

#include "stages/outlet/buffer.h"
#include "stages/serve/http.h"
#include "stages/serve/view.h"

struct api_answer {
    unsigned int  status;
    const char   *type;     /* Content-Type                                               */
    struct buffer body;
};

/* The body is empty before.  hooks: never NULL. */
void api_live(const struct serve_hooks *, struct api_answer *);
void api_ready(const struct serve_hooks *, struct api_answer *);
void api_metrics(const struct serve_hooks *, struct api_answer *);
void api_version(struct api_answer *);
void api_partitions(const struct serve_hooks *, struct api_answer *);
void api_parcel(struct view *, const char *number, struct api_answer *);
void api_alerts(struct view *, const struct view_filter *, struct api_answer *);

/* RFC 9457: {"type":"about:blank","title":…,"status":…,"detail":…} */
void api_problem(struct api_answer *, unsigned int status, const char *title,
                 const char *detail);

/* The same JSON for the command line: appended, without a newline at the end. */
void api_write_parcel(struct buffer *, const struct view_parcel *);
void api_write_alerts(struct buffer *, const struct view_alerts *);

#endif
