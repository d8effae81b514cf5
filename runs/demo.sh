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
say parse examples/page.png --format md --format viewer --out out/page
say moments examples/clip.mp4 "the red circle is shown" --plot out/moments.png
printf '\n%s\n%s\n' "Pictures with the answers drawn on them: out/locate.png out/point.png out/count.png out/moments.png;" \
    "the page beside what was read of it: out/page (open its .html in a browser)"
