/* growth_trend.c: Kendall's tau and Sen's slope, by all pairs.
 *
 * Rows are short (a dozen or two; with seasons, five a season), so the quadratic way is the
 * cheap one and nothing is allocated. */
#include "watch/growth_trend.h"

#define PAIRS_MAX ((size_t)TREND_MAX * 8)

double trend_pick(double *numbers, size_t count, size_t rank)
{
    size_t low = 0;
    size_t high = count - 1;
    while (low < high) { /* Hoare's selection: what is below the pivot to the left */
        double pivot = numbers[low + (high - low) / 2];
        size_t left = low;
        size_t right = high;
        while (left <= right) {
            while (numbers[left] < pivot)
                left++;
            while (numbers[right] > pivot)
                right--;
            if (left > right)
                break;
            double number = numbers[left];
            numbers[left++] = numbers[right];
            numbers[right] = number;
            if (right == 0)
                break;
            right--;
        }
        if (rank <= right)
            high = right;
        else if (rank >= left)
            low = left;
        else
            break;
    }
    return numbers[rank];
}

double trend_median(double *numbers, size_t count)
{
    if (count == 0)
        return 0;
    double upper = trend_pick(numbers, count, count / 2);
    if (count % 2)
        return upper;
    double lower = numbers[0]; /* the highest of those that are now to its left */
    for (size_t i = 1; i < count / 2; i++)
        lower = numbers[i] > lower ? numbers[i] : lower;
    return (lower + upper) / 2;
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
