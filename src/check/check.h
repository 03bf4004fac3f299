/* check.h: the parts of `snag check`; the command itself is cli/check.c.
 *
 *   table      what resources there are            table.c
 *   commands   what is compiled, and how           database.c
 *   jobs       processes side by side, bounded     jobs.c
 *   unit       one file after the preprocessor     tokens.c, unit.c
 *   model      the same with every making and releasing spelled for an analyzer
 *                                                  model.h, prologue.c
 *   tools      what each is asked and answers      clang.c, gcc.c,
 *                                                  cppcheck.c, spatch.c
 *   findings   one list, without duplicates        findings.c, sarif.c
 *
 * All memory lives until the command ends, which is soon: nothing is freed but what
 * is large and made once a file. */
#ifndef SNAG_CHECK_CHECK_H
#define SNAG_CHECK_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define RELEASERS_MAX 8

/* ---- memory and text: text.c ---- */

/* These end the program with one line when there is no memory. */
void *checked_alloc(size_t size);
void *checked_grow(void *memory, size_t size);
char *text_copy(const char *text, size_t length);
__attribute__((format(printf, 1, 2))) char *text_format(const char *format, ...);
/* The whole file with a 0 behind it; NULL and errno. */
char *text_read(const char *path, size_t *length);
/* False after a line on stderr. */
bool text_write(const char *path, const char *text, size_t length);
/* A '*' in PATTERN stands for any text. */
bool text_matches(const char *pattern, const char *text);
bool is_word_character(char c);
/* NAME in the text, not as a part of a longer word. */
const char *text_find_word(const char *text, const char *name);

struct list {
    void **items;
    size_t count;
};
void list_add(struct list *list, void *item);
bool list_has_text(const struct list *list, const char *text);

/* ---- table: table.c ---- */

enum where { BY_RETURN, BY_ARGUMENT, BY_OBJECT };
enum fails {
    FAILS_NULL,
    FAILS_MINUS_ONE,
    FAILS_MAP_FAILED,
    FAILS_NONZERO,
    FAILS_NEGATIVE,
    FAILS_ZERO
};

struct releaser {
    const char *name;
    int argument;
};

struct resource {
    const char *maker;
    enum where where;
    int argument; /* where it is stored, or the object; 0: returned */
    int count;    /* how many are stored there */
    bool is_number;
    enum fails fails;
    struct releaser releasers[RELEASERS_MAX];
    int releaser_count;
    int takes; /* an argument, or 0 */
    bool takes_number;
    bool takes_always; /* also when it fails */
    int when_argument; /* or 0 */
    const char *when_value;
    bool annotated; /* SNAG_RELEASED_BY in the project's own source */
};

struct table {
    struct list resources; /* struct resource; a later row of the same maker wins */
    struct list takes;     /* struct releaser */
    struct list keeps;     /* the same, when they return 0 */
    struct list borrows;   /* patterns */
    struct list ends;      /* patterns */
};

/* Adds the rows of a file. False after a line on stderr that says which line is wrong, and how. */
bool table_read(struct table *table, const char *path);
/* "FUNCTION:ARGUMENT" behind a declaration of MAKER. */
void table_annotate(struct table *table, const char *maker, bool is_number, const char *releaser,
                    int argument);
const struct resource *table_maker(const struct table *table, const char *name);
/* The first row that NAME releases, and by which argument. */
const struct resource *table_releaser(const struct table *table, const char *name, int *argument);
bool table_taken(const struct table *table, const char *name, int argument);
int table_kept(const struct table *table, const char *name); /* an argument, or 0 */
bool table_borrows(const struct table *table, const char *name);
bool table_ends(const struct table *table, const char *name);

/* ---- compile_commands.json: database.c ---- */

struct compilation {
    const char *directory;
    const char *file;     /* absolute */
    struct list options;  /* those that say what is compiled: -D, -I, -std and the like */
    const char *standard; /* "-std=...", or NULL */
};

/* Adds what is compiled in C. False after a line on stderr. SKIPPED counts other languages. */
bool database_read(const char *build, struct list *compilations, size_t *skipped);

/* ---- processes: jobs.c ---- */

struct job {
    struct list arguments; /* ends with NULL once started */
    const char *directory;
    const char *output; /* files that its stdout and stderr go to; NULL: nowhere */
    const char *errors;
    int status; /* as from waitpid; -1: it did not start or was ended for its time */
    bool late;
    int pid;
    double deadline;
};

struct job *job_new(struct list *jobs, const char *directory, const char *output,
                    const char *errors);
void job_argument(struct job *job, const char *argument);
void job_arguments(struct job *job, const struct list *arguments);
/* All of them, as many at once as there are processors, each for at most SECONDS. */
void jobs_run(struct list *jobs, unsigned seconds);
/* From now on SIGINT and SIGTERM end the jobs, and no more are started. */
void jobs_end_on_signal(void);
bool jobs_ended(void);
bool program_installed(const char *name);

/* ---- one file after the preprocessor: tokens.c, unit.c ---- */

enum token_kind { TOKEN_WORD, TOKEN_NUMBER, TOKEN_STRING, TOKEN_SIGN };

struct token {
    const char *at;
    unsigned length;
    enum token_kind kind;
    bool in_system; /* a header of the system */
    unsigned file;  /* among the unit's files */
    unsigned line;
    unsigned mate; /* of a bracket: the other one; else 0 */
};

