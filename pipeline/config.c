/* config.c - the values themselves: given, by default, looked up, hashed. */
#include "pipeline/config.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "pipeline/check.h"
#include "pipeline/config_parts.h"
#include "pipeline/error.h"
#include "pipeline/text.h"

struct config *config_create(const struct config_row *rows, size_t rows_count)
{
    CHECK(rows != NULL && rows_count > 0);
    for (size_t i = 0; i < rows_count; i++) {
        CHECK(rows[i].path != NULL && strlen(rows[i].path) < CONFIG_PATH_SIZE);
        CHECK(rows[i].kind != CONFIG_CHOICE || rows[i].choices != NULL);
        for (size_t k = 0; k < i; k++) {
            CHECK(strcmp(rows[i].path, rows[k].path) != 0);
            CHECK(config_below(rows[i].path, rows[k].path) == NULL); /* value and section */
            CHECK(config_below(rows[k].path, rows[i].path) == NULL);
        }
    }
    struct config *config = calloc(1, sizeof *config);

    CHECK(config != NULL);
    config->magic = CONFIG_MAGIC;
    config->rows = rows;
    config->rows_count = rows_count;
    config->defaults = calloc(rows_count, sizeof *config->defaults);
    config->entries = calloc(CONFIG_ENTRIES_MAX, sizeof *config->entries);
    CHECK(config->defaults != NULL && config->entries != NULL);
    config->file = "configuration";
    return config;
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    CHECK_MAGIC(config, CONFIG_MAGIC);
    config->magic = 0;
    for (size_t i = 0; i < config->rows_count; i++)
        free(config->defaults[i].text);
    for (size_t i = 0; i < config->entries_count; i++) {
        free(config->entries[i].path);
        free(config->entries[i].value.text);
    }
    free(config->defaults);
    free(config->entries);
    free(config->file_copy);
    free(config);
}

const struct config_row *config_row(const struct config *config, const char *path)
{
    const struct config_row *closest = NULL;
    int                      closeness = 0;

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(path != NULL);
    for (size_t i = 0; i < config->rows_count; i++) {
        int match = config_match(config->rows[i].path, path);

        if (match > closeness) {
            closeness = match;
            closest = &config->rows[i];
        }
    }
    return closest;
}

const struct config_entry *config_entry(const struct config *config, const char *path)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(path != NULL);
    for (size_t i = 0; i < config->entries_count; i++)
        if (strcmp(config->entries[i].path, path) == 0)
            return &config->entries[i];
    return NULL;
}

bool config_is_section(const struct config *config, const char *path)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(path != NULL);
    for (size_t i = 0; i < config->rows_count; i++)
        if (config_leads_to(config->rows[i].path, path))
            return true;
    return false;
}

/* Cuts a path after so many of its parts. */
static void cut_parts(char *path, size_t parts)
{
    CHECK(path != NULL);
    CHECK(parts > 0);
    for (; *path != '\0'; path++) {
        parts -= *path == '.';
        if (parts == 0)
            break;
    }
    *path = '\0';
}

static size_t count_parts(const char *path)
{
    size_t parts = 1;

    CHECK(path != NULL);
    CHECK(*path != '\0');
    for (; *path != '\0'; path++)
        parts += *path == '.';
    return parts;
}

/* The declared path, or section, with the fewest edits, its stars filled in. */
int config_say_unknown(const struct config *config, const char *path, bool section)
{
    char   candidate[CONFIG_PATH_SIZE * 2], nearest[CONFIG_PATH_SIZE] = "";
    size_t distance = SIZE_MAX;

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(strlen(path) < CONFIG_PATH_SIZE);
    for (size_t i = 0; i < config->rows_count; i++) {
        config_instance(config->rows[i].path, path, candidate, sizeof candidate);
        candidate[CONFIG_PATH_SIZE - 1] = '\0';
        if (section)
            cut_parts(candidate, count_parts(path));
        size_t edits = text_distance(candidate, path);

        if (edits > 0 && edits < distance) {
            distance = edits;
            memcpy(nearest, candidate, sizeof nearest);
        }
    }
    (void)error_set("found no such %s, nearest is %s", section ? "section" : "setting", nearest);
    return error_add("%s", path);
}

/* Text where settings stand below: one of them shows how. */
static int say_section(const struct config *config, const char *path, const char *text)
{
    const char *example = "";

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(text != NULL);
    for (size_t i = config->rows_count; i > 0; i--)
        if (config_leads_to(config->rows[i - 1].path, path))
            example = config->rows[i - 1].path;
    (void)error_set("found \"%.64s\", accepted are settings below it, such as %s", text, example);
    return error_add("%s", path);
}

/* What no row declares one by one (a library's own settings) speaks by its name. */
bool config_is_secret(const struct config_row *row, const char *path)
{
    static const char *const words[] = {"password", "secret", "key.pem", "oauthbearer.config"};

    CHECK(row != NULL && path != NULL);
    if (row->secret)
        return true;
    for (size_t i = 0; config_ends_in_star(row->path) && i < sizeof words / sizeof words[0]; i++)
        if (strstr(path, words[i]) != NULL)
            return true;
    return false;
}

