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

add_library(qd_engine_archive STATIC IMPORTED GLOBAL)
set_target_properties(qd_engine_archive PROPERTIES IMPORTED_LOCATION ${QD_ENGINE_ARCHIVE})
add_dependencies(qd_engine_archive qd_engine_build)

add_library(qd_engine INTERFACE)
target_include_directories(qd_engine INTERFACE ${CMAKE_SOURCE_DIR}/rust/engine/include)
target_include_directories(qd_engine SYSTEM INTERFACE ${QD_ENGINE_DIR}/include)
target_link_libraries(qd_engine INTERFACE qd_engine_archive m Threads::Threads ${CMAKE_DL_LIBS})
add_dependencies(qd_engine qd_engine_build)
