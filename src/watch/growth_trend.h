/* growth_trend.h: is a row of numbers a trend, and how steep; without any assumption on noise.
 *
 * Mann (1945) and Kendall (1975): of all pairs of a row, how many rise. Sen (1968), after Theil
 * (1950): the median of the slopes of all pairs, which up to 29 % of wild values cannot move.
 * Hirsch, Slack and Smith (1982): with seasons, pairs are taken within a season alone. */
#ifndef SNAG_WATCH_GROWTH_TREND_H
#define SNAG_WATCH_GROWTH_TREND_H

#include <stddef.h>

#define TREND_MAX 96 /* numbers in a row */

/* Kendall's tau of ROW, -1 to 1: pairs that rise less pairs that fall, of all pairs. Equal ones
 * count as neither, so a row that mostly stands still is no trend. */
double trend_tau(const double *row, size_t count);

/* Sen's slope of ROW, taken at TIMES; in the units of both. */
double trend_slope(const double *row, const double *times, size_t count);

/* The same two with SEASON numbers to the period: only numbers whole periods apart are paired.
 * The slope is per period. COUNT is a multiple of SEASON. */
double trend_tau_seasonal(const double *row, size_t count, size_t season);
double trend_slope_seasonal(const double *row, size_t count, size_t season);

/* The number that RANK others (0: none) are below, of COUNT numbers, which are reordered so that
 * those are to its left; and the median of them. */
double trend_pick(double *numbers, size_t count, size_t rank);
double trend_median(double *numbers, size_t count);

#endif