/* Paths are printed as keys, so they hold no control characters. */
static bool path_printable(const char *path)
{
    CHECK(path != NULL);
    for (int32_t code = text_next(&path); code != 0; code = text_next(&path))
        if (code < 0x20 || (code >= 0x7F && code < 0xA0))
            return false; /* TEXT_INVALID is below 0x20 too */
    CHECK(*path == '\0');
    return true;
}

int config_put(struct config *config, const char *path, const char *text, size_t line)
{
    struct config_value value;

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(path != NULL && text != NULL);
    if (strlen(path) >= CONFIG_PATH_SIZE)
        return error_set("found a path of %zu characters, accepted are %d", strlen(path),
                         CONFIG_PATH_SIZE - 1);
    if (!path_printable(path))
        return error_set("found a path with control characters, or not in UTF-8");
    const struct config_row *row = config_row(config, path);

    if (row == NULL && config_is_section(config, path))
        return say_section(config, path, text);
    if (row == NULL)
        return config_say_unknown(config, path, false);
    if (config_parse(row, text, &value) != 0)
        return error_add("%s", path);
    if (!text_valid(value.text)) {
        free(value.text);
        return error_set("%s: found bytes that are not UTF-8", path);
    }
    struct config_entry *entry = (struct config_entry *)config_entry(config, path);

    if (entry == NULL && config->entries_count == CONFIG_ENTRIES_MAX) {
        free(value.text);
        return error_set("%s: found more than %d settings", path, CONFIG_ENTRIES_MAX);
    }
    if (entry != NULL && entry->line == 0 && line > 0) {
        free(value.text); /* was checked all the same */
        return 0;
    }
    if (entry == NULL) {
        entry = &config->entries[config->entries_count++];
        *entry = (struct config_entry) {.path = strdup(path), .row = row};
        CHECK(entry->path != NULL);
    }
    free(entry->value.text);
    entry->value = value;
    entry->line = line;
    return 0;
}

/* A secret as it is would stand in the list of processes. */
static int refuse_bare_secret(const struct config_row *row, const char *path, const char *text)
{
    size_t length = strlen(text);

    CHECK(row != NULL);
    CHECK(path != NULL);
    if (length == 0 || !config_is_secret(row, path)
        || (strncmp(text, "${", 2) == 0 && strchr(text, '}') == text + length - 1))
        return 0;
    return error_set("command line: %s: found a secret that every user of this machine can read, "
                     "accepted is ${NAME} of a variable or ${file:PATH}", path);
}

int config_set(struct config *config, const char *assignment)
{
    char        path[CONFIG_PATH_SIZE];
    const char *equals = strchr(assignment, '=');

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(!config->finished);
    if (equals == NULL || equals == assignment)
        return error_set("command line: found \"%s\", accepted is path=value", assignment);
    size_t length = (size_t)(equals - assignment);
    if (length >= sizeof path)
        return error_set("command line: found a path of %zu characters, accepted are %d", length,
                         CONFIG_PATH_SIZE - 1);
    if (strlen(equals + 1) >= CONFIG_TEXT_SIZE)
        return error_set("command line: found a value of %zu characters, accepted are %d",
                         strlen(equals + 1), CONFIG_TEXT_SIZE - 1);
    memcpy(path, assignment, length);
    path[length] = '\0';
    if (config_put(config, path, equals + 1, 0) != 0)
        return error_add("command line");
    return refuse_bare_secret(config_row(config, path), path, equals + 1);
}

static int say_missing(const struct config *config, const struct config_row *row,
                       const char *path)
{
    char accepted[512];

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(path != NULL);
    config_accepted(row, accepted, sizeof accepted);
    return error_set("%s: %s: found nothing, accepted is %s", config->file, path, accepted);
}

/* A row with stars and no default has to be given for each name that is used: whoever writes
 * services.express.x must write services.express.promise too. */
static int check_instances(const struct config *config, const struct config_row *row)
{
    char section[CONFIG_PATH_SIZE], wanted[CONFIG_PATH_SIZE * 2];

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(row->path != NULL);
    (void)memccpy(section, row->path, '\0', sizeof section);
    char *last_star = strrchr(section, '*');
    CHECK(last_star != NULL);
    last_star[1] = '\0';
    for (size_t i = 0; i < config->entries_count; i++) {
        const char *path = config->entries[i].path;

        config_instance(section, path, wanted, sizeof wanted);
        if (!config_leads_to(section, path))
            continue;
        config_instance(row->path, path, wanted, sizeof wanted);
        if (config_entry(config, wanted) == NULL)
            return say_missing(config, row, wanted);
    }
    return 0;
}

