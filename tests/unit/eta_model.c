/* eta_model.c - learning, shrinking, forgetting; and that a restart changes no bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "stages/eta/model_store.h"

enum { T0 = 1793577600, HOUR = 3600, DAY = 86400, STORED_MAX = 4096 };

static const double probabilities[3] = {0.1, 0.5, 0.9};

static struct model *model_of(uint32_t cells_max, uint32_t half_life_s)
{
    return model_create(&(struct model_settings) {
        .cells_max = cells_max, .half_life_s = half_life_s, .shrink = 10});
}

/* One that has learned for so long that every sample counts as one. */
static struct model *old_model_of(uint32_t cells_max, uint32_t half_life_s)
{
    uint8_t       times[8] = {0, 0, 0, 0, 1};
    struct model *m = model_of(cells_max, half_life_s);

    assert_int_equal(model_restore(m, "m", 1, times, sizeof times), 0);
    return m;
}

static double median(const struct model *m, struct model_key key, uint32_t now_s)
{
    struct quantiles q = model_ask(m, MODEL_REMAINING, key, 0, probabilities, now_s);

    assert_true(q.known);
    return q.p[1];
}

static void learn(struct model *m, struct model_key key, uint32_t seconds, int times,
                  uint32_t now_s)
{
    for (int i = 0; i < times; i++)
        model_learn(m, MODEL_REMAINING, key, seconds + (uint32_t)i % 1000, now_s);
}

static void nothing_learned_is_unknown(void **state)
{
    struct model *m = model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    assert_false(model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0).known);
    assert_false(model_outlook(m, key, 0, T0).known);
    assert_int_equal(model_dwell_s(m, key), 0);
    learn(m, key, DAY, 1, T0);
    assert_true(model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0).known);
    assert_true(model_outlook(m, key, 0, T0).known);
    assert_false(model_ask(m, MODEL_DWELL, key, 0, probabilities, T0).known);
    model_destroy(m);
}

/* P_child = (c_child + w P_parent) / (n_child + w): a lane with n samples of its own, whose
 * parents all say something else, has mass n / (n + 10) of its own. */
static void shrunk_towards_the_parent(void **state)
{
    (void)state;
    for (int own = 0; own <= 40; own += 4) {
        struct model *m = old_model_of(64, 60 * DAY);
        struct model_key common = {1, 2, 3, 8}, lane = {1, 2, 3, 9};

        learn(m, common, DAY, 100000, T0);
        learn(m, lane, 10 * DAY, own, T0);
        double share = own / (own + 10.0);
        struct quantiles q = model_ask(m, MODEL_REMAINING, lane, 0,
                                       (double[]) {share * 0.5, 0.5, 1 - share * 0.5}, T0);

        if (own > 0) { /* the middle of its own mass lies at 10 days, of the rest at one */
            assert_true(q.p[2] > 9 * DAY && q.p[2] < 12 * DAY);
            assert_int_equal(q.level, 3);
        } else {
            assert_int_equal(q.level, 2);
        }
        assert_true((q.p[1] > 2 * DAY) == (share > 0.5));
        model_destroy(m);
    }
}

static void samples_and_support(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);
    struct model_key common = {1, 2, 3, 8}, lane = {1, 2, 3, 9};

    (void)state;
    learn(m, common, DAY, 1000, T0);
    learn(m, lane, DAY, 2, T0);
    struct quantiles q = model_ask(m, MODEL_REMAINING, lane, 0, probabilities, T0);

    assert_true(fabs(q.samples - 2) < 1e-3);
    assert_true(q.support > 800 && q.support < 1002);
    q = model_ask(m, MODEL_REMAINING, lane, 0, probabilities, T0 + 60 * DAY);
    assert_true(fabs(q.samples - 1) < 0.02); /* one half-life later, to a 64th of it */
    model_destroy(m);
}

