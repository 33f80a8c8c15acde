# SPDX-License-Identifier: Apache-2.0
# cmake -DIN=… -DOUT=… -DNAME=… -DHEADER=… -P EmbedText.cmake: writes a C file that defines `const char NAME[]`, the text of
# IN with a zero behind it.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    "
    bytes "${bytes}")
file(WRITE "${OUT}" "/* Made by cmake/EmbedText.cmake. */\n#include \"${HEADER}\"\n\nconst char ${NAME}[] = {\n    ${bytes}0};\n")
