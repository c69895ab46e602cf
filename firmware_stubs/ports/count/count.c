/* QEMU TCG plugin: instructions by function, between the calls of ecgkd_mark_begin and ecgkd_mark_end.
 *
 *   qemu-… -d plugin -D /dev/null -plugin libcount.so,out=counts.tsv[,blocks=on][,all=on][,under=FUNCTION]
 *
 * Writes one line a function: name, tab, instructions, tab, calls (entries at its first instruction); with blocks=on
 * one line a translated block: function, address, instructions in it, times it ran; with all=on it counts from the start,
 * for programs that have no marks; with under=forward what `forward` calls is charged with all that its callees take.
 * Every instruction that is fetched counts
 * as one, also one whose condition fails. `-d plugin` makes QEMU's user mode read the symbols.
 * QEMU's own header is not needed: the few functions used are declared here as its documentation describes them. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUGIN_API
#define PLUGIN_API 1
#endif
#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
typedef void (*translated_cb)(plugin_id id, struct qemu_plugin_tb *block);
typedef void (*executed_cb)(unsigned int cpu, void *data);
typedef void (*exit_cb)(plugin_id id, void *data);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translated_cb call);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, executed_cb call, int registers,
                                                 void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id id, exit_cb call, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t i);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);

enum { NO_REGISTERS = 0 };
enum kind { ORDINARY, BEGIN, END };

struct function {
    struct function *next;
    char *name;
    uint64_t instructions, calls; /* with under= */
};

struct block {
    struct block *next;
    struct function *function;
    uint64_t address, instructions, runs;
    enum kind kind;
};

EXPORT int qemu_plugin_version = PLUGIN_API;
static struct block *blocks;
static struct function *functions, *charged;
static char *out_path, *parent;
static bool by_block;
static bool counting;

static void executed(unsigned int cpu, void *data)
{
    struct block *block = data;
    (void)cpu;
    if (block->kind == BEGIN)
        counting = true;
    else if (block->kind == END)
        counting = false;
    else if (counting)
        block->runs++;
    if (!counting || parent == NULL)
        return;
    if (strcmp(block->function->name, parent) == 0)
        charged = block->function;
    else if (charged != NULL && strcmp(charged->name, parent) == 0) {
        charged = block->function;
        charged->calls++;
    }
    if (charged != NULL)
        charged->instructions += block->instructions;
}

static struct function *named(const char *name)
{
    struct function *function;
    for (function = functions; function != NULL; function = function->next)
        if (strcmp(function->name, name) == 0)
            return function;
    function = calloc(1, sizeof *function);
    if (function == NULL || (function->name = strdup(name)) == NULL)
        abort();
    function->next = functions;
    functions = function;
    return function;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    const struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    const char *name = qemu_plugin_insn_symbol(first);
    struct block *block = calloc(1, sizeof *block);
    (void)id;
    if (block == NULL)
        abort();
    block->function = named(name != NULL && *name != 0 ? name : "?");
    block->address = qemu_plugin_insn_vaddr(first);
    block->instructions = qemu_plugin_tb_n_insns(tb);
    if (strcmp(block->function->name, "ecgkd_mark_begin") == 0)
        block->kind = BEGIN;
    else if (strcmp(block->function->name, "ecgkd_mark_end") == 0)
        block->kind = END;
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static int by_function_then_address(const void *a, const void *b)
{
    const struct block *x = *(struct block *const *)a, *y = *(struct block *const *)b;
    int order = strcmp(x->function->name, y->function->name);
    return order != 0 ? order : (x->address > y->address) - (x->address < y->address);
}

static void finished(plugin_id id, void *data)
{
    size_t n = 0, i;
    struct block *block, **sorted;
    FILE *out = fopen(out_path, "w");
    (void)id;
    (void)data;
    if (out == NULL) {
        perror(out_path);
        return;
    }
    if (parent != NULL) {
        for (const struct function *function = functions; function != NULL; function = function->next)
            if (function->instructions != 0)
                fprintf(out, "%s\t%" PRIu64 "\t%" PRIu64 "\n", function->name, function->instructions, function->calls);
        fclose(out);
        return;
    }
    for (block = blocks; block != NULL; block = block->next)
        n += block->runs != 0;
    sorted = calloc(n + 1, sizeof *sorted);
    if (sorted == NULL)
        abort();
    for (i = 0, block = blocks; block != NULL; block = block->next)
        if (block->runs != 0)
            sorted[i++] = block;
    qsort(sorted, n, sizeof *sorted, by_function_then_address);
    for (i = 0; i < n;) {
        size_t first = i;
        uint64_t total = 0, calls = 0;
        for (; i < n && sorted[i]->function == sorted[first]->function; i++) {
            total += sorted[i]->runs * sorted[i]->instructions;
            calls += sorted[i]->address == sorted[first]->address ? sorted[i]->runs : 0;
            if (by_block)
                fprintf(out, "%s\t0x%" PRIx64 "\t%" PRIu64 "\t%" PRIu64 "\n", sorted[i]->function->name,
                        sorted[i]->address, sorted[i]->instructions, sorted[i]->runs);
        }
        if (!by_block)
            fprintf(out, "%s\t%" PRIu64 "\t%" PRIu64 "\n", sorted[first]->function->name, total,
                    calls);
    }
    fclose(out);
    free(sorted);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out_path = strdup(argv[i] + 4);
        else if (strncmp(argv[i], "under=", 6) == 0)
            parent = strdup(argv[i] + 6);
        else if (strcmp(argv[i], "blocks=on") == 0)
            by_block = true;
        else if (strcmp(argv[i], "all=on") == 0)
            counting = true;
    }
    if (out_path == NULL) {
        fprintf(stderr, "count: out=FILE is missing\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