static void newer_samples_weigh_more(void **state)
{
    struct model *m = old_model_of(64, DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    learn(m, key, DAY, 100, T0);
    learn(m, key, 4 * DAY, 20, T0 + 5 * DAY); /* 100 of then are 3 of now */
    assert_true(median(m, key, T0 + 5 * DAY) > 3 * DAY);
    for (uint32_t era = 1; era < 12; era++) { /* across eras nothing jumps */
        learn(m, key, DAY, 3, T0 + era * 16 * DAY);
        assert_true(median(m, key, T0 + era * 16 * DAY) < 2 * DAY);
    }
    model_destroy(m);
}

static void elapsed_time_conditions(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    for (uint32_t days = 1; days <= 10; days++)
        learn(m, key, days * DAY, 1000, T0);
    for (uint32_t days = 0; days < 10; days++) {
        struct quantiles q = model_ask(m, MODEL_REMAINING, key, days * DAY, probabilities, T0);
        double wanted = (days + 10) / 2.0 * DAY;

        assert_true(q.p[0] >= days * DAY);
        if (!(fabs(q.p[1] - wanted) < 0.2 * wanted + 0.5 * DAY))
            fail_msg("after %u days the median is %g days", days, q.p[1] / DAY);
    }
    struct quantiles q = model_ask(m, MODEL_REMAINING, key, 30 * DAY, probabilities, T0);

    assert_true(q.p[1] > 31 * DAY); /* longer than anything seen: not due at once */
    model_destroy(m);
}

static void heavy_cells_still_learn(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    learn(m, key, DAY, 3000000, T0);
    learn(m, key, 4 * DAY, 3100000, T0);
    assert_true(median(m, key, T0) > 2 * DAY);
    model_destroy(m);
}

/* What a scan is answered is what the histograms say, as of an eighth of their samples ago. */
static void an_outlook_is_the_histograms(void **state)
{
    static const double asked[3] = {0.5, 0.9, 0.9};
    struct model *m = old_model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    for (uint32_t i = 1; i <= 500; i++) {
        uint32_t seconds = i * 7919 % 500 * DAY / 100;

        learn(m, key, seconds, 1, T0);
        model_learn(m, MODEL_DWELL, key, seconds, T0);
        struct outlook   o = model_outlook(m, key, 0, T0);
        struct quantiles q = model_ask(m, MODEL_REMAINING, key, 0, asked, T0);

        assert_int_equal(o.level, q.level);
        assert_int_equal(o.raw_s, o.p90_s); /* nothing was judged */
        if (i > 60 && (fabs(o.p50_s - q.p[0]) > 0.1 * q.p[0]
                       || fabs(o.p90_s - q.p[1]) > 0.1 * q.p[1]))
            fail_msg("after %u: %u and %u for %g and %g", i, o.p50_s, o.p90_s, q.p[0], q.p[1]);
        assert_true((model_dwell_s(m, key) > 0) == (i >= 50) || (i > 20 && i < 60));
    }
    assert_in_range(model_dwell_s(m, key), 4 * DAY, 6 * DAY);
    assert_true(model_outlook(m, key, 4 * DAY, T0).p50_s > 4 * DAY); /* not due now */
    model_destroy(m);
}

/* In a world of ten days, half of what takes nine days has not ended yet: what has counts for
 * more, so that the median is that of what began. */
static void long_ones_stand_for_those_under_way(void **state)
{
    struct model *m = model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    learn(m, key, HOUR, 1, T0);
    assert_int_equal(model_age_s(m, T0), 0);
    assert_int_equal(model_age_s(m, T0 + DAY), DAY);
    for (uint32_t day = 1; day <= 10; day++) { /* each day 100 of 1 day begin and 100 of 6 days */
        learn(m, key, DAY, 100, T0 + day * DAY);
        if (day > 6)
            learn(m, key, 6 * DAY, 100, T0 + day * DAY);
    }
    struct quantiles q = model_ask(m, MODEL_REMAINING, key, 0,
                                   (double[]) {0.3, 0.6, 0.9}, T0 + 10 * DAY);

    assert_true(q.p[0] < 1.5 * DAY && q.p[1] > 5 * DAY && q.p[2] > 5 * DAY);
    assert_true(q.samples > 1600 && q.samples < 3000); /* 1,400 have ended */
    model_destroy(m);
}

/* Whatever the histograms' P90 is off by, the one told comes to be right nine times of ten. */
static void a_p90_is_judged(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};
    uint32_t late = 0, seed = 1;

    (void)state;
    learn(m, key, DAY, 1000, T0);
    for (int i = 0; i < 4000; i++) { /* far wider than what it learned from */
        struct outlook o = model_outlook(m, key, 0, T0);

        seed = seed * 1664525 + 1013904223;
        uint32_t took_s = (uint32_t)(-log(((seed >> 8) + 0.5) / 16777216.0) * DAY);

        late += i >= 1000 && took_s > o.p90_s;
        model_judge(m, key.service, key.code, o.raw_s, took_s);
    }
    assert_in_range(late, 210, 330); /* of 3,000 */
    key.code = 3;
    assert_int_equal(model_outlook(m, key, 0, T0).raw_s, model_outlook(m, key, 0, T0).p90_s);
    model_destroy(m);
}

