/* Runs a program if this processor has an instruction set: if_supported <isa> <program> [arguments]. Otherwise exits
   with 77, which the test runner shows as "skipped". */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fastmlp.h"

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    for (int i = 0; i < fm_isa_count(); i++) {
        if (strcmp(argv[1], fm_isa_name(i)) != 0) continue;
        if (!fm_isa_supported(i)) return 77;
        execv(argv[2], argv + 2);
        perror(argv[2]);
        return 1;
    }
    fprintf(stderr, "no such instruction set in this build: %s\n", argv[1]);
    return 1;
}
