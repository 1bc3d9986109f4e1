"""Where rows come from; everything becomes text, with the row numbers of the file.

base       the protocol; the registry by scheme, and `open_source`, which opens what is meant
tables     a CSV or Excel file: `open_table` tells by its bytes which (`file_kinds`)
csv        text with delimiters (`csv_records`, `encodings`); `csv_writer` writes it
workbook   xlsx, xls, xlsb, ods (`sheet_rows`, `sheet_marks`, `workbook_xml`); `workbook_writer` writes them
fetched    a file from elsewhere, brought to a temporary folder; `url` brings it from the web
query      what a database answers
frame      polars and pandas frames
look       what was understood of a source, before anything is made of it
headers    which row names the columns; `cleaning` and `cell_text` make texts of cells
"""
