# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=… -DROOT=… -DLIST=… -P EmbedFiles.cmake: writes a C file with the table `embedded_files` (cli/embedded.h) of the
# files that LIST names, a line each: language|kind|shape|path in the project|source under ROOT. "*":
# any.
file(STRINGS "${LIST}" lines REGEX "^[a-z*]+[|]")
set(arrays "")
set(rows "")
set(i 0)
foreach(line IN LISTS lines)
    string(REPLACE "|" ";" columns "${line}")
    list(GET columns 0 language)
    list(GET columns 1 kind)
    list(GET columns 2 shape)
    list(GET columns 3 path)
    list(GET columns 4 source)
    file(READ "${ROOT}/${source}" hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    "
        bytes "${bytes}")
    set(is_executable false)
    if(path MATCHES "\\.sh$")
        set(is_executable true)
    endif()
    string(APPEND arrays "/* ${source} */\nstatic const unsigned char file_${i}[] = {\n    ${bytes}};\n")
    string(APPEND rows
        "    {\"${language}\", \"${kind}\", \"${shape}\", \"${path}\", file_${i}, sizeof file_${i}, ${is_executable}},\n")
    math(EXPR i "${i} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made by cmake/EmbedFiles.cmake. */\n#include \"embedded.h\"\n\n${arrays}\n\
const embedded_file embedded_files[] = {\n${rows}    {0},\n};\n")