/* ── Stored and restored ─────────────────────────────────────────────────────────────── */

struct stored {
    uint32_t count;
    struct { char field[48]; size_t length; uint8_t bytes[MODEL_CELL_BYTES_MAX]; }
    list[STORED_MAX];
};

static void store(void *self, const char *field, size_t field_length, const uint8_t *bytes,
                  size_t length)
{
    struct stored *s = self;
    uint32_t       i = 0;

    assert_true(field_length < sizeof s->list[0].field && length <= MODEL_CELL_BYTES_MAX);
    while (i < s->count && (strncmp(s->list[i].field, field, field_length) != 0
                            || s->list[i].field[field_length] != '\0'))
        i++;
    if (bytes == NULL) {
        if (i < s->count)
            s->list[i] = s->list[--s->count];
        return;
    }
    assert_true(i < STORED_MAX);
    s->count += i == s->count;
    memcpy(s->list[i].field, field, field_length);
    s->list[i].field[field_length] = '\0';
    s->list[i].length = length;
    memcpy(s->list[i].bytes, bytes, length);
}

static struct model_changes changes; /* as counted by the calls */

static void count(void *self, const char *field, size_t field_length, const uint8_t *bytes,
                  size_t length)
{
    (void)self, (void)field, (void)field_length, (void)length;
    assert_true(bytes != NULL || changes.set == 0); /* what is gone comes first */
    changes.gone += bytes == NULL;
    changes.set += bytes != NULL;
}

static void checkpoint(struct model *m, struct stored *s)
{
    struct model_changes said = model_changes(m);

    changes = (struct model_changes) {0};
    model_dirty_each(m, count, NULL);
    assert_int_equal(said.gone, changes.gone);
    assert_int_equal(said.set, changes.set);
    model_dirty_each(m, store, s);
    model_clean(m);
}

static struct model *restart(struct stored *s, uint32_t cells_max, uint32_t half_life_s,
                             bool backwards)
{
    struct model *m = model_of(cells_max, half_life_s);

    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t k = backwards ? s->count - 1 - i : i;

        if (model_restore(m, s->list[k].field, strlen(s->list[k].field), s->list[k].bytes,
                          s->list[k].length) != 0)
            fail_msg("%s: %s", s->list[k].field, error_text());
    }
    return m;
}

static int by_field(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_same(struct stored *a, struct stored *b)
{
    qsort(a->list, a->count, sizeof a->list[0], by_field);
    qsort(b->list, b->count, sizeof b->list[0], by_field);
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_string_equal(a->list[i].field, b->list[i].field);
        assert_int_equal(a->list[i].length, b->list[i].length);
        assert_memory_equal(a->list[i].bytes, b->list[i].bytes, a->list[i].length);
    }
}

static struct model_key random_key(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint32_t r = (uint32_t)(*seed >> 33);

    return (struct model_key) {(uint8_t)(r % 2), (uint8_t)(r / 2 % 3 + 1), r / 6 % 4,
                               r / 24 % 30 * (r / 720 % 30) / 20};
}

