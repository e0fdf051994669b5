/* What is left of a folder when the power fails: keeps, beside it, what each sync made durable. Part of shim.c's library.
 *
 * FAULT_KEPT   a folder for it; without this, nothing is kept
 *
 * All that is below FAULT_UNDER when the program starts is durable. Later, a file's bytes are those of its last sync, and a
 * folder's names those of the last sync of the folder, as POSIX has it; what was never synced is empty. FAULT_KEPT gets
 * NODE.bytes for each such file, NODE.names for each folder (a line for each name: d or f, the node, the name), and in the file
 * `root` the node of FAULT_UNDER itself. A node is an inode with the time at which it was made. run.sh puts a folder together
 * of them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"

/* Which nodes are noted. */
typedef int choice(const char *node);

static const char *kept(void) { return getenv("FAULT_KEPT"); }

/* Writes the node of a path; returns whether it is a folder, or -1 where there is nothing. */
static int node_of(const char *path, int flags, char node[NODE]) {
    struct statx found;
    if (statx(AT_FDCWD, path, flags, STATX_INO | STATX_BTIME | STATX_TYPE, &found) != 0) return -1;
    snprintf(node, NODE, "%llu-%lld.%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
        found.stx_btime.tv_nsec);
    return S_ISDIR(found.stx_mode);
}

static FILE *note(const char *node, const char *what) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s%s", kept(), node, what);
    FILE *out = fopen(path, "w");
    if (!out) {
        perror(path);
        abort();
    }
    return out;
}

static void note_bytes(const char *path, const char *node) {
    FILE *in = fopen(path, "r");
    if (!in) return;
    FILE *out = note(node, ".bytes");
    char some[1 << 16];
    for (size_t size; (size = fread(some, 1, sizeof some, in)) > 0;) fwrite(some, 1, size, out);
    fclose(out);
    fclose(in);
}

/* Notes the names in a folder, and where `which` is given, what is below it. */
static void note_folder(const char *path, const char *node, choice *which) {
    DIR *folder = opendir(path);
    if (!folder) return;
    FILE *out = !which || which(node) ? note(node, ".names") : NULL;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char below[PATH_MAX], other[NODE];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        int is_folder = node_of(below, AT_SYMLINK_NOFOLLOW, other);
        if (is_folder < 0) continue;
        if (out) fprintf(out, "%c %s %s\n", is_folder ? 'd' : 'f', other, entry->d_name);
        if (which && is_folder) note_folder(below, other, which);
        else if (which && which(other)) note_bytes(below, other);
    }
    if (out) fclose(out);
    closedir(folder);
}

static int all(const char *node) { return node != NULL; }

/* Every other node or so, not the same ones for each call that is tried. */
static int some(const char *node) {
    const char *at = getenv("FAULT_AT");
    unsigned hash = at ? (unsigned)atoi(at) * 2654435761u : 0;
    for (; *node; node++) hash = (hash ^ (unsigned char)*node) * 16777619u;
    return hash >> 16 & 1;
}

/* Notes all names that there are, and no bytes. */
static void note_names(const char *path) {
    char node[NODE];
    DIR *folder = node_of(path, 0, node) == 1 ? opendir(path) : NULL;
    if (!folder) return;
    note_folder(path, node, NULL);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char below[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        note_names(below);
    }
    closedir(folder);
}

__attribute__((constructor)) static void begin(void) {
    const char *under = getenv("FAULT_UNDER");
    char node[NODE];
    if (!kept() || !under || node_of(under, 0, node) != 1) return;
    note_folder(under, node, all);
    FILE *root = note("root", "");
    fprintf(root, "%s\n", node);
    fclose(root);
}

void durable_synced(int descriptor) {
    char link[64], path[PATH_MAX], node[NODE];
    if (!kept()) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    int is_folder = node_of(link, 0, node);
    if (length < 0 || is_folder < 0) return;
    path[length] = 0;
    if (is_folder) note_folder(path, node, NULL);
    else note_bytes(link, node);
}

void durable_lost(const char *how) {
    const char *under = getenv("FAULT_UNDER");
    char node[NODE];
    if (!kept() || node_of(under, 0, node) != 1) return;
    if (strcmp(how, "names") == 0) note_names(under);
    if (strcmp(how, "some") == 0) note_folder(under, node, some);
}
