/* truth.c - writes the truth, a line at a time. */
#include "bench/peakload/labelled/truth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

struct truth_file {
    FILE       *out;
    const char *name;
};

struct truth_file *truth_open(const char *name)
{
    struct truth_file *f;
    FILE *out = fopen(name, "w");

    if (out == NULL) {
        say("%s: %s", name, strerror(errno));
        return NULL;
    }
    f = must(malloc(sizeof *f));
    *f = (struct truth_file) {out, name};
    return f;
}

static void put_time(FILE *out, const char *name, int64_t at_s)
{
    char text[TIME_TEXT_MAX];
    char *end = time_write(text, at_s * 1000, 0, false);

    if (at_s == 0)
        fprintf(out, ",\"%s\":null", name);
    else
        fprintf(out, ",\"%s\":\"%.*s\"", name, (int)(end - text), text);
}

void truth_write(struct truth_file *f, const char *parcel, int length, const char *cause,
                 const struct truth *t)
{
    fprintf(f->out, "{\"type\":\"%s\",\"parcel\":\"%.*s\",\"cause\":\"%s\"", t->type, length,
            parcel, cause);
    put_time(f->out, "start", t->start_s);
    put_time(f->out, "end", t->end_s);
    if (t->amount != 0)
        fprintf(f->out, ",\"amount\":%lld", (long long)t->amount);
    if (t->of != 0)
        fprintf(f->out, ",\"of\":%lld", (long long)t->of);
    if (t->usual != 0)
        fprintf(f->out, ",\"usual\":%lld", (long long)t->usual);
    if (t->border)
        fputs(",\"border\":true", f->out);
    fputs(t->may ? ",\"may\":true}\n" : "}\n", f->out);
}

void truth_confuser(struct truth_file *f, const char *parcel, int length, const char *confuser)
{
    fprintf(f->out, "{\"confuser\":\"%s\",\"parcel\":\"%.*s\"}\n", confuser, length, parcel);
}

void truth_late(struct truth_file *f, const char *parcel, int length, const char *cause,
                const struct lateness *l)
{
    fprintf(f->out, "{\"late\":\"%s\",\"parcel\":\"%.*s\"", cause, length, parcel);
    put_time(f->out, "promise", l->promise_s);
    put_time(f->out, "arrival", l->arrival_s);
    put_time(f->out, "began", l->began_s);
    fputs(l->excused ? ",\"excused\":true}\n" : "}\n", f->out);
}

int truth_close(struct truth_file *f, const struct tally *t)
{
    int failed;

    if (t != NULL)
        fprintf(f->out, "{\"tally\":{\"parcels\":%llu,\"scans\":%llu,\"repeats\":%llu,"
                "\"near\":%llu,\"caused\":%llu,\"confused\":%llu}}\n",
                (unsigned long long)t->parcels, (unsigned long long)t->scans,
                (unsigned long long)t->repeats, (unsigned long long)t->near,
                (unsigned long long)t->caused, (unsigned long long)t->confused);
    failed = ferror(f->out) != 0;
    failed |= fclose(f->out) != 0;
    if (failed)
        say("%s: not all could be written", f->name);
    free(f);
    return failed ? -1 : 0;
}
