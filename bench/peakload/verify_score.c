/* verify_score.c - counts and compares. */
#include "bench/peakload/verify_score.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/thresholds.h"

enum { FORESEE_BEFORE_S = 24 * 3600, FORESEEN_BEFORE_S = 12 * 3600 };
static const double undecided_from = 0.8, band_above = 1.5;
static const double share_of_p90 = 0.10, share_of_p50 = 0.50, tolerance = 0.05;
#define AT_RISK "promise-at-risk"

bool score_counts(const struct truth_table *t, int type)
{
    return t->type[type][0] != '(' && strcmp(t->type[type], AT_RISK) != 0;
}

static void count_entry(const struct truth_table *t, const struct entry *e, struct score *s)
{
    const char *type = t->type[e->type];
    int band = !e->happened || e->magnitude < 1 ? BAND_BELOW
             : e->magnitude < band_above ? BAND_NEAR : BAND_ABOVE;

    if (e->happened) {
        s->band_planted[band]++;
        s->band_found[band] += e->told;
    }
    if (band != BAND_BELOW) {
        s->planted++;
        s->found += e->told;
        s->missed += !e->told;
        s->unresolved += e->told && e->open && e->end_s != 0 && !thresholds_endless(type);
        return;
    }
    if (!e->told || e->may)
        return;
    if (e->happened && thresholds_learned(type) && e->magnitude >= undecided_from)
        s->undecided++;
    else
        s->told_for_nothing++;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

/* How long after it was enough the median one was told. */
static double median_delay(const struct truth_table *t, int type, uint64_t found)
{
    int64_t *delay = must(malloc(sizeof *delay * (found + 1))), median;
    uint64_t count = 0;

    for (size_t i = 0; i < t->slots; i++) {
        const struct entry *e = &t->entry[i];

        if (e->subject[0] != '\0' && e->type == type && e->happened && e->told &&
            e->magnitude >= 1 && count < found)
            delay[count++] = e->told_s - e->start_s - e->after_s;
    }
    qsort(delay, count, sizeof *delay, by_value);
    median = count > 0 ? delay[count / 2] : 0;
    free(delay);
    return (double)median;
}

void score_types(const struct truth_table *t, struct score score[TYPES_MAX])
{
    memset(score, 0, sizeof *score * TYPES_MAX);
    for (size_t i = 0; i < t->slots; i++)
        if (t->entry[i].subject[0] != '\0' && score_counts(t, t->entry[i].type))
            count_entry(t, &t->entry[i], &score[t->entry[i].type]);
    for (int type = 0; type < t->types; type++)
        score[type].delay_s = median_delay(t, type, score[type].found);
}

static int find_type(const struct truth_table *t, const char *name)
{
    for (int i = 0; i < t->types; i++)
        if (strcmp(t->type[i], name) == 0)
            return i;
    return -1;
}

static void count_flag(const struct truth_table *t, const struct entry *e, int late,
                       struct forecast *f)
{
    const struct entry *is_late = late < 0 ? NULL : truth_table_find(t, e->subject, late);

    f->flagged += !e->warning;
    f->flagged_late += !e->warning && is_late != NULL;
    f->warned += e->warning;
    f->warned_late += e->warning && is_late != NULL;
}

/* Whether somebody could have known a day before, and was told half a day before. */
static void count_late(const struct truth_table *t, const struct entry *e, int at_risk,
                       struct forecast *f)
{
    const struct entry *flag = at_risk < 0 ? NULL : truth_table_find(t, e->subject, at_risk);

    if (e->excused || e->began_s == 0 || e->began_s > e->start_s - FORESEE_BEFORE_S)
        return;
    f->late++;
    f->foreseen += flag != NULL && flag->told && flag->told_s <= e->start_s - FORESEEN_BEFORE_S;
}

struct forecast score_forecast(const struct truth_table *t)
{
    int at_risk = find_type(t, AT_RISK), late = find_type(t, TYPE_LATE);
    struct forecast f = {0};

    for (size_t i = 0; i < t->slots; i++) {
        const struct entry *e = &t->entry[i];

        if (e->subject[0] == '\0')
            continue;
        if (e->type == at_risk && e->told)
            count_flag(t, e, late, &f);
        if (e->type == late)
            count_late(t, e, at_risk, &f);
    }
    return f;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 1 : (double)part / (double)whole;
}

double score_precision(const struct score *s)
{
    return share(s->found, s->found + s->told_for_nothing);
}

double score_recall(const struct score *s)
{
    return share(s->found, s->planted);
}

bool score_passes(const struct truth_table *t, int type, const struct score *s,
                  const struct limits_of_score *l)
{
    double least = thresholds_learned(t->type[type]) ? l->least_learned : l->least;

    return score_precision(s) >= least && score_recall(s) >= least && s->unresolved == 0;
}

bool forecast_passes(const struct forecast *f, const struct limits_of_score *l)
{
    return !l->forecasts ||
           (share(f->flagged_late, f->flagged) >= share_of_p90 - tolerance &&
            share(f->warned_late, f->warned) >= share_of_p50 - tolerance &&
            share(f->foreseen, f->late) >= l->foreseen);
}

static const char *delay_text(double seconds, char text[16])
{
    if (seconds < 120)
        snprintf(text, 16, "%.0f s", seconds);
    else if (seconds < 7200)
        snprintf(text, 16, "%.0f min", seconds / 60);
    else
        snprintf(text, 16, "%.1f h", seconds / 3600);
    return text;
}

static void print_type(const struct truth_table *t, int type, const struct score *s,
                       const struct limits_of_score *l, FILE *out)
{
    char text[16];

    fprintf(out, "%-20s %7llu %7llu %7llu %7llu  %7.4f %7.4f  %9s %8llu  %5llu/%-5llu %5llu/%-5llu "
            "%5llu/%-5llu%s\n", t->type[type], (unsigned long long)s->planted,
            (unsigned long long)s->found, (unsigned long long)s->missed,
            (unsigned long long)s->told_for_nothing, score_precision(s), score_recall(s),
            delay_text(s->delay_s, text), (unsigned long long)s->unresolved,
            (unsigned long long)s->band_found[BAND_BELOW],
            (unsigned long long)s->band_planted[BAND_BELOW],
            (unsigned long long)s->band_found[BAND_NEAR],
            (unsigned long long)s->band_planted[BAND_NEAR],
            (unsigned long long)s->band_found[BAND_ABOVE],
            (unsigned long long)s->band_planted[BAND_ABOVE],
            score_passes(t, type, s, l) ? "" : "  below its limit");
}

/* What was told for nothing of parcels that only looked like trouble. */
static void print_confusers(const struct truth_table *t, FILE *out)
{
    uint64_t parcels[TYPES_MAX] = {0}, told[TYPES_MAX] = {0};
    int confuser = find_type(t, TYPE_CONFUSER);

    for (size_t i = 0; confuser >= 0 && i < t->slots; i++) {
        const struct entry *e = &t->entry[i], *c;

        if (e->subject[0] == '\0')
            continue;
        if (e->type == confuser)
            parcels[e->confuser - 1]++;
        else if (score_counts(t, e->type) && e->told && !e->happened && !e->may &&
                 (c = truth_table_find(t, e->subject, confuser)) != NULL)
            told[c->confuser - 1]++;
    }
    fprintf(out, "\n%-20s %7s %7s\n", "confuser", "parcels", "told");
    for (int i = 0; i < t->confusers; i++)
        fprintf(out, "%-20s %7llu %7llu\n", t->confuser[i], (unsigned long long)parcels[i],
                (unsigned long long)told[i]);
}

static void print_forecast(const struct forecast *f, const struct limits_of_score *l, FILE *out)
{
    fprintf(out, "\n%s: flagged %llu, late of them %.3f (stated: 0.10 or more); warned of %llu, "
            "late %.3f (0.50 or more);\n  late for a cause a day before: %llu, told half a day "
            "before: %.3f%s\n", AT_RISK, (unsigned long long)f->flagged,
            share(f->flagged_late, f->flagged), (unsigned long long)f->warned,
            share(f->warned_late, f->warned), (unsigned long long)f->late,
            share(f->foreseen, f->late), forecast_passes(f, l) ? "" : "  below its limit");
}

void score_print(const struct truth_table *t, const struct score score[TYPES_MAX],
                 const struct forecast *f, const struct limits_of_score *l, FILE *out)
{
    fprintf(out, "%-20s %7s %7s %7s %7s  %7s %7s  %9s %8s  %11s %11s %11s\n", "type", "planted",
            "found", "missed", "false", "precis.", "recall", "delay", "unresol.", "below 1",
            "1 to 1.5", "beyond");
    for (int type = 0; type < t->types; type++)
        if (score_counts(t, type))
            print_type(t, type, &score[type], l, out);
    print_confusers(t, out);
    print_forecast(f, l, out);
}

void score_print_json(const struct truth_table *t, const struct score score[TYPES_MAX],
                      const struct forecast *f, FILE *out)
{
    const char *comma = "";

    fputs(",\"types\":{", out);
    for (int type = 0; type < t->types; type++) {
        const struct score *s = &score[type];

        if (!score_counts(t, type))
            continue;
        fprintf(out, "%s\"%s\":{\"planted\":%llu,\"found\":%llu,\"missed\":%llu,\"false\":%llu,"
                "\"precision\":%.4f,\"recall\":%.4f,\"delay_s\":%.0f,\"unresolved\":%llu}", comma,
                t->type[type], (unsigned long long)s->planted, (unsigned long long)s->found,
                (unsigned long long)s->missed, (unsigned long long)s->told_for_nothing,
                score_precision(s), score_recall(s), s->delay_s,
                (unsigned long long)s->unresolved);
        comma = ",";
    }
    fprintf(out, "},\"at_risk\":{\"flagged\":%llu,\"flagged_late\":%llu,\"warned\":%llu,"
            "\"warned_late\":%llu,\"late\":%llu,\"foreseen\":%llu}",
            (unsigned long long)f->flagged, (unsigned long long)f->flagged_late,
            (unsigned long long)f->warned, (unsigned long long)f->warned_late,
            (unsigned long long)f->late, (unsigned long long)f->foreseen);
}
