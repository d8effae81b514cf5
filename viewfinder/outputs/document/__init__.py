"""QwenVL HTML as a typed document (report, section 2.2.1).

Reading order: `elements` (the types), `document` (pages and what can be done with them), `parse` with
`html_tree`, `html_inline` and `pictures` (text to elements), `write` (elements to text).
"""

from viewfinder.outputs.document.document import Document as Document
from viewfinder.outputs.document.document import Page as Page
from viewfinder.outputs.document.document import figure_name as figure_name
from viewfinder.outputs.document.elements import Address as Address
from viewfinder.outputs.document.elements import Break as Break
from viewfinder.outputs.document.elements import Cell as Cell
from viewfinder.outputs.document.elements import Chart as Chart
from viewfinder.outputs.document.elements import ChemicalFormula as ChemicalFormula
from viewfinder.outputs.document.elements import Code as Code
from viewfinder.outputs.document.elements import Element as Element
from viewfinder.outputs.document.elements import Formula as Formula
from viewfinder.outputs.document.elements import Heading as Heading
from viewfinder.outputs.document.elements import Image as Image
from viewfinder.outputs.document.elements import ListBlock as ListBlock
from viewfinder.outputs.document.elements import ListItem as ListItem
from viewfinder.outputs.document.elements import MusicSheet as MusicSheet
from viewfinder.outputs.document.elements import Paragraph as Paragraph
from viewfinder.outputs.document.elements import Picture as Picture
from viewfinder.outputs.document.elements import Row as Row
from viewfinder.outputs.document.elements import Table as Table
from viewfinder.outputs.document.html_inline import escape as escape
