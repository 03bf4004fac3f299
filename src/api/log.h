/* log.h: the few lines snag has to say. */
#ifndef SNAG_API_LOG_H
#define SNAG_API_LOG_H

/* Writes "snag: LINE" to stderr in one piece. Any thread, the listener too. USER is not used: the
 * signature is that of snag_options.log. */
void log_to_stderr(const char *line, void *user);

#endif
