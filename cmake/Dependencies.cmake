# SPDX-License-Identifier: Apache-2.0
# System libraries, as PkgConfig::<NAME> targets. scripts/setup installs what is missing.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

function(qd_need name module)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${module})
endfunction()

qd_need(JANSSON jansson>=2.14)
qd_need(LMDB lmdb>=0.9.22)
qd_need(MICROHTTPD libmicrohttpd>=0.9.71)
qd_need(YAML yaml-0.1)
qd_need(CURL libcurl)
qd_need(CRYPTO libcrypto>=3)
qd_need(ZSTD libzstd)
qd_need(ZLIB zlib)
qd_need(CMOCKA cmocka)