struct function {
    const char *name;
    unsigned first, last; /* tokens: its name, its closing brace */
    unsigned body;        /* token: its opening brace */
    unsigned file, first_line, last_line;
    struct list scoped; /* names of its variables with a cleanup attribute */
};

struct unit {
    char *text;
    size_t length;
    struct token *tokens;
    size_t count;
    struct list files;          /* paths as the compiler gives them */
    struct function *functions; /* defined outside of the system's headers */
    size_t function_count;
    struct list system; /* names declared in the system's headers, sorted */
};

bool token_is(const struct token *token, const char *text);
bool unit_tokens(struct unit *unit);
/* Reads PATH, what a preprocessor wrote. False and errno. */
bool unit_read(struct unit *unit, const char *path);
void unit_free(struct unit *unit);
/* Rows that the source itself gives. */
void unit_annotations(const struct unit *unit, struct table *table);
const struct function *unit_function(const struct unit *unit, const char *name);
bool unit_is_system(const struct unit *unit, const char *name);

/* ---- the model: model.c, prologue.c ---- */

/* A place where something is made. */
struct site {
    const struct resource *resource;
    const char *variable; /* what it is assigned to; NULL: not known */
    bool lost;            /* its result goes nowhere */
    bool must;            /* the second of two: it is there when the first is */
    bool scoped;          /* released when its variable's block is left */
    const char *file;     /* as the compiler gives it */
    unsigned line;
    const char *function;
};

/* In gcc's dialect site N is made on this line of the file <snag>, and the next. */
#define MODEL_SITES ((size_t)1000000)
#define MODEL_SITE_LINES ((size_t)4)

enum dialect { FOR_CLANG, FOR_GCC };

struct model {
    enum dialect dialect;
    const struct table *table;
    const struct unit *unit;
    char *text; /* what the analyzer reads */
    size_t length, room;
    struct list sites;     /* struct site; its place here is its number in the text */
    struct list releasers; /* names; the same */
    unsigned objects;
};

void model_make(struct model *model, const struct table *table, const struct unit *unit,
                enum dialect dialect);
void model_add(struct model *model, const char *text, size_t length);
__attribute__((format(printf, 2, 3))) void model_print(struct model *model, const char *format,
                                                       ...);
/* What the model's own names mean, in the dialect. */
char *model_prologue(const struct model *model);

/* ---- findings: findings.c ---- */

enum finding_kind { LEAK, LOST_RESULT, DOUBLE_RELEASE, USE_AFTER_RELEASE, KINDS };
extern const char *const finding_names[KINDS];

struct finding {
    enum finding_kind kind;
    const char *file; /* absolute */
    unsigned line;
    const char *function;
    const char *variable; /* or NULL */
    const char *maker;
    const char *releaser;
    unsigned made;         /* line of the maker's call; 0: not known */
    const char *made_file; /* where that is another file; NULL: the same */
    unsigned tools;
};

/* Which files are compiled, and where their functions are: what a line belongs to. */
struct place {
    const char *file; /* absolute */
    const char *function;
    unsigned first, last;
    const struct list *scoped;
};

struct findings {
    struct list all;
    struct list places;
    const struct table *table;
};

enum tool { TOOL_CLANG, TOOL_GCC, TOOL_CPPCHECK, TOOL_SPATCH, TOOLS };
extern const char *const tool_names[TOOLS];

void findings_places(struct findings *findings, const struct unit *unit, const char *directory);
/* The function that the line is in; NULL: none. */
const struct place *findings_place(const struct findings *findings, const char *file,
                                   unsigned line);
/* Takes it unless it is there, silenced, or of no function of the project. */
void findings_add(struct findings *findings, enum tool tool, struct finding finding);
void findings_sort(struct findings *findings);
void findings_print(const struct findings *findings, FILE *to);
char *finding_message(const struct finding *finding);
void findings_sarif(const struct findings *findings, FILE *to);

/* ---- tools ---- */

/* One file in work. */
struct work {
    const struct compilation *compilation;
    const char *stem;       /* in the temporary directory: what is written for it begins so */
    const char *source[2];  /* after the preprocessor, by dialect; NULL: none */
    struct model models[2]; /* by dialect */
    struct list sites;      /* struct site: every one, whatever the tools */
    struct job *jobs[TOOLS];
};

struct check {
    struct table table;
    struct list works; /* struct work */
    struct findings findings;
    const char *directory; /* temporary */
    bool tools[TOOLS];
};

/* Where VARIABLE of the function around FILE:LINE was made, at or above that line; NULL: nowhere.
 */
const struct site *check_site(const struct check *check, const struct work *work, const char *file,
                              unsigned line, const char *variable);
/* The path as the project's, from one that a compiler printed. */
const char *check_path(const struct work *work, const char *path);

void clang_start(struct check *check, struct work *work, struct list *jobs);
void clang_read(struct check *check, struct work *work);
void gcc_start(struct check *check, struct work *work, struct list *jobs);
void gcc_read(struct check *check, struct work *work);
bool cppcheck_prepare(struct check *check);
void cppcheck_start(struct check *check, struct work *work, struct list *jobs);
void cppcheck_read(struct check *check, struct work *work);
bool spatch_prepare(struct check *check);
void spatch_start(struct check *check, struct work *work, struct list *jobs);
void spatch_read(struct check *check, struct work *work);

#endif
