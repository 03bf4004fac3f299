/* message.h: the messages of proto/profile.proto by the names that they have in it; protobuf-c puts
 * the package's before each. For those who read or write the format, not for headers. */
#ifndef SNAG_PROFILE_MESSAGE_H
#define SNAG_PROFILE_MESSAGE_H

#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile Profile;
typedef Perftools__Profiles__ValueType ValueType;
typedef Perftools__Profiles__Sample Sample;
typedef Perftools__Profiles__Label Label;
typedef Perftools__Profiles__Mapping Mapping;
typedef Perftools__Profiles__Location Location;
typedef Perftools__Profiles__Line Line;
typedef Perftools__Profiles__Function Function;

#endif
