/* engine_load.h: the engine, loaded into a namespace of its own. */
#ifndef SNAG_API_ENGINE_LOAD_H
#define SNAG_API_ENGINE_LOAD_H

#include "engine/engine.h"

#include <stddef.h>

/* Loads the engine, once per process (a child of fork gets a fresh one, as the
 * parent's may have been copied in the middle of its work). *API stays valid
 * for ever. 0, -ENOENT when it (or a library that it needs) is not found, -ELIBBAD when it is of
 * another version or none at all, -ENOTSUP in a static program, -EMFILE, -ENOMEM, -EACCES ...; ERROR
 * then holds one line. *NOTE is a line worth logging, or NULL. Needs a few free descriptors. */
int engine_load(const struct engine_api **api, const char **note, char *error, size_t size);

#endif
