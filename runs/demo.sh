#!/usr/bin/env bash
# The main jobs on the shipped examples with the built-in model; pictures go to out/.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p out
say() { printf '\n$ viewfinder %s\n' "$*"; viewfinder "$@"; }

say inspect examples/shapes.png --prompt "Locate every blue star"
say locate examples/shapes.png "every blue star" --plot out/locate.png
say point examples/shapes.png "every orange ring" --plot out/point.png
say count examples/three.png "green circles" --plot out/count.png
say ask examples/shapes.png "What color is the star?"
say read examples/word.png
printf '\nPictures with the answers drawn on them: out/locate.png out/point.png out/count.png\n'
