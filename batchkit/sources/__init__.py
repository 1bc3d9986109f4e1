"""Where rows come from: files, queries, frames; everything becomes text, with the row numbers of the file."""
