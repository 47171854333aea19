/* First lines of the small text files in which the system describes itself. */
#ifndef FM_BASE_READ_LINE_H
#define FM_BASE_READ_LINE_H

enum { FM_LINE_BYTES = 4096 };

/* Reads the first line of the file whose path `format` and its arguments give. False if there is none. */
__attribute__((format(printf, 2, 3))) int fm_read_line(char line[FM_LINE_BYTES], const char *format, ...);

#endif
