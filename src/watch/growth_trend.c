/* growth_trend.c: Kendall's tau and Sen's slope, by all pairs.
 *
 * Rows are short (a dozen or two; with seasons, five a season), so the quadratic way is the
 * cheap one and nothing is allocated. */
#include "watch/growth_trend.h"

#include <stdlib.h>

#define PAIRS_MAX ((size_t)TREND_MAX * 8)

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double trend_median(double *numbers, size_t count)
{
    if (count == 0)
        return 0;
    qsort(numbers, count, sizeof *numbers, by_size);
    size_t middle = count / 2;
    return count % 2 ? numbers[middle] : (numbers[middle - 1] + numbers[middle]) / 2;
}

/* STEP is the distance of what may be paired: 1, or the numbers in a period. */
static double tau(const double *row, size_t count, size_t step)
{
    long sum = 0;
    long pairs = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + step; j < count; j += step) {
            sum += (row[j] > row[i]) - (row[j] < row[i]);
            pairs++;
        }
    }
    return pairs ? (double)sum / (double)pairs : 0;
}

double trend_tau(const double *row, size_t count)
{
    return tau(row, count, 1);
}

double trend_tau_seasonal(const double *row, size_t count, size_t season)
{
    return tau(row, count, season);
}

double trend_slope(const double *row, const double *times, size_t count)
{
    double slopes[PAIRS_MAX];
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && pairs < PAIRS_MAX; j++)
            if (times[j] > times[i])
                slopes[pairs++] = (row[j] - row[i]) / (times[j] - times[i]);
    return trend_median(slopes, pairs);
}

double trend_slope_seasonal(const double *row, size_t count, size_t season)
{
    double slopes[PAIRS_MAX];
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + season; j < count && pairs < PAIRS_MAX; j += season)
            slopes[pairs++] = (row[j] - row[i]) / (double)((j - i) / season);
    return trend_median(slopes, pairs);
}
