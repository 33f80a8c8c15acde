# SPDX-License-Identifier: Apache-2.0
# qd_room(<name> SOURCES <file.c>… [LINK <library>…]): the static library qd_<name> of the room src/<name>.

function(qd_room name)
    cmake_parse_arguments(room "" "" "SOURCES;LINK" ${ARGN})
    add_library(qd_${name} STATIC ${room_SOURCES})
    target_link_libraries(qd_${name} PUBLIC qd_flags ${room_LINK})
endfunction()
