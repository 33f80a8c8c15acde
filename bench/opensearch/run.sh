#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh LIB HOME PORT [HEAP=2g]: starts OpenSearch on 127.0.0.1:PORT in the foreground, from the jars in LIB (see build.sh).
# Prints PEER READY when it answers; SIGTERM ends it.
set -eu
. "$(dirname "$0")/java.sh"
mkdir -p "$2"
exec "$(find_java)/bin/java" -Xms"${4:-2g}" -Xmx"${4:-2g}" -XX:+UseG1GC --add-modules jdk.incubator.vector \
    --enable-native-access=ALL-UNNAMED -Dlog4j2.disable.jmx=true -Dio.netty.noUnsafe=true \
    -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0 \
    -Dio.netty.allocator.numDirectArenas=0 -Djava.awt.headless=true ${PEER_JVM_OPTS:-} \
    -cp "$1/*" peer.PeerNode "$2" "$3" $(($3 + 100 > 65535 ? $3 - 100 : $3 + 100))
