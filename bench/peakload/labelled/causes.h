/* causes.h - why things go wrong, and what merely looks as if they did.
 *
 * Each parcel has at most one cause or one confuser.  A cause is what happens in the world; what
 * is to be told of it follows from the parcel's way, and is said by trip.h's truths as it happens.
 */
#ifndef PEAKLOAD_LABELLED_CAUSES_H
#define PEAKLOAD_LABELLED_CAUSES_H

#include <stdbool.h>

#include "bench/peakload/random.h"

enum cause {
    CAUSE_NONE,
    CAUSE_NOT_HANDED_IN,      /* the shipper forgets the parcel                              */
    CAUSE_LEFT_BEHIND,        /* its bag misses the lorry or the flight, or the lorry is late */
    CAUSE_BEHIND_BELT,        /* it falls behind a belt at the depot, and is found           */
    CAUSE_BREAKDOWN,          /* the lorry breaks down                                       */
    CAUSE_WRONG_CHUTE,        /* it goes into another city's lorry                           */
    CAUSE_SORT_PLAN,          /* two hubs send it to each other                              */
    CAUSE_INSPECTION,         /* customs open it                                             */
    CAUSE_CUSTOMS_PILE,       /* customs do not come to it                                   */
    CAUSE_UNDECLARED,         /* the shipper files the declaration late                      */
    CAUSE_NOBODY_HOME,
    CAUSE_NOBODY_COMES,       /* to the station                                              */
    CAUSE_CLOSED_AFAR,        /* the courier calls it delivered far from the address         */
    CAUSE_CLOSED_AT_DEPOT,    /* … without having taken it out                               */
    CAUSE_UNDERDECLARED,      /* its weight                                                  */
    CAUSE_NUMBER_AGAIN,       /* the shipper prints an old label                             */
    CAUSE_LABEL_TWICE,        /* … or the same one for two parcels                           */
    CAUSE_CLONED,             /* a photo of the label is scanned elsewhere                   */
    CAUSE_CLOCK_AHEAD,        /* a hand-held, or a feed that sends local time as UTC         */
    CAUSE_CLOCK_BEHIND,       /* the terminal at import customs                              */
    CAUSE_VANISHED,           /* it falls off the lorry, and is found long after             */
    CAUSE_GIVEN_UP,           /* … or declared lost                                          */
    CAUSE_CRUSHED,
    CAUSE_UNWANTED,           /* the recipient refuses it                                    */
    CAUSE_NO_SUCH_ADDRESS,
    CAUSE_RECALLED,           /* the shipper wants it back                                   */
    CAUSES
};

enum confuser {
    CONFUSER_NONE,
    CONFUSER_REROUTED,        /* legally, on its way                                         */
    CONFUSER_LATE_UPLOAD,     /* a hand-held was offline                                     */
    CONFUSER_NEAR,            /* belt scan and hand scan                                     */
    CONFUSER_TWO_FEEDS,       /* of different detail                                         */
    CONFUSER_RESENT,          /* a history sent again                                        */
    CONFUSER_RECYCLED,        /* the number, after more than 30 days                         */
    CONFUSER_LOCKER,          /* simply waits at the locker                                  */
    CONFUSER_ONE_RETURN,      /* a missed connection: back to a hub once                     */
    CONFUSER_LATE_LORRY,      /* within what is allowed                                      */
    CONFUSER_FAST_LORRY,
    CONFUSER_SCALES,          /* weighs a little else each time                              */
    CONFUSER_INJECTED,        /* the merchant brings it to the hub: no PICKUP                */
    CONFUSER_WEEKEND,         /* labelled before a weekend or holiday, collected after it    */
    CONFUSER_ECONOMY,         /* not tracked after its hand-over                             */
    CONFUSERS
};

const char *cause_name(enum cause);
const char *confuser_name(enum confuser);

/* What a parcel may meet. */
struct chances {
    bool abroad, economy;
};

enum cause    causes_choose(struct random *, struct chances);
enum confuser confusers_choose(struct random *, struct chances);

#endif
