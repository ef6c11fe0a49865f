"""The demo: a small SRN and its plain baseline on scenes of digits, from data to report, in minutes.

recipe     sizes, epochs and rates
models     the generator's files with the recipe's numbers
runs       one model trained on one dataset, in a process of its own
outcomes   what the test split says of each run, and means over seeds
mechanism  two arms of the mechanism study
findings   what that means, in sentences
pictures   the report's PNGs
html       pieces of a page
report     report.html
results    results.json
demo       all of it in order
"""
