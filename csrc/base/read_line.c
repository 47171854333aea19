#include "base/read_line.h"

#include <stdarg.h>
#include <stdio.h>

int fm_read_line(char line[FM_LINE_BYTES], const char *format, ...) {
    char path[FM_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    FILE *file = length < 0 || length >= (int)sizeof path ? NULL : fopen(path, "r");
    if (file == NULL) return 0;
    const int got = fgets(line, FM_LINE_BYTES, file) != NULL;
    fclose(file);
    return got;
}
