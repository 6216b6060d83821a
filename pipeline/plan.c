/* plan.c - the topology table: what may be wrong with it, how it expands, as a drawing. */
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/graph_parts.h"

static const char *const runner_names[] = {"in", "worker", "out"};

enum { RUNNERS = sizeof runner_names / sizeof runner_names[0], ROWS_MAX = GRAPH_STAGES_MAX };

static bool is_worker(const struct graph_stage *row)
{
    CHECK(row != NULL);
    CHECK(row->runner != NULL);
    return strcmp(row->runner, "worker") == 0;
}

size_t plan_find(const struct graph_plan *plan, const char *name)
{
    CHECK(plan != NULL);
    CHECK(name != NULL);
    for (size_t i = 0; i < plan->stages_count; i++)
        if (strcmp(plan->stages[i].type->name, name) == 0)
            return i;
    return SIZE_MAX;
}

uint32_t plan_copies(const struct graph_plan *plan, size_t row)
{
    CHECK(row < plan->stages_count);
    CHECK(plan->workers >= 1);
    return plan->stages[row].copies == 0 ? plan->workers : 1;
}

const char *plan_kind(const struct graph_plan *plan, uint16_t kind)
{
    CHECK(plan != NULL);
    CHECK(kind < BATCH_KINDS_MAX);
    return plan->kinds != NULL && plan->kinds[kind] != NULL ? plan->kinds[kind] : "?";
}

bool plan_joins(const struct graph_plan *plan, const struct graph_link *link,
                uint32_t from_copy, uint32_t to_copy)
{
    size_t from = plan_find(plan, link->from), to = plan_find(plan, link->to);

    CHECK(from != SIZE_MAX && to != SIZE_MAX);
    CHECK(from_copy < GRAPH_WORKERS_MAX && to_copy < GRAPH_WORKERS_MAX);
    const struct graph_stage *a = &plan->stages[from], *b = &plan->stages[to];
    bool paired = a->copies == 0 && b->copies == 0 && is_worker(a) && is_worker(b);
    return !paired || from_copy == to_copy;
}

/* Links that leave (or reach) one copy of a row. */
static uint32_t count_joined(const struct graph_plan *plan, const struct graph_link *link,
                             bool from_end)
{
    uint32_t count = 0;
    size_t   far = plan_find(plan, from_end ? link->to : link->from);

    CHECK(far != SIZE_MAX);
    CHECK(plan->workers >= 1);
    for (uint32_t copy = 0; copy < plan_copies(plan, far); copy++)
        count += from_end ? plan_joins(plan, link, 0, copy) : plan_joins(plan, link, copy, 0);
    return count;
}

uint32_t plan_links(const struct graph_plan *plan)
{
    uint32_t count = 0;

    CHECK(plan != NULL);
    for (size_t i = 0; i < plan->links_count; i++) {
        size_t from = plan_find(plan, plan->links[i].from);

        CHECK(from != SIZE_MAX);
        count += plan_copies(plan, from) * count_joined(plan, &plan->links[i], true);
    }
    return count;
}

static int check_stage(const struct graph_plan *plan, size_t row)
{
    const struct graph_stage *stage = &plan->stages[row];
    bool                      known = false;

    CHECK(stage->type != NULL && stage->type->name != NULL);
    CHECK(stage->runner != NULL);
    const struct stage_type *type = stage->type;
    for (size_t i = 0; i < RUNNERS; i++)
        known = known || strcmp(stage->runner, runner_names[i]) == 0;
    if (!known)
        return error_set("stage %s: runner is %s; it may be in, worker or out", type->name,
                         stage->runner);
    if (plan_find(plan, type->name) != row)
        return error_set("stage %s stands twice in the table", type->name);
    if (stage->copies > 1)
        return error_set("stage %s: copies is %d; it may be 1, or 0 for one per worker",
                         type->name, stage->copies);
    if (strlen(type->name) + sizeof ".16" > STAGE_NAME_SIZE)
        return error_set("stage %s: its name is too long", type->name);
    if (type->outputs_max > 0 && type->burst == 0)
        return error_set("stage %s has outputs but a burst of 0", type->name);
    if (type->inputs_max > 0 && type->on_batch == NULL)
        return error_set("stage %s has inputs but no on_batch", type->name);
    return 0;
}

