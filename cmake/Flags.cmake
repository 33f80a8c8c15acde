# SPDX-License-Identifier: Apache-2.0
# Compiler flags for our own C code: the interface target qd_flags, which every room, program and test links.

add_library(qd_flags INTERFACE)
target_include_directories(qd_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(qd_flags INTERFACE _GNU_SOURCE)
target_compile_options(qd_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wno-sign-conversion -fno-strict-aliasing -fstack-protector-strong)

# Symbols in release builds: a crash report without them is worth little, and they are not loaded.
# -O3: gcc 12 leaves most loops over columns scalar at -O2.
set(CMAKE_C_FLAGS_RELEASE "-O3 -g -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")

if(QD_SANITIZE STREQUAL "address")
    set(flags -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    # Each arena allocation becomes a malloc of its own, so that the sanitizer sees where it ends.
    target_compile_definitions(qd_flags INTERFACE QD_ARENA_DEBUG)
elseif(QD_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(QD_SANITIZE)
    message(FATAL_ERROR "QD_SANITIZE is '${QD_SANITIZE}': expected address, thread or nothing")
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(qd_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
# libFuzzer (tests/fuzz): coverage of all our C code guides it.
option(QD_FUZZ "Build libFuzzer targets; needs clang and QD_SANITIZE=address" OFF)
if(QD_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang" OR NOT QD_SANITIZE STREQUAL "address")
        message(FATAL_ERROR "QD_FUZZ needs -DCMAKE_C_COMPILER=clang and -DQD_SANITIZE=address")
    endif()
    target_compile_options(qd_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(QD_SANITIZE)
    target_compile_options(qd_flags INTERFACE ${flags} -O1)
    target_link_options(qd_flags INTERFACE ${flags})
endif()
