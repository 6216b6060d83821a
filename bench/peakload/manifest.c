/* manifest.c - writes the manifest. */
#include "bench/peakload/manifest.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zstd.h>

#include "bench/peakload/json.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

static bool is_secret(const char *name)
{
    static const char *const parts[] = {"password", "secret", "pem", "token"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(name, parts[i]) != NULL)
            return true;
    return strcmp(name, "sasl.jaas.config") == 0 || strcmp(name, "sasl.oauthbearer.config") == 0;
}

static void put_text(FILE *out, const char *text)
{
    json_put_text(out, text, strlen(text));
}

/* An argument; of NAME=VALUE with a secret name, the name. */
static void put_argument(FILE *out, const char *argument)
{
    char name[128];
    const char *equals = strchr(argument, '=');

    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - argument) : 0, argument);
    if (!is_secret(name)) {
        put_text(out, argument);
        return;
    }
    fprintf(out, "\"%s=***\"", name);
}

static void put_settings(FILE *out, const struct output *o)
{
    fputs(",\"rdkafka\":{", out);
    for (int i = 0; i < o->settings; i++) {
        fputs(i > 0 ? "," : "", out);
        put_text(out, o->setting[i].name);
        fputc(':', out);
        put_text(out, is_secret(o->setting[i].name) ? "***" : o->setting[i].value);
    }
    fputc('}', out);
}

static void put_cpu(FILE *out)
{
    char  line[256] = "unknown";
    FILE *in = fopen("/proc/cpuinfo", "r");

    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, "model name", 10) == 0)
            break;
    if (in != NULL)
        fclose(in);
    line[strcspn(line, "\n")] = '\0';
    put_text(out, strchr(line, ':') ? strchr(line, ':') + 2 : "unknown");
}

static void put_machine(FILE *out)
{
    struct utsname name = {0};

    uname(&name);
    fputs(",\"machine\":{\"cpu\":", out);
    put_cpu(out);
    fprintf(out, ",\"cores\":%ld,\"memory_bytes\":%lld,\"system\":\"%s %s %s\"}",
            sysconf(_SC_NPROCESSORS_ONLN),
            (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), name.sysname, name.release,
            name.machine);
}

int manifest_write(const char *file, char *const *arguments, const struct output *o)
{
    FILE *out = fopen(file, "w");
    char  when[TIME_TEXT_MAX];
    bool  failed;

    if (out == NULL)
        return say("%s: %s", file, strerror(errno));
    fprintf(out, "{\"time\":\"%.*s\",\"peakload\":\"%s\",\"librdkafka\":\"%s\",\"zstd\":\"%s\","
            "\"arguments\":[", (int)(time_write(when, wall_ms(), 0, true) - when), when,
            PEAKLINE_VERSION, rd_kafka_version_str(), ZSTD_versionString());
    for (int i = 0; arguments[i] != NULL; i++) {
        fputs(i > 0 ? "," : "", out);
        put_argument(out, arguments[i]);
    }
    fputs("],\"brokers\":", out);
    put_text(out, o->brokers);
    fputs(",\"topic\":", out);
    put_text(out, o->topic);
    put_settings(out, o);
    put_machine(out);
    fputs("}\n", out);
    failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    return failed ? say("%s: %s", file, strerror(errno)) : 0;
}
