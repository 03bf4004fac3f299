/* guess.c: which word was meant; see guess.h.
 *
 * Near is: one letter wrong, missing, too many or swapped with its neighbour, in a longer word two;
 * or a beginning of it. The distance is Damerau and Levenshtein's, in the form that changes no
 * place twice (optimal string alignment). */
#include "tool/guess.h"

#include <stdbool.h>
#include <string.h>

#define LONGEST 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= a_length; i++)
        rows[i][0] = i;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++)
        for (size_t j = 1; j <= b_length; j++) {
            size_t other = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            rows[i][j] = least(other, least(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    return rows[a_length][b_length];
}

void guess_begin(struct guess *guess, const char *typed)
{
    *guess = (struct guess){ .typed = typed, .length = strcspn(typed, "=") };
}

void guess_offer(struct guess *guess, const char *word, size_t length)
{
    if (guess->length < 2 || guess->length > LONGEST || length > LONGEST)
        return;
    bool begins = guess->length < length && guess->length > strspn(guess->typed, "-") + 1 &&
                  strncmp(word, guess->typed, guess->length) == 0;
    size_t apart = begins ? 1 : distance(guess->typed, guess->length, word, length);
    size_t letters = guess->length - strspn(guess->typed, "-");
    if (apart > (letters > 5 ? 2 : 1) || letters <= apart ||
        (guess->best && apart >= guess->distance))
        return;
    guess->best = word;
    guess->best_length = length;
    guess->distance = apart;
}
