"""HTML pages that need no other file and no network: templates, one style sheet with a dark mode, pieces of reports.

render  fills a template of the folder templates/
pieces  headings, paragraphs, pictures and tables, for reports that are a list of those
"""
