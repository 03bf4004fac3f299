/* growth_series.h: what is kept of a series, shared by growth.c, growth_floors.c and the rules.
 *
 *     scale    width of a bucket    buckets    of
 *     QUICK    period / 8640        16         value     10 s: 2.7 minutes
 *     SHORT    period / 720         16         value     2 min: half an hour
 *     MIDDLE   period / 72          32         measure   20 min: ten hours
 *     LONG     period / 12          84         measure   2 hours: a week
 *
 * (as for the default period of a day; never less than a tick). The measure is the
 * number of old ones where that is known, else the value. Buckets begin and end for all series
 * at once: when they ended is kept once, in struct growth_clock. */
#ifndef SNAG_WATCH_GROWTH_SERIES_H
#define SNAG_WATCH_GROWTH_SERIES_H

#include "watch/growth.h"

#define GROWTH_HOUR_NS (UINT64_C(3600) * 1000000000)

enum growth_scale { SCALE_QUICK, SCALE_SHORT, SCALE_MIDDLE, SCALE_LONG, SCALES };

#define QUICK_COUNT 16
#define SHORT_COUNT 16
#define MIDDLE_COUNT 32
#define LONG_COUNT 84
#define FLOOR_COUNT (QUICK_COUNT + SHORT_COUNT + MIDDLE_COUNT + LONG_COUNT)
#define LONG_A_PERIOD 12

struct growth_clock {
    uint64_t period_ns;
    uint64_t now_ns;
    uint64_t width_ns[SCALES];
    uint64_t begun_ns[SCALES]; /* the open bucket */
    uint32_t closed[SCALES];   /* buckets closed so far; bucket b is in slot b % count */
    uint64_t ended_ns[FLOOR_COUNT];
};

/* A rise that has not been broken: neither has it fallen by much, nor stood still for long. */
struct growth_rise {
    uint64_t since_ns;
    uint64_t high_ns; /* when it was last higher than ever */
    uint16_t from;    /* floors, as floor_pack makes them: when it began, */
    uint16_t hour;    /* the highest of its first hour (a 24th of the period), */
    uint16_t high;    /* the highest */
};

/* What is told of a series. */
struct growth_told {
    uint64_t since_ns;
    uint64_t from;
    uint64_t now;     /* the floor */
    uint64_t high;    /* highest floor since */
    uint64_t high_ns; /* when that was */
    uint64_t grown;   /* growth at the last alarm */
    float per_hour;
    uint16_t told;
    uint8_t level; /* enum growth_level; LEVEL_NONE */
    uint8_t reason;
    uint8_t steadiness; /* per cent */
    bool is_new;
};

#define LEVEL_NONE 255

struct growth_series {
    uint64_t key;
    uint32_t profile;
    bool used;
    bool seen; /* at this tick */
    bool has_old;
    uint8_t rising; /* bit 1<<scale: steadily so */
    uint64_t value;
    uint64_t old;
    uint64_t limit;
    uint64_t present_ns;    /* when it was last not 0 */
    uint64_t known_ns;      /* since when its values are known */
    uint32_t first[SCALES]; /* the first bucket that is known */
    uint16_t open[SCALES];  /* the lowest of the open buckets */
    uint16_t past;          /* highest SHORT floor that has left the ring */
    uint16_t floors[FLOOR_COUNT];
    struct growth_rise rise;
    struct growth_told told;
};

/* How many buckets of SCALE end at this tick (more than one only of SCALE_LONG, after a late
 * tick); and the end of one, after floors_close of every series. */
uint32_t clock_due(const struct growth_clock *clock, enum growth_scale scale);
void clock_close(struct growth_clock *clock, enum growth_scale scale);

/* Sixteen bits for a count: exact below 4096, then rounded down by less than 0.05 %. Packed ones
 * compare as what they stand for. */
uint16_t floor_pack(uint64_t value);
uint64_t floor_unpack(uint16_t packed);

/* A series that begins at this tick. ZERO_BEFORE: it was 0 all the time before. */
void floors_begin(struct growth_series *series, const struct growth_clock *clock, bool zero_before);

/* Takes the tick's values into the open buckets. */
void floors_take(struct growth_series *series);

/* Writes the open bucket of SCALE as that which is about to be closed, and opens the next. */
void floors_close(struct growth_series *series, const struct growth_clock *clock,
                  enum growth_scale scale);

/* The oldest floor that is kept; UINT64_MAX without any. */
uint64_t floors_oldest(const struct growth_series *series, const struct growth_clock *clock,
                       enum growth_scale scale);

/* The last COUNT floors of SCALE, oldest first, and when each ended, in hours before now (NULL:
 * not wanted). False where fewer are known. */
bool floors_last(const struct growth_series *series, const struct growth_clock *clock,
                 enum growth_scale scale, size_t count, double *row, double *hours);

/* How many floors of SCALE are known. */
size_t floors_known(const struct growth_series *series, const struct growth_clock *clock,
                    enum growth_scale scale);

/* The floor of the bucket that ended last, 0 before any; as packed. */
uint16_t floors_latest(const struct growth_series *series, const struct growth_clock *clock,
                       enum growth_scale scale);

/* The measure's floor around WHEN_NS, from the finest scale that reaches back so far. */
double floors_at(const struct growth_series *series, const struct growth_clock *clock,
                 uint64_t when_ns);

/* The measure's highest floor of all that ended by WHEN_NS; 0 without any. */
double floors_highest(const struct growth_series *series, const struct growth_clock *clock,
                      uint64_t when_ns);

/* When bucket AGO of SCALE ended; 0 is the newest. */
uint64_t floors_ended(const struct growth_clock *clock, enum growth_scale scale, size_t ago);

/* growth_rules.c: looks at SERIES after buckets of SCALES_CLOSED (bits) have closed. */
void rules_look(struct growth_series *series, const struct growth_clock *clock,
                unsigned scales_closed);

#endif
