/* stdio, directories, processes. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <snag/annotate.h>

/* right: read and closed */
int first_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -errno;
    if (!fgets(line, size, file)) {
        fclose(file);
        return -EIO;
    }
    fclose(file);
    return 0;
}

/* wrong: an empty file is not closed */
int first_line_badly(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -errno;
    if (!fgets(line, size, file))
        return -EIO; /* want: snag-leak */
    fclose(file);
    return 0;
}

/* right: opened in the condition */
int count_lines(const char *path)
{
    FILE *file;
    int lines = 0, c;
    if ((file = fopen(path, "r")) == NULL)
        return -1;
    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* wrong: a line that is too long leaves by break and return */
int count_lines_badly(const char *path)
{
    FILE *file;
    char line[64];
    int lines = 0;
    if ((file = fopen(path, "r")) == NULL)
        return -1;
    while (fgets(line, sizeof line, file)) {
        if (!strchr(line, '\n'))
            return -2; /* want: snag-leak */
        lines++;
    }
    fclose(file);
    return lines;
}

/* wrong: the copy cannot be opened */
int copy_badly(const char *from, const char *to)
{
    FILE *in = fopen(from, "r"), *out;
    char buffer[4096];
    size_t got;
    if (!in)
        return -1;
    out = fopen(to, "w");
    if (!out) {
        perror(to);
        return -1; /* want: snag-leak */
    }
    while ((got = fread(buffer, 1, sizeof buffer, in)) > 0)
        fwrite(buffer, 1, got, out);
    fclose(in);
    fclose(out);
    return 0;
}

/* right: one way out for everything */
int copy(const char *from, const char *to)
{
    FILE *in = NULL, *out = NULL;
    char buffer[4096];
    size_t got;
    int result = -1;
    in = fopen(from, "r");
    if (!in)
        goto out;
    out = fopen(to, "w");
    if (!out)
        goto out;
    while ((got = fread(buffer, 1, sizeof buffer, in)) > 0)
        if (fwrite(buffer, 1, got, out) != got)
            goto out;
    result = 0;
out:
    if (out)
        fclose(out);
    if (in)
        fclose(in);
    return result;
}

/* wrong: the label stands below the closing of one of them */
int copy_goto_badly(const char *from, const char *to)
{
    int result = -1;
    FILE *out = NULL, *in = fopen(from, "r");
    if (!in)
        return -1;
    out = fopen(to, "w");
    if (!out)
        goto done;
    if (fputc(fgetc(in), out) == EOF)
        goto done;
    result = 0;
    fclose(out);
done:
    fclose(in);
    return result; /* want: snag-leak */
}

/* right: standard input is not ours to close */
int read_any(const char *path)
{
    FILE *file = path ? fopen(path, "r") : stdin;
    if (!file)
        return -1;
    int c = fgetc(file);
    if (file != stdin)
        fclose(file);
    return c;
}

/* wrong: closed in the loop and behind it */
int closed_in_loop(const char *path)
{
    char line[100];
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file))
        if (line[0] == '!') {
            fclose(file);
            break;
        }
    fclose(file); /* want: snag-double-release */
    return 0;
}

/* right: as many as there are */
int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    if (!directory)
        return -1;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* wrong: found, and left */
int has_entry(const char *path, const char *name)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    if (!directory)
        return -1;
    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, name) == 0)
            return 1; /* want: snag-leak */
    closedir(directory);
    return 0;
}

/* right: a tree */
int tree(const char *path, int depth)
{
    char below[4096];
    DIR *directory = opendir(path);
    int count = 0;
    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        count += depth > 0 ? tree(below, depth - 1) : 1;
    }
    closedir(directory);
    return count;
}

/* wrong: what a command printed is read, the command not waited for */
int load_average(double *load)
{
    FILE *pipe = popen("uptime", "r");
    char line[200];
    if (!pipe)
        return -1;
    if (!fgets(line, sizeof line, pipe)) {
        *load = 0;
        return -1; /* want: snag-leak */
    }
    *load = strtod(strrchr(line, ':') ? strrchr(line, ':') + 1 : "0", NULL);
    return pclose(pipe);
}

/* right: scoped */
int scoped(const char *path)
{
    FILE *file SNAG_SCOPED(fclose) = fopen(path, "r");
    if (!file)
        return -1;
    if (fgetc(file) == EOF)
        return -2;
    return 0;
}

struct journal {
    FILE *file;
    char *name;
};

/* wrong: the second allocation fails, and the stream was opened for nobody */
struct journal *journal_open_badly(const char *path)
{
    struct journal *journal = malloc(sizeof *journal);
    if (!journal)
        return NULL;
    journal->file = fopen(path, "a");
    if (!journal->file) {
        free(journal);
        return NULL;
    }
    journal->name = strdup(path);
    if (!journal->name) {
        free(journal);
        return NULL; /* want: snag-leak */
    }
    return journal;
}

/* right: all or nothing */
struct journal *journal_open(const char *path)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return NULL;
    journal->file = fopen(path, "a");
    if (!journal->file)
        goto no_file;
    journal->name = strdup(path);
    if (!journal->name)
        goto no_name;
    return journal;
no_name:
    fclose(journal->file);
no_file:
    free(journal);
    return NULL;
}

/* right: through a pointer of the caller's */
int open_for_caller(const char *path, FILE **file)
{
    *file = fopen(path, "r");
    return *file ? 0 : -1;
}

/* right: two names of one stream */
int two_names(const char *path)
{
    FILE *file = fopen(path, "r"), *same = file;
    if (!file)
        return -1;
    int c = fgetc(same);
    fclose(same);
    return c;
}

/* right: told by a flag that is set with it */
int told_by_flag(const char *path, int wanted)
{
    int is_open = 0, c = 0;
    FILE *file = NULL;
    if (wanted) {
        file = fopen(path, "r");
        if (!file)
            return -1;
        is_open = 1;
    }
    if (is_open) {
        c = fgetc(file);
        fclose(file);
    }
    return c;
}

/* wrong: the flag of something else */
int told_by_wrong_flag(const char *path, int wanted, int other)
{
    int c = 0;
    FILE *file = NULL;
    if (wanted) {
        file = fopen(path, "r");
        if (!file)
            return -1;
    }
    if (wanted && other) {
        c = fgetc(file);
        fclose(file);
    }
    return c; /* want: snag-leak */
}

/* wrong: used after it was closed */
int used_after_close(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return -1;
    fputs("x", file);
    fclose(file);
    return ferror(file) ? -1 : 0; /* want: snag-use-after-release */
}
