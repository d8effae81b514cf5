"""Text in many languages and scripts: straight lines, and signs in the wild with perspective, blur and backgrounds."""
