# SPDX-License-Identifier: Apache-2.0
# find_java: prints the home of a JDK 21 or newer: PEER_JAVA_HOME, JAVA_HOME, or the newest under /usr/lib/jvm.
find_java() {
    local home version
    for home in "${PEER_JAVA_HOME:-}" "${JAVA_HOME:-}" $(ls -d /usr/lib/jvm/* 2>/dev/null | sort -rV); do
        [ -x "$home/bin/java" ] && [ -x "$home/bin/javac" ] || continue
        version=$("$home/bin/java" -version 2>&1 | sed -n '1s/[^"]*"\([0-9]*\).*/\1/p')
        if [ "${version:-0}" -ge 21 ]; then
            echo "$home"
            return 0
        fi
    done
    echo "OpenSearch 3 needs a JDK 21 or newer: set PEER_JAVA_HOME to one" >&2
    return 1
}
