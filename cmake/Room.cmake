# SPDX-License-Identifier: Apache-2.0
# qd_room(<name> SOURCES <file.c>… [LINK <library>…]): the static library qd_<name> of the room src/<name>.

function(qd_room name)
    cmake_parse_arguments(room "" "" "SOURCES;LINK" ${ARGN})
    qd_present_sources(room_SOURCES)
    add_library(qd_${name} STATIC ${room_SOURCES})
    target_link_libraries(qd_${name} PUBLIC qd_flags ${room_LINK})
endfunction()

# While the house is being built, rooms arrive one by one and file by file.
function(qd_add_if_present directory)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${directory}/CMakeLists.txt)
        add_subdirectory(${directory})
    endif()
endfunction()

function(qd_present_sources variable)
    set(present)
    foreach(source IN LISTS ${variable})
        if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${source} OR IS_ABSOLUTE ${source})
            list(APPEND present ${source})
        else()
            message(WARNING "${CMAKE_CURRENT_SOURCE_DIR}/${source} is not there yet: left out")
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR})
        endif()
    endforeach()
    if(NOT present)
        file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.c "typedef int qd_empty;\n")
        set(present ${CMAKE_CURRENT_BINARY_DIR}/empty.c)
    endif()
    set(${variable} ${present} PARENT_SCOPE)
endfunction()
