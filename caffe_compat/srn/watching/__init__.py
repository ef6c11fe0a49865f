"""Watching a training: metrics of each test, and what a run's report is made of.

label_losses     where a net compares scores with labels
metrics_of_test  mAP, F1-C and F1-O of each test phase
events           what happens in a run, as values that fit JSON
watcher          an observer of the solver that turns what it sees into events
event_file       events as JSON lines, written and read
terminal_line    one line for each display
tensorboard      events as TensorBoard scalars
environment      the machine and the versions of a run
attention_watch  attention maps on the same images after each test
line_chart       charts as SVG
run_report       report.html of a run
watch_folder     all of these put together for one training
"""
