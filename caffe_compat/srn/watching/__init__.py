"""Watching a training: metrics of each test, and what a run's report is made of.

label_losses     where a net compares scores with labels
metrics_of_test  mAP, F1-C and F1-O of each test phase
events           what happens in a run, as values that fit JSON
watcher          an observer of the solver that turns what it sees into events, with the machine and versions of the run
event_file       events as JSON lines, written and read
tensorboard      events as TensorBoard scalars
attention_watch  attention maps on the same images after each test
line_chart       charts as SVG
run_report       report.html of a run
watch_folder     all of these put together for one training, with a line on the terminal for each display
"""