static bool is_power_of_two(uint32_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

static int check_link(const struct graph_plan *plan, const struct graph_link *link)
{
    CHECK(link->from != NULL);
    CHECK(link->to != NULL);
    size_t from = plan_find(plan, link->from);

    if (from == SIZE_MAX)
        return error_set("link %s→%s: there is no stage %s", link->from, link->to, link->from);
    if (plan_find(plan, link->to) == SIZE_MAX)
        return error_set("link %s→%s: there is no stage %s", link->from, link->to, link->to);
    if (link->kind >= BATCH_KINDS_MAX
        || (plan->kinds != NULL && plan->kinds[link->kind] == NULL))
        return error_set("link %s→%s: there is no batch kind %d", link->from, link->to,
                         link->kind);
    if (!is_power_of_two(link->depth))
        return error_set("link %s→%s: depth is %u; it has to be a power of two", link->from,
                         link->to, link->depth);
    uint32_t burst = plan->stages[from].type->burst;
    if (link->depth < burst || link->outstanding_max < burst)
        return error_set("link %s→%s: %s emits up to %u batches at once, but depth is %u and "
                         "outstanding_max %u",
                         link->from, link->to, link->from, burst, link->depth,
                         link->outstanding_max);
    return 0;
}

static int check_count(const char *name, const char *what, uint32_t count, uint32_t least,
                       uint32_t most)
{
    CHECK(name != NULL);
    CHECK(what != NULL);
    if (count < least || count > most)
        return error_set("stage %s has %u %s; it takes %u to %u", name, count, what, least,
                         most);
    return 0;
}

static int check_counts(const struct graph_plan *plan, size_t row)
{
    const struct stage_type *type = plan->stages[row].type;
    uint32_t                 inputs = 0, outputs = 0;

    CHECK(type != NULL);
    CHECK(plan_find(plan, type->name) == row);
    for (size_t i = 0; i < plan->links_count; i++) {
        const struct graph_link *link = &plan->links[i];

        if (strcmp(link->from, type->name) == 0)
            outputs += count_joined(plan, link, true);
        if (strcmp(link->to, type->name) == 0)
            inputs += count_joined(plan, link, false);
    }
    if (check_count(type->name, "inputs", inputs, type->inputs_min, type->inputs_max) != 0)
        return -1;
    return check_count(type->name, "outputs", outputs, type->outputs_min, type->outputs_max);
}

/* Says which rows make the circle: from one that is left, forward, until one is met twice.
 * Each row that is left has a predecessor that is left, so the walk goes backwards. */
static int name_cycle(const struct graph_plan *plan, const bool left[ROWS_MAX])
{
    size_t path[ROWS_MAX + 1], length = 0, row = 0;
    bool   seen[ROWS_MAX] = {false};
    char   text[512] = "";
    size_t used = 0;

    CHECK(plan->stages_count <= ROWS_MAX);
    while (!left[row])
        row++;
    CHECK(row < plan->stages_count);
    while (!seen[row]) {
        seen[row] = true;
        path[length++] = row;
        for (size_t i = 0; i < plan->links_count; i++) {
            size_t from = plan_find(plan, plan->links[i].from);

            if (plan_find(plan, plan->links[i].to) == row && left[from]) {
                row = from;
                break;
            }
        }
    }
    for (size_t i = length; used < sizeof text; i--) {
        size_t step = i == length ? row : path[i];
        int    more = snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? "→" : "",
                               plan->stages[step].type->name);

        used += (size_t)more;
        if (i < length && step == row)
            break;
    }
    return error_set("the links %s go round in a circle, so it could never drain", text);
}

/* Takes away rows that nothing left leads to, until none is left, or a cycle is. */
static int check_cycle(const struct graph_plan *plan)
{
    bool   left[ROWS_MAX];
    size_t left_count = plan->stages_count;
    bool   progress = true;

    CHECK(plan->stages_count <= ROWS_MAX);
    CHECK(plan->stages_count > 0);
    memset(left, true, sizeof left);
    while (progress) {
        progress = false;
        for (size_t row = 0; row < plan->stages_count; row++) {
            bool fed = false;

            for (size_t i = 0; i < plan->links_count && left[row]; i++)
                fed = fed || (plan_find(plan, plan->links[i].to) == row
                              && left[plan_find(plan, plan->links[i].from)]);
            if (!left[row] || fed)
                continue;
            left[row] = false;
            left_count--;
            progress = true;
        }
    }
    return left_count == 0 ? 0 : name_cycle(plan, left);
}

int plan_check(const struct graph_plan *plan)
{
    uint32_t copies = 0;

    CHECK(plan != NULL);
    CHECK(plan->links != NULL || plan->links_count == 0);
    if (plan->stages_count == 0 || plan->stages_count > ROWS_MAX)
        return error_set("%zu stages; there may be 1 to %d", plan->stages_count, ROWS_MAX);
    if (plan->workers < 1 || plan->workers > GRAPH_WORKERS_MAX)
        return error_set("%u workers; there may be 1 to %d", plan->workers, GRAPH_WORKERS_MAX);
    for (size_t row = 0; row < plan->stages_count; row++) {
        if (check_stage(plan, row) != 0)
            return -1;
        copies += plan_copies(plan, row);
    }
    if (copies > GRAPH_STAGES_MAX)
        return error_set("%u stages with their copies; there may be %d", copies,
                         GRAPH_STAGES_MAX);
    for (size_t i = 0; i < plan->links_count; i++)
        if (check_link(plan, &plan->links[i]) != 0)
            return -1;
    for (size_t row = 0; row < plan->stages_count; row++)
        if (check_counts(plan, row) != 0)
            return -1;
    return check_cycle(plan);
}

void graph_print(const struct graph_plan *plan, FILE *file)
{
    CHECK(plan != NULL);
    CHECK(file != NULL);
    fprintf(file, "digraph pipeline {\n    rankdir=LR;\n    node [shape=box];\n");
    for (size_t r = 0; r < RUNNERS; r++) {
        bool many = strcmp(runner_names[r], "worker") == 0 && plan->workers > 1;

        fprintf(file, "    subgraph cluster_%s {\n        label=\"%s", runner_names[r],
                runner_names[r]);
        if (many)
            fprintf(file, " × %u", plan->workers);
        fprintf(file, "\";\n");
        for (size_t i = 0; i < plan->stages_count; i++)
            if (strcmp(plan->stages[i].runner, runner_names[r]) == 0)
                fprintf(file, "        \"%s\";\n", plan->stages[i].type->name);
        fprintf(file, "    }\n");
    }
    for (size_t i = 0; i < plan->links_count; i++)
        fprintf(file, "    \"%s\" -> \"%s\" [label=\"%s\\n%u of %u\"];\n", plan->links[i].from,
                plan->links[i].to, plan_kind(plan, plan->links[i].kind), plan->links[i].depth,
                plan->links[i].outstanding_max);
    fprintf(file, "}\n");
}
