/* scenario.h - one thing that is woven; each run is a function of its seed. */
#ifndef WEAVE_SCENARIO_H
#define WEAVE_SCENARIO_H

#include <stdint.h>

struct scenario {
    const char *name;
    const char *summary;
    void      (*run)(uint64_t seed); /* says weave_fail when something was wrong */
};

extern const struct scenario scenario_link;
extern const struct scenario scenario_ledger;
extern const struct scenario scenario_drain;
extern const struct scenario scenario_pool;

#endif
