"""Pictures of gradsweep's results.json: what tools/plot is made of.

checks, document, records   read and judge a file; need nothing but numpy
selection, formats          which cells belong together; limits of number formats
sheet, style                layout in inches, colours, markers, writing files
gradient, width, heatmap, histogram, throughput, jacobian   one kind of figure each

A figure module has `NAME`, `ABOUT` and `plans(document, options)`, which takes
and checks all it needs of the document and returns sheets to draw, so that a
file that is refused leaves nothing written. `why_not(cell, options)` says in words
why a cell that no plan knows of is in none.
"""
