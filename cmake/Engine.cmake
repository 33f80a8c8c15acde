# SPDX-License-Identifier: Apache-2.0
# The Rust seam as the target qd_engine: one archive with Wasmtime's C API and Tantivy, and the headers of both.
# Cargo knows best what is up to date, so it is asked in every build; scripts/build-engine replaces the files here
# only when they changed, and Ninja then relinks nothing. Sanitizer builds use the same release archive.

set(QD_ENGINE_DIR ${CMAKE_BINARY_DIR}/engine)
set(QD_ENGINE_ARCHIVE ${QD_ENGINE_DIR}/libquidditch_engine.a)

add_custom_target(qd_engine_build
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/build-engine ${QD_ENGINE_DIR}
    BYPRODUCTS ${QD_ENGINE_ARCHIVE}
    COMMENT "Checking the engine (Rust)"
    USES_TERMINAL VERBATIM)

if(QD_SANITIZE STREQUAL "thread")
    # ThreadSanitizer sees the engine's calls of malloc and memcpy, but not the atomics that order them, and takes
    # each for a race. It can be told to leave out a shared object (tests/sanitizers/tsan.supp), so make it one.
    set(shared ${QD_ENGINE_DIR}/libquidditch_engine.so)
    add_custom_command(OUTPUT ${shared}
        COMMAND ${CMAKE_C_COMPILER} -shared -o ${shared} -Wl,-soname,libquidditch_engine.so
            -Wl,--whole-archive ${QD_ENGINE_ARCHIVE} -Wl,--no-whole-archive -lgcc_s -lm -lpthread -ldl
        DEPENDS ${QD_ENGINE_ARCHIVE}
        COMMENT "Linking the engine as a shared object" VERBATIM)
    add_custom_target(qd_engine_shared DEPENDS ${shared})
    add_library(qd_engine_binary SHARED IMPORTED GLOBAL)
    set_target_properties(qd_engine_binary PROPERTIES IMPORTED_LOCATION ${shared})
    add_dependencies(qd_engine_shared qd_engine_build)
    add_dependencies(qd_engine_binary qd_engine_shared)
else()
    add_library(qd_engine_binary STATIC IMPORTED GLOBAL)
    set_target_properties(qd_engine_binary PROPERTIES IMPORTED_LOCATION ${QD_ENGINE_ARCHIVE})
    add_dependencies(qd_engine_binary qd_engine_build)
endif()

add_library(qd_engine INTERFACE)
target_include_directories(qd_engine INTERFACE ${CMAKE_SOURCE_DIR}/rust/engine/include)
target_include_directories(qd_engine SYSTEM INTERFACE ${QD_ENGINE_DIR}/include)
# What the archive needs belongs to the archive itself: it must stand behind it on the linker's command line.
set_target_properties(qd_engine_binary PROPERTIES INTERFACE_LINK_LIBRARIES "m;Threads::Threads;${CMAKE_DL_LIBS}")
target_link_libraries(qd_engine INTERFACE qd_engine_binary)
add_dependencies(qd_engine qd_engine_build)