/* One model goes through; the other is stored, dropped and restored ever so often, at other
 * times checkpointed without a restart.  Far more keys than cells, hours passing: cells are
 * dropped and made again.  Both must end the same to the last bit. */
static void a_restart_changes_no_bit(void **state)
{
    enum { CELLS = 64, HALF_LIFE = 2 * DAY, ROUNDS = 60000 };
    struct model *through = model_of(CELLS, HALF_LIFE), *stopping = model_of(CELLS, HALF_LIFE);
    struct stored *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    uint64_t seed = 42;
    uint32_t most = 0;

    (void)state;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct model_key key = random_key(&seed);
        uint32_t seconds = (uint32_t)(seed >> 40) % 3000000, now_s = T0 + i * 67;
        enum model_family family = seed >> 35 & 1 ? MODEL_DWELL : MODEL_REMAINING;

        model_learn(through, family, key, seconds, now_s);
        model_learn(stopping, family, key, seconds, now_s);
        model_judge(through, key.service, key.code, HOUR, seconds);
        model_judge(stopping, key.service, key.code, HOUR, seconds);
        most = model_cells(through) > most ? model_cells(through) : most;
        if (i % 997 == 0)
            checkpoint(stopping, b);
        if (i % 3989 == 0) {
            checkpoint(stopping, b);
            model_destroy(stopping);
            stopping = restart(b, CELLS, HALF_LIFE, i % 2 == 0);
        }
        if (i % 101 == 0) {
            struct quantiles p = model_ask(through, family, key, 7, probabilities, now_s);
            struct quantiles q = model_ask(stopping, family, key, 7, probabilities, now_s);

            assert_memory_equal(p.p, q.p, sizeof p.p);
            assert_true(p.samples == q.samples && p.level == q.level);
            struct outlook a_look = model_outlook(through, key, 7, now_s);
            struct outlook b_look = model_outlook(stopping, key, 7, now_s);

            assert_true(a_look.p50_s == b_look.p50_s && a_look.p90_s == b_look.p90_s);
            assert_int_equal(model_dwell_s(through, key), model_dwell_s(stopping, key));
        }
    }
    assert_int_equal(most, CELLS + 3); /* it was full, so cells were dropped */
    checkpoint(through, a);
    checkpoint(stopping, b);
    assert_same(a, b);
    assert_int_equal(a->count, model_cells(through) + 2); /* two services' factors, times */
    model_destroy(through);
    model_destroy(stopping);
    free(a);
    free(b);
}

static void only_the_changed_are_stored(void **state)
{
    struct model *m = model_of(64, DAY);
    struct stored *s = calloc(1, sizeof *s);

    (void)state;
    learn(m, (struct model_key) {1, 2, 3, 4}, DAY, 100, T0);
    checkpoint(m, s);
    assert_int_equal(s->count, 5); /* four levels, and the first lesson's time */
    s->count = 0;
    checkpoint(m, s);
    assert_int_equal(s->count, 0);
    learn(m, (struct model_key) {1, 2, 3, 5}, DAY, 1, T0);
    checkpoint(m, s);
    assert_int_equal(s->count, 4);
    model_destroy(m);
    free(s);
}

/* A finer cell would say what its parent says until that has as many samples as it counts for. */
static void finer_cells_wait_for_their_parents(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    for (int i = 1; i <= 40; i++) {
        learn(m, key, DAY, 1, 60 * DAY * 300u); /* when a sample weighs the least unit */
        int level = model_ask(m, MODEL_REMAINING, key, 0, probabilities, 60 * DAY * 300u).level;

        assert_int_equal(level, i <= 10 ? 1 : i <= 20 ? 2 : 3);
    }
    model_destroy(m);
}

