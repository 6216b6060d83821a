/* tell.h - alerts, ETAs and progress into OUTPUTS batches.
 *
 * thread: the partition's worker.
 */
#ifndef STAGES_TELL_H
#define STAGES_TELL_H

#include <stdbool.h>
#include <stdint.h>

struct alert;
struct alert_change;
struct batch;
struct eta;
struct output;
struct parcel;
struct partition;
struct scan;
struct track;

/* Is there room for all that one scan or deadline may cause?  Before any of the next. */
bool tell_room(struct track *, struct partition *);
/* A change of an alert, caused by the scan, or, NULL, by time: told at once, or, where a
 * deadline opened it, once the cut that holds it is applied. */
void tell_alert(struct track *, struct partition *, const struct parcel *,
                const struct alert *, const struct scan *);
/* Unsent changes that came in with their record: told again; the index knows them already. */
void tell_again(struct partition *, const struct parcel *);
/* Changes that are held by an applied cut are told, as there is room. */
void tell_held_alerts(struct track *, struct partition *);
/* The alert as JSON, as it is told; valid until the next of these calls. */
const struct output *tell_text(struct track *, struct partition *, const struct parcel *,
                               const struct alert_change *);
/* An estimate that the scan caused: at once, or, while the partition is behind and it is the
 * parcel's newest, with the next cut. */
void tell_eta(struct track *, struct partition *, const struct scan *, const struct eta *);
/* Estimates that wait are told when the partition has caught up, or no cut will take them. */
void tell_late_etas(struct track *, struct partition *, uint64_t now_ns);
/* The clock is about to be there: of minutes that it leaves the counts are told.  false: not
 * all, for want of room. */
bool tell_minutes(struct track *, struct partition *, int64_t clock_ms);
void tell_progress(struct track *, struct partition *, uint64_t now_ns);
/* Emits what is filled, as the budget allows; before a cut what waits for it, too. */
void tell_flush(struct track *, struct partition *, bool before_cut);
bool tell_flushed(const struct partition *);
/* A batch that was being filled, or NULL, will never be sent.  *batch = NULL. */
void tell_drop(struct track *, struct batch **batch);

#endif
