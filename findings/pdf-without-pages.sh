#!/usr/bin/env bash
# Question: what does PDFium say of a sound PDF that has no pages, and does it depend on the file opened before?
# Guess (what this project's own code assumed before): it opens with length 0; an error, if any, would be the same each time.
# Versions: pypdfium2 5.15.2 (its own PDFium).
# Seen:     it does not open. The failure sets no error code, so the message is that of whatever failed before:
#           "Success" in a fresh process, and "Incorrect password" after a locked file. Ask for the last error only
#           after setting it oneself, for instance by opening nothing at all.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pypdfium2==5.15.2
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - <<'PY'
import hashlib
import pypdfium2
import pypdfium2.raw as raw

head = b"%PDF-1.3\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
tree = b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
table = f"xref\n0 3\n0000000000 65535 f \n{9:010} 00000 n \n{len(head):010} 00000 n \n"
empty = head + tree + f"{table}trailer<</Root 1 0 R/Size 3>>\nstartxref\n{len(head + tree)}\n%%EOF\n".encode()

pad = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
def rc4(key, data):
    s, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256
        s[i], s[j] = s[j], s[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + s[i]) % 256
        s[i], s[j] = s[j], s[i]
        out.append(byte ^ s[(s[i] + s[j]) % 256])
    return bytes(out)
secret = (b"tulip" + pad)[:32]
owner = rc4(hashlib.md5(secret).digest()[:5], secret)
key = hashlib.md5(secret + owner + (0xFFFFFFFC).to_bytes(4, "little") + b"0" * 16).digest()[:5]
locked = (
    b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    + f"trailer<</Root 1 0 R/ID[<{'30' * 16}><{'30' * 16}>]/Encrypt<</Filter/Standard/V 1/R 2/O<{owner.hex()}>"
      f"/U<{rc4(key, pad).hex()}>/P -4>>>>".encode()
)

def said(data, password=None):
    try:
        return f"opens with {len(pypdfium2.PdfDocument(data, password=password))} pages"
    except pypdfium2.PdfiumError as error:
        return str(error)

fresh = said(empty)
assert said(locked, "tulip") == "opens with 1 pages", "the locked file must be sound"
first = said(locked)
after = said(empty)
raw.FPDF_LoadMemDocument64(b"", 0, None)
reset = said(empty)
for name, text in (("fresh", fresh), ("locked", first), ("after locked", after), ("after nothing", reset)):
    print(f"{name}: {text}")
assert "Success" in fresh and "password" in first and "password" in after and "format" in reset, "behaviour changed"
PY