static int apply_default(struct config *config, size_t index)
{
    const struct config_row *row = &config->rows[index];
    struct config_value     *value = &config->defaults[index];

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(value->text == NULL);
    if (config_entry(config, row->path) != NULL)
        return 0;
    if (row->fallback == NULL && !config_has_star(row->path))
        return say_missing(config, row, row->path);
    if (row->fallback == NULL && !config_ends_in_star(row->path))
        return check_instances(config, row);
    if (row->fallback == NULL || row->fallback[0] == '\0') { /* optional, and not given */
        value->text = strdup("");
        CHECK(value->text != NULL);
        return 0;
    }
    if (config_parse(row, row->fallback, value) != 0)
        return error_add("%s: %s: the default", config->file, row->path);
    return 0;
}

int config_finish(struct config *config)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(!config->finished);
    for (size_t i = 0; i < config->rows_count; i++)
        if (apply_default(config, i) != 0)
            return -1;
    config->finished = true;
    return 0;
}

/* The effective value; only programmers ask for what is not declared. */
static const struct config_value *look_up(const struct config *config, const char *path,
                                          unsigned kinds)
{
    const struct config_entry *entry = config_entry(config, path);
    const struct config_row   *row = entry != NULL ? entry->row : config_row(config, path);

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(config->finished);
    CHECK(row != NULL);
    CHECK((kinds >> row->kind & 1) != 0);
    if (entry != NULL)
        return &entry->value;
    CHECK(config->defaults[row - config->rows].text != NULL); /* must be given, and was not */
    return &config->defaults[row - config->rows];
}

const char *config_text(const struct config *config, const char *path)
{
    return look_up(config, path, ~0u)->text;
}

bool config_bool(const struct config *config, const char *path)
{
    int64_t value = look_up(config, path, 1u << CONFIG_BOOL)->integer;

    CHECK(value == 0 || value == 1);
    return value == 1;
}

int64_t config_integer(const struct config *config, const char *path)
{
    return look_up(config, path, 1u << CONFIG_INTEGER)->integer;
}

double config_real(const struct config *config, const char *path)
{
    return look_up(config, path, 1u << CONFIG_REAL | 1u << CONFIG_INTEGER)->real;
}

int64_t config_ms(const struct config *config, const char *path)
{
    int64_t ms = look_up(config, path, 1u << CONFIG_DURATION)->integer;

    CHECK(ms >= 0);
    return ms;
}

int64_t config_bytes(const struct config *config, const char *path)
{
    int64_t bytes = look_up(config, path, 1u << CONFIG_BYTES)->integer;

    CHECK(bytes >= 0);
    return bytes;
}

bool config_given(const struct config *config, const char *path)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(config_row(config, path) != NULL);
    return config_entry(config, path) != NULL;
}

int config_blame(const struct config *config, const char *path)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(path != NULL);
    const struct config_entry *entry = config_entry(config, path);

    (void)error_add("%s", path);
    if (entry == NULL)
        return error_add("by default");
    if (entry->line == 0)
        return error_add("command line");
    return error_add("%s:%zu", config->file, entry->line);
}

void config_each(const struct config *config, const char *prefix,
                 void (*each)(void *self, const char *rest, const char *value), void *self)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(prefix != NULL && each != NULL);
    for (size_t i = 0; i < config->entries_count; i++) {
        const char *rest = config_below(config->entries[i].path, prefix);

        if (rest != NULL)
            each(self, rest, config->entries[i].value.text);
    }
}

struct hashed {
    const char                *path;
    const struct config_row   *row;
    const struct config_value *value;
};

static int compare_paths(const void *a, const void *b)
{
    const struct hashed *one = a, *other = b;

    CHECK(one->path != NULL);
    CHECK(other->path != NULL);
    return strcmp(one->path, other->path);
}

static bool excepted(const char *path, const char *const *except)
{
    CHECK(path != NULL);
    CHECK(except == NULL || *except == NULL || **except != '\0');
    for (; except != NULL && *except != NULL; except++)
        if (strcmp(path, *except) == 0 || config_below(path, *except) != NULL)
            return true;
    return false;
}

uint64_t config_hash(const struct config *config, const char *const *except)
{
    char   text[CONFIG_TEXT_SIZE];
    size_t count = 0;

    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(config->finished);
    struct hashed *all = calloc(config->rows_count + config->entries_count, sizeof *all);
    CHECK(all != NULL);
    for (size_t i = 0; i < config->entries_count; i++)
        all[count++] = (struct hashed) {config->entries[i].path, config->entries[i].row,
                                        &config->entries[i].value};
    for (size_t i = 0; i < config->rows_count; i++)
        if (config->defaults[i].text != NULL)
            all[count++] = (struct hashed) {config->rows[i].path, &config->rows[i],
                                            &config->defaults[i]};
    qsort(all, count, sizeof *all, compare_paths);
    XXH64_hash_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        if (excepted(all[i].path, except))
            continue;
        config_canonical(all[i].row, all[i].value, text, sizeof text);
        hash = XXH64(all[i].path, strlen(all[i].path) + 1, hash); /* with the NUL: no seams */
        hash = XXH64(text, strlen(text) + 1, hash);
    }
    free(all);
    return hash;
}
