#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh LIB: fetches OpenSearch 3.1.0 with Maven, builds the small main program that embeds it, and leaves the jars in LIB.
# Everything is built in LIB's own directory; nothing is written beside the sources.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lib=$(mkdir -p "$1" && cd "$1" && pwd)
. "$here/java.sh"
[ -f "$lib/peer-os-1.jar" ] && exit 0
command -v mvn >/dev/null || { echo "building the peer needs Maven (Debian: maven)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/pom.xml" "$here/src" "$work"
cd "$work"
echo "fetching and building OpenSearch 3.1.0 into $lib" >&2
JAVA_HOME=$(find_java) mvn -q -B -Dlibdir="$lib" clean package >&2
