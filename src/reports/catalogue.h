/* catalogue.h: the reports, for the catalogue alone. One line each. */
#ifndef SNAG_REPORTS_CATALOGUE_H
#define SNAG_REPORTS_CATALOGUE_H

#include "reports/reports.h"

extern const struct report fds_report;        /* fds_report.c */
extern const struct report handles_report;    /* handles_report.c */
extern const struct report threads_report;    /* threads_report.c */
extern const struct report stuck_report;      /* stuck_report.c */
extern const struct report threadleak_report; /* threadleak_report.c */

#endif
