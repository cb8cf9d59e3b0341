/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_formats: the two readers behind picture_decode; each refuses as picture_decode says.
 */
#pragma once
#include "kernel/picture.h"

int picture_decode_png(struct span bytes, struct picture *ret, struct fail *why) MUST_USE;
int picture_decode_jpeg(struct span bytes, struct picture *ret, struct fail *why) MUST_USE;
