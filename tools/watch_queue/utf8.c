// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchq: characters of names
 */
#include <wchar.h>

#include "watchq.h"

unsigned int utf8_len(const unsigned char *p)
{
	unsigned int len, i;

	if (*p < 0x80)
		return 1;
	len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong encoding, surrogate, above U+10FFFF */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

unsigned int utf8_char(const unsigned char *p, unsigned int len)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0xf, 0x7 };
	unsigned int c = *p & first[len], i;

	for (i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

bool utf8_harmful(unsigned int c)
{
	static const struct { unsigned int from, to; } harm[] = {
		{ 0, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x1680, 0x1680 }, { 0x180b, 0x180f },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
		{ 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0xe0000, 0xe0fff },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(harm); i++)
		if (c >= harm[i].from && c <= harm[i].to)
			return true;
	return false;
}

unsigned int utf8_width(unsigned int c)
{
	int width = wcwidth(c);

	return width < 0 ? 1 : width;
}
