/* SPDX-License-Identifier: MIT */
/* Calls that this project does without; included last by the build (-include is not used so that
 * system headers may still declare them). */
#ifndef VR_CORE_BANNED_H
#define VR_CORE_BANNED_H

#pragma GCC poison system popen strcpy strcat sprintf vsprintf gets atoi atol atoll atof

#endif