static void the_coldest_go_and_parents_remember(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);

    (void)state;
    learn(m, (struct model_key) {1, 2, 3000, 1000}, DAY, 30, T0);
    for (name_id place = 1; place <= 200; place++)
        learn(m, (struct model_key) {1, 2, 3000, place}, DAY, place <= 10 ? 5 : 1, T0);
    assert_int_equal(model_cells(m), 67);
    learn(m, (struct model_key) {1, 2, 3000, 999}, DAY, 1, T0 + 6 * HOUR);
    assert_true(model_cells(m) <= 52);
    for (name_id place = 1; place <= 10; place++) {
        struct model_key key = {1, 2, 3000, place};

        assert_int_equal(model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0).level, 3);
    }
    struct model_key gone = {1, 2, 3000, 150};
    struct quantiles q = model_ask(m, MODEL_REMAINING, gone, 0, probabilities, T0);

    assert_int_equal(q.level, 2);
    assert_true(q.samples > 200);
    model_destroy(m);
}

static void more_may_be_restored_than_cells_max(void **state)
{
    struct model *m = old_model_of(1000, 60 * DAY);
    struct stored *s = calloc(1, sizeof *s);

    (void)state;
    learn(m, (struct model_key) {1, 2, 3000, 1000}, DAY, 30, T0);
    for (name_id place = 1; place <= 500; place++)
        learn(m, (struct model_key) {1, 2, 3000, place}, DAY, 1, T0);
    checkpoint(m, s);
    model_destroy(m);
    m = restart(s, 64, 60 * DAY, false);
    assert_int_equal(model_cells(m), 506);
    learn(m, (struct model_key) {1, 2, 3000, 7}, DAY, 1, T0 + 6 * HOUR);
    assert_true(model_cells(m) <= 52);
    model_destroy(m);
    free(s);
}

static void another_half_life_keeps_what_is_known(void **state)
{
    struct model *m = old_model_of(64, 60 * DAY);
    struct stored *s = calloc(1, sizeof *s);
    struct model_key key = {1, 2, 3, 4};

    (void)state;
    learn(m, key, DAY, 120, T0);
    checkpoint(m, s);
    double samples = model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0).samples;

    assert_true(samples > 90);
    model_destroy(m);
    m = restart(s, 64, 7 * DAY, false);
    struct quantiles q = model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0);

    assert_true(fabs(q.samples - samples) < 0.02 * samples);
    q = model_ask(m, MODEL_REMAINING, key, 0, probabilities, T0 + 7 * DAY);
    assert_true(fabs(q.samples - samples / 2) < 0.02 * samples);
    model_destroy(m);
    free(s);
}

/* Cells of formats 1 and 2 had other keys: nothing is read of them, and they are deleted. */
static void cells_of_older_formats_go(void **state)
{
    static const char *const fields[] = {"r.0.0.0.0.0", "d.3.0.2.3.4", "r.2.0.31.1048575.0"};
    struct model  *m = model_of(64, 60 * DAY);
    struct stored *s = calloc(1, sizeof *s);
    uint8_t        bytes[40] = {2, 9}, hour[4] = {1};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(model_restore(m, fields[i], strlen(fields[i]), bytes, sizeof bytes), 0);
        store(s, fields[i], strlen(fields[i]), bytes, sizeof bytes);
    }
    assert_int_equal(model_restore(m, "m", 1, hour, sizeof hour), 0);
    assert_int_equal(model_cells(m), 3);
    assert_int_equal(model_changes(m).gone, 3);
    checkpoint(m, s);
    assert_int_equal(s->count, 0);
    assert_int_equal(model_changes(m).gone, 0);
    assert_int_equal(model_restore(m, fields[0], strlen(fields[0]), bytes, sizeof bytes), 0);
    model_destroy(m); /* not yet deleted */
    free(s);
}

