"""Lark grammar of QwenVL HTML for one page: every element kind, boxes inside the page, tags always closed.

It takes the canonical text of `write` and the report's spacing (a space inside a tag's content or before
`/>`), so that neither a model trained here nor an official checkpoint is pushed off its path. Words nest two
tags deep, lists two lists deep. No literal is the beginning of another that may stand in its place: the
lexer takes the longest it sees.
"""

from viewfinder.outputs.grammars import integer_up_to, quote

_RULES = r"""
element: paragraph | break | heading | list | table | chart | formula | image | music | molecule | address
box: " data-bbox=\"" X " " Y " " X " " Y "\""
gap: (" " | "\n")?

inline: TEXT? (tagged TEXT?)*
tagged: "<br>" | "<b>" words "</b>" | "<i>" words "</i>" | "<u>" words "</u>" | "<s>" words "</s>"
      | "<sub>" words "</sub>" | "<sup>" words "</sup>" | "<code>" words "</code>"
words: TEXT? (inner TEXT?)*
inner: "<br>" | "<b>" TEXT? "</b>" | "<i>" TEXT? "</i>" | "<u>" TEXT? "</u>" | "<s>" TEXT? "</s>"
     | "<sub>" TEXT? "</sub>" | "<sup>" TEXT? "</sup>" | "<code>" TEXT? "</code>"
TEXT: /[^<\x00-\x08\x0B\x0C\x0E-\x1F]+/

paragraph: "<p" role? box ">" inline "</p>"
role: " class=\"" ROLE "\""
ROLE: /[a-z][a-z ._-]{0,29}/
break: "<p></p>"
heading: "<h1" box ">" inline "</h1>" | "<h2" box ">" inline "</h2>" | "<h3" box ">" inline "</h3>"
       | "<h4" box ">" inline "</h4>" | "<h5" box ">" inline "</h5>" | "<h6" box ">" inline "</h6>"
address: "<address class=\"author\"" box? ">" paragraph+ "</address>"

list: "<ol" box ">" items "</ol>" | "<ul" box ">" items "</ul>"
items: (gap item)+ gap
item: "<li" box? ">" inline below? "</li>"
below: "<ol>" leaves "</ol>" | "<ul>" leaves "</ul>"
leaves: (gap "<li" box? ">" inline "</li>")+ gap

table: style? "<table" box class? ">" rows "</table>"
style: "<style>" CSS "</style>"
CSS: /[a-zA-Z0-9 #.:;,%{}()_\-]{1,300}/
class: " class=\"table" NUMBER? "\""
NUMBER: /[0-9]{1,3}/
rows: gap (section gap)+ | gap (row gap)*
section: "<thead>" gap (row gap)* "</thead>" | "<tbody>" gap (row gap)* "</tbody>"
row: "<tr>" gap (cell gap)* "</tr>"
cell: "<td" spans ">" inline "</td>" | "<th" spans ">" inline "</th>"
spans: (" rowspan=\"" SPAN "\"")? (" colspan=\"" SPAN "\"")?
SPAN: /[2-9]|[1-9][0-9]/

picture: box ">" gap "<img" box? " "? "/>" gap
notation: ("<div>" TEXT? "</div>" gap)? "</div>"
chart: "<div class=\"chart\"" picture ("<table" class? ">" rows "</table>")? "</div>"
image: "<div class=\"image\"" picture "</div>"
     | "<div class=\"image caption\"" picture ("<p>" inline "</p>")+ "</div>"
     | "<div class=\"image ocr\"" picture ("<p>" inline "</p>")+ "</div>"
formula: "<div class=\"formula\"" picture notation
       | "<div class=\"formula.handwritten\"" picture notation
       | "<div class=\"formula.machine_printed\"" picture notation
music: "<div class=\"music sheet\" format=\"abc notation\"" picture notation
molecule: "<div class=\"chemical formula\" format=\"smile\"" picture notation
"""


def qwenvl_html_grammar(width: int, height: int, max_elements: int = 400, fenced: bool = True) -> str:
    """Grammar of `Document.to_html(fenced=True)` for one page of `width` x `height` resized pixels.

    Words may be of any length (the loop guard watches them); tags, nesting and numbers are bound.
    """
    opening, closing = ("```html\n", "\n```") if fenced else ("", "")
    first, last = quote(f"{opening}<html><body>"), quote(f"</body></html>{closing}")
    start = f'start: {first} ("\\n" element){{0,{max_elements}}} "\\n" {last}'
    return f"{start}\nX: /{integer_up_to(width)}/\nY: /{integer_up_to(height)}/{_RULES}"


def chart_html_grammar(width: int, height: int) -> str:
    """Grammar of a page of one chart and its table, in a picture of `width` x `height` resized pixels."""
    first, last = quote("```html\n<html><body>"), quote("</body></html>\n```")
    start = f'start: {first} "\\n" read_chart "\\n" {last}'
    read = 'read_chart: "<div class=\\"chart\\"" picture "<table" class? ">" rows "</table></div>"'
    return f"{start}\n{read}\nX: /{integer_up_to(width)}/\nY: /{integer_up_to(height)}/{_RULES}"
