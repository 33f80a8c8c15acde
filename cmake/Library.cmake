# SPDX-License-Identifier: Apache-2.0
# libquidditch as programs link it: one shared object that shows the functions of include/quidditch/ and nothing else.
# Our own programs link the rooms directly: they need what is behind the public face.

set(exports ${CMAKE_SOURCE_DIR}/cmake/libquidditch.map)
add_library(quidditch SHARED ${CMAKE_SOURCE_DIR}/src/node/database.c ${CMAKE_SOURCE_DIR}/src/node/database_calls.c)
target_link_libraries(quidditch PRIVATE qd_flags qd_node qd_base
    -Wl,--version-script=${exports} -Wl,--undefined=qd_status_describe -Wl,--undefined=qd_version
    -Wl,--undefined=qd_runtime_open -Wl,--undefined=qd_udf_call_open
    -Wl,--undefined=qd_udf_aggregation_open)
target_include_directories(quidditch INTERFACE
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
set_target_properties(quidditch PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${exports}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

include(GNUInstallDirs)
# Relative to itself, so that it holds wherever it is installed.
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_SOURCE_DIR}/cmake/quidditch.pc.in ${CMAKE_BINARY_DIR}/quidditch.pc @ONLY)
install(TARGETS quidditch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS quidditchd qctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/quidditch DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/quidditch.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
