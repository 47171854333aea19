# The table of instruction sets. Each row has a name, the architecture it exists on, compile flags, and the CPU feature bits
# (names of csrc/base/cpu.c) that a processor must have to run its kernels. The rows go from the least to the most preferred.
# To add an ISA, add a row here and write csrc/simd/<name>.h (avx512bf16 is a part of avx512.h)
#
#   fm_isa(<name> <arch: any|x86_64|aarch64> "<flags>" "<required CPU bits>")

set(FM_ISAS "")
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" FM_ARCH)
if(FM_ARCH MATCHES "^(amd64|x64)$")
  set(FM_ARCH x86_64)
elseif(FM_ARCH STREQUAL "arm64")
  set(FM_ARCH aarch64)
endif()

set(FM_ONLY_ISAS "" CACHE STRING "Build only these rows; empty: all rows of the architecture")

function(fm_isa name arch flags bits)
  if(NOT arch STREQUAL "any" AND NOT arch STREQUAL FM_ARCH)
    return()
  endif()
  if(FM_ONLY_ISAS AND NOT name IN_LIST FM_ONLY_ISAS)
    return()
  endif()
  string(TOUPPER "${name}" upper)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  add_library(fm_isa_${name} OBJECT csrc/kernels/isa.c)
  target_compile_definitions(fm_isa_${name} PRIVATE FM_ISA=${name} FM_ISA_${upper}=1)
  target_compile_options(fm_isa_${name} PRIVATE ${FM_C_FLAGS} ${flags})
  target_include_directories(fm_isa_${name} PRIVATE csrc)
  # It is for processors of before 2013 and for comparing bits, and would be the largest of all at -O3; it is built small.
  if(name STREQUAL "portable" AND FM_OPTIMIZATION STREQUAL "-O3")
    target_compile_options(fm_isa_${name} PRIVATE -Os)
  endif()
  set_target_properties(fm_isa_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  set(FM_ISAS ${FM_ISAS} ${name} PARENT_SCOPE)
  string(APPEND FM_ISA_ROWS "FM_ISA_ROW(${name}, ${bits})\n")
  set(FM_ISA_ROWS "${FM_ISA_ROWS}" PARENT_SCOPE)
endfunction()

fm_isa(portable any     ""                                                                       "0")
fm_isa(avx2     x86_64  "-mavx2 -mfma"                                                           "FM_CPU_AVX2 | FM_CPU_FMA")
fm_isa(avx512   x86_64  "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mprefer-vector-width=512"
                                                                                                 "FM_CPU_AVX2 | FM_CPU_FMA | FM_CPU_AVX512")
fm_isa(avx512bf16 x86_64 "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mavx512vnni -mavx2 -mfma -mprefer-vector-width=512"
                                                                              "FM_CPU_AVX2 | FM_CPU_FMA | FM_CPU_AVX512 | FM_CPU_AVX512_BF16 | FM_CPU_AVX512_VNNI")
fm_isa(neon     aarch64 ""                                                                       "FM_CPU_NEON")

file(CONFIGURE OUTPUT isa_rows.def CONTENT "/* Written by cmake/isa.cmake. */\n${FM_ISA_ROWS}" @ONLY)