/* Cells are of texts, not of a dictionary's numbers; nearness and areas say more. */
static void keys_are_of_what_names_mean(void **state)
{
    struct names *names = names_create(), *others = names_create();
    struct model *m = model_create(&(struct model_settings) {
        .cells_max = 64, .half_life_s = 60 * DAY, .shrink = 1, .names = names});
    struct model *other = model_create(&(struct model_settings) {
        .cells_max = 64, .half_life_s = 60 * DAY, .shrink = 1, .names = others});
    struct stored *s = calloc(1, sizeof *s);
    static const struct { const char *place, *dest; uint8_t level; } rows[] = {
        {"SP-7", "RJ-20100", 4}, {"SP-9", "RJ-20199", 4}, {"SP-9", "RJ-30199", 3},
        {"MG-1", "RJ-20100", 2}, {"SP-7", "BA-20100", 1}, {"RJ-1", "RJ-20100", 0},
        {"RJ-20100", "RJ-20100", 0}, {"", "RJ-20100", 0}, {"SP-7", "", 0}};
    struct model_key key = {.code = 2};

    (void)state;
    key.place = names_intern(names, NAME_PLACE, "SP-7", 4);
    key.dest = names_intern(names, NAME_PLACE, "RJ-20100", 8);
    learn(m, key, DAY, 100, T0);
    checkpoint(m, s);
    for (uint32_t i = 0; i < s->count; i++)
        assert_int_equal(model_restore(other, s->list[i].field, strlen(s->list[i].field),
                                       s->list[i].bytes, s->list[i].length), 0);
    (void)names_intern(others, NAME_PLACE, "another", 7);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        key.place = names_intern(others, NAME_PLACE, rows[i].place, strlen(rows[i].place));
        key.dest = names_intern(others, NAME_PLACE, rows[i].dest, strlen(rows[i].dest));
        if (model_outlook(other, key, 0, T0).level != rows[i].level)
            fail_msg("%s to %s: level %u", rows[i].place, rows[i].dest,
                     model_outlook(other, key, 0, T0).level);
    }
    model_destroy(m);
    model_destroy(other);
    names_destroy(names);
    names_destroy(others);
    free(s);
}

static void nonsense_is_refused(void **state)
{
    struct model *m = model_of(64, DAY);
    struct stored *s = calloc(1, sizeof *s);
    static const char *const fields[] = {
        "", "x", "r3", "r3.", "r3.0123", "q3.0123456789abcde3", "r3.0123456789abcde2",
        "r7.0123456789abcde7", "d3.0123456789abcde3", "r3.0123456789ABCDE3", "m", "f.", "f.x",
        "r3.0123456789abcde3 ", "r3.00000123456789abcde3", "f.256", "f.1"};

    (void)state;
    learn(m, (struct model_key) {1, 2, 3, 4}, DAY, 100, T0);
    checkpoint(m, s);
    assert_int_equal(s->count, 5);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        assert_int_equal(model_restore(m, fields[i], strlen(fields[i]), s->list[0].bytes,
                                       s->list[0].length), -1);
    const char *field = s->list[0].field;

    for (size_t length = 0; length < s->list[0].length; length++)
        assert_int_equal(model_restore(m, field, strlen(field), s->list[0].bytes, length), -1);
    s->list[0].bytes[0] = 99;
    assert_int_equal(model_restore(m, field, strlen(field), s->list[0].bytes,
                                   s->list[0].length), -1);
    assert_true(error_text()[0] != '\0');
    error_clear();
    model_destroy(m);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_learned_is_unknown),
        cmocka_unit_test(shrunk_towards_the_parent),
        cmocka_unit_test(samples_and_support),
        cmocka_unit_test(newer_samples_weigh_more),
        cmocka_unit_test(elapsed_time_conditions),
        cmocka_unit_test(heavy_cells_still_learn),
        cmocka_unit_test(an_outlook_is_the_histograms),
        cmocka_unit_test(long_ones_stand_for_those_under_way),
        cmocka_unit_test(a_p90_is_judged),
        cmocka_unit_test(keys_are_of_what_names_mean),
        cmocka_unit_test(a_restart_changes_no_bit),
        cmocka_unit_test(only_the_changed_are_stored),
        cmocka_unit_test(finer_cells_wait_for_their_parents),
        cmocka_unit_test(the_coldest_go_and_parents_remember),
        cmocka_unit_test(more_may_be_restored_than_cells_max),
        cmocka_unit_test(another_half_life_keeps_what_is_known),
        cmocka_unit_test(cells_of_older_formats_go),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
