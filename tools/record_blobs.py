#!/usr/bin/env python
"""Record every blob of a net's run in any pycaffe (Python 2.7 or 3), for `verify_parity.py --against DUMP.npz`.

    python record_blobs.py --prototxt deploy.prototxt --weights net.caffemodel dump.npz
    python record_blobs.py --solver solver.prototxt --weights init.caffemodel --iterations 3 training.npz

It needs NumPy and the `caffe` of the Python that runs it, and nothing of this project: copy this one file to the
machine that has your Caffe. `--caffe-root` is that Caffe's `python` folder, if `import caffe` does not find it.
Keys of the dump: in/BLOB, param/LAYER/I, fwd/N/LAYER/TOP (right after that layer ran), param_after/LAYER/I,
out_diff/BLOB, bwd/N/LAYER/BOTTOM (right after that layer's backward), diff/BLOB, param_diff/LAYER/I, is_forced, note/I;
for a training: each output blob (one value an iteration), final/LAYER/I, history/I.
"""

# It must run on Python 2.7: no annotations, no format strings.
# mypy: ignore-errors
# ruff: noqa: B905, UP010, UP031
from __future__ import absolute_import, division, print_function, unicode_literals

import argparse
import glob
import os
import re
import shutil
import sys
import tempfile

import numpy as np

PHASES = {"TRAIN": 0, "TEST": 1}
SAMPLE_SEED = 1
#: Layers that only measure: their backward ends the process when it is called, and has nothing to hand on.
MEASURING = ("Accuracy", "ArgMax", "DetectionEvaluate", "DetectionOutput", "Threshold")
#: Layers one of whose bottoms takes no gradient, and which end the process where it is forced upon them.
UNFORCEABLE = re.compile(
    r"""^[^#\n]*?\btype\s*:\s*["'](BatchReindex|Embed|Filter|InfogainLoss|MultiBoxLoss)["']""", re.MULTILINE
)
FORCE = re.compile(r"^[ \t]*force_backward[ \t]*:[ \t]*\w+", re.MULTILINE)


def parser():
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("dump", help="the .npz to write")
    what = result.add_mutually_exclusive_group(required=True)
    what.add_argument("--prototxt", help="the net to run")
    what.add_argument("--solver", help="the solver to train with")
    result.add_argument("--weights", help=".caffemodel to load")
    result.add_argument("--phase", choices=sorted(PHASES), default="TEST", help="default: TEST")
    result.add_argument("--inputs", help=".npz with in/BLOB, and out_diff/BLOB to start backward from")
    result.add_argument("--seed", type=int, default=1, help="of random inputs where --inputs gives none")
    result.add_argument("--backward", action="store_true", help="run backward, too")
    result.add_argument("--iterations", type=int, default=1, help="of --solver (default: 1)")
    result.add_argument("--samples", type=int, help="keep so many elements of each top, and its statistics, not all")
    result.add_argument("--gpu", type=int, help="which GPU to run on (default: the CPU)")
    result.add_argument("--caffe-root", help="a folder to look for `caffe` in")
    return result


def import_caffe(arguments):
    """Import and return the caffe module of this Python."""
    if arguments.caffe_root:
        sys.path.insert(0, arguments.caffe_root)
    try:
        import caffe
    except ImportError as error:
        sys.exit(
            "record_blobs.py: %s: expected a Python that can import caffe (%s); "
            "run it with the one of your Caffe, or give --caffe-root CAFFE/python" % (sys.executable, error)
        )

    if arguments.gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(arguments.gpu)
        caffe.set_mode_gpu()
    return caffe


def with_forcing(text, dump):
    """Return the prototxt with force_backward true, or false if one of its layers cannot be forced."""
    refusing = sorted(set(UNFORCEABLE.findall(text)))
    dump["is_forced"] = np.array(not refusing)
    if refusing:
        note(dump, "gradients are not forced, because %s refuses: only what learns compares" % ", ".join(refusing))
    # Without losses Caffe propagates nothing unless it is forced to.
    return "force_backward: %s\n" % ("false" if refusing else "true") + FORCE.sub("", text)


def note(dump, sentence):
    """Add a note for the reader to the dump."""
    dump["note/%d" % sum(key.startswith("note/") for key in dump)] = np.array(sentence)


def make_net(caffe, arguments, dump):
    """Build the net with positional arguments, which every pycaffe accepts."""
    with open(arguments.prototxt) as file:
        text = file.read()
    if arguments.backward:
        text = with_forcing(text, dump)
    with tempfile.NamedTemporaryFile(mode="w", suffix=".prototxt") as copy:
        copy.write(text)
        copy.flush()
        given = [str(copy.name)]
        if arguments.weights:
            given.append(str(arguments.weights))
        given.append(PHASES[arguments.phase])
        return caffe.Net(*given)


def blobs_of_layers(net, arguments, field):
    """The bottom or top names of each layer; old pycaffes do not know them, but their prototxt parser does."""
    names = getattr(net, field + "_names", None)
    if names is not None:
        return dict((layer, list(names[layer])) for layer in net._layer_names)
    from caffe.proto import caffe_pb2
    from google.protobuf import text_format

    with open(arguments.prototxt) as file:
        message = text_format.Merge(file.read(), caffe_pb2.NetParameter())
    found = dict((layer.name, list(getattr(layer, field))) for layer in list(message.layer) or list(message.layers))
    return dict((layer, found.get(layer, [])) for layer in net._layer_names)


def types_of_layers(net):
    """Return pairs of layer name and type; an empty list if this pycaffe does not expose types."""
    types = [getattr(layer, "type", "") for layer in getattr(net, "layers", ())]
    return list(zip(net._layer_names, types))


def inputs_read_as_numbers(net, arguments):
    """Return inputs that a loss, Accuracy or Embed reads as classes or flags; values 0 and 1 are valid for all."""
    bottoms = blobs_of_layers(net, arguments, "bottom")
    tops = blobs_of_layers(net, arguments, "top")
    origin, found = {}, set()
    for layer, kind in types_of_layers(net):
        names = [origin.get(name, name) for name in bottoms[layer]]
        if kind == "Split":
            origin.update((top, names[0]) for top in tops[layer])
        elif kind == "Embed":
            found.update(names[:1])
        elif "Loss" in kind or kind == "Accuracy":
            found.update(names[1:])
    return found


def fill(net, arguments, dump):
    """Copy the given inputs into the net, or random ones similar to images minus their mean."""
    given = dict(np.load(arguments.inputs, allow_pickle=False)) if arguments.inputs else {}
    random = np.random.RandomState(arguments.seed)
    numbers = inputs_read_as_numbers(net, arguments)
    for name in net.inputs:
        key = "in/" + name
        shape = net.blobs[name].data.shape
        made = random.randint(0, 2, shape) if name in numbers else random.normal(0, 50, shape)
        dump[key] = np.array(given.get(key, made), np.float32)
        net.blobs[name].reshape(*dump[key].shape)
    net.reshape()
    for name in net.inputs:
        net.blobs[name].data[...] = dump["in/" + name]
    fill_memory(net, arguments, given, random, dump)
    return dict((key[9:], np.array(given[key])) for key in given if key.startswith("out_diff/"))


def fill_memory(net, arguments, given, random, dump):
    """Puts arrays into a MemoryData layer, which pycaffe takes for the first layer of a net only."""
    types = types_of_layers(net)
    if not types or types[0][1] != "MemoryData":
        return
    data, label = blobs_of_layers(net, arguments, "top")[types[0][0]][:2]
    shape = net.blobs[data].data.shape
    made = {data: random.normal(0, 50, shape), label: random.randint(0, 2, shape[:1])}
    for name in (data, label):
        dump["in/" + name] = np.array(given.get("in/" + name, made[name]), np.float32)
    net.set_input_arrays(dump["in/" + data], dump["in/" + label].ravel())


def keep_weights(net, dump, part, attribute="data"):
    """Copy all weights, or their gradients, into the dump."""
    for layer, blobs in net.params.items():
        for number, blob in enumerate(blobs):
            dump["%s/%s/%d" % (part, layer, number)] = np.array(getattr(blob, attribute), np.float32)


def keep_top(dump, name, values, samples):
    """Store a whole top, or some of its elements with mean, standard deviation and largest absolute value."""
    if not samples:
        dump["fwd/" + name] = np.array(values, np.float32)
        return
    values = np.asarray(values, np.float64)
    places = np.random.RandomState(SAMPLE_SEED).randint(0, values.size, samples)
    dump["sample/" + name] = values.ravel()[places].astype(np.float32)
    dump["stat/" + name] = np.array([values.mean(), values.std(), np.abs(values).max()])


def record_forward(net, arguments, dump):
    """Runs layer by layer and keeps every top right after its layer."""
    tops = blobs_of_layers(net, arguments, "top")
    for number, layer in enumerate(net._layer_names):
        net._forward(number, number)
        for top in tops[layer]:
            keep_top(dump, "%03d/%s/%s" % (number, layer, top), net.blobs[top].data, arguments.samples)
    keep_weights(net, dump, "param_after")


def measuring_layers(net):
    """The layers without a backward, where this pycaffe tells types."""
    return [name for name, kind in types_of_layers(net) if kind in MEASURING]


def random_seeds(net, arguments):
    """Gradients of the outputs for backward to start from, where the net has no loss that gives them."""
    if any(np.any(net.blobs[name].diff) for name in net.outputs):
        return {}
    random = np.random.RandomState(arguments.seed)
    bottoms = blobs_of_layers(net, arguments, "bottom")
    measured = [bottoms[layer][0] for layer in measuring_layers(net)]
    return dict((name, random.normal(0, 1, net.blobs[name].data.shape)) for name in list(net.outputs) + measured)


def record_backward(net, arguments, dump, seeds):
    """Runs backward layer by layer, from the losses or from given gradients of the outputs."""
    bottoms = blobs_of_layers(net, arguments, "bottom")
    for name, values in (seeds or random_seeds(net, arguments)).items():
        net.blobs[name].diff[...] = values
        dump["out_diff/" + name] = np.array(values, np.float32)
    measuring = measuring_layers(net)
    if measuring:
        note(dump, "backward leaves out layers that only measure: %s" % ", ".join(measuring))
    for number, layer in reversed(list(enumerate(net._layer_names))):
        if layer in measuring:
            continue
        net._backward(number, number)
        for bottom in bottoms[layer]:
            key = "bwd/%03d/%s/%s" % (number, layer, bottom)
            dump[key] = np.array(net.blobs[bottom].diff, np.float32)
    for name, blob in net.blobs.items():
        dump["diff/" + name] = np.array(blob.diff, np.float32)
    keep_weights(net, dump, "param_diff", "diff")


def record_net(caffe, arguments):
    """Run one forward pass, and backward if requested; return the dump."""
    dump = {}
    net = make_net(caffe, arguments, dump)
    seeds = fill(net, arguments, dump)
    keep_weights(net, dump, "param")
    record_forward(net, arguments, dump)
    if arguments.backward:
        record_backward(net, arguments, dump, seeds)
    return dump


def training_solver(folder, arguments):
    """Write a copy of the solver's file without tests and snapshots; return its path."""
    from caffe.proto import caffe_pb2
    from google.protobuf import text_format

    with open(arguments.solver) as file:
        message = text_format.Merge(file.read(), caffe_pb2.SolverParameter())
    for field in ("test_iter", "test_interval", "test_net", "test_net_param", "test_state", "display", "snapshot"):
        message.ClearField(field)
    message.snapshot_prefix = os.path.join(folder, "recorded")
    message.snapshot_after_train = False
    if "snapshot_format" in message.DESCRIPTOR.fields_by_name:
        message.snapshot_format = (
            message.DESCRIPTOR.fields_by_name["snapshot_format"].enum_type.values_by_name["BINARYPROTO"].number
        )
    path = os.path.join(folder, "solver.prototxt")
    with open(path, "w") as file:
        file.write(text_format.MessageToString(message))
    return path


def keep_history(solver, folder, dump):
    """The solver's blobs, from a snapshot; old pycaffes cannot write one."""
    if not hasattr(solver, "snapshot"):
        return
    from caffe.proto import caffe_pb2

    solver.snapshot()
    for path in glob.glob(os.path.join(folder, "recorded*.solverstate")):
        state = caffe_pb2.SolverState()
        with open(path, "rb") as file:
            state.ParseFromString(file.read())
        for number, blob in enumerate(state.history):
            dump["history/%d" % number] = np.array(blob.data, np.float32)


def record_training(caffe, arguments):
    """Train some iterations; return a dump of losses, final weights and the solver's history."""
    dump = {}
    folder = tempfile.mkdtemp()
    try:
        solver = caffe.get_solver(training_solver(folder, arguments))
        if arguments.weights:
            solver.net.copy_from(str(arguments.weights))
        keep_weights(solver.net, dump, "param")
        values = dict((name, []) for name in solver.net.outputs)
        for _ in range(arguments.iterations):
            solver.step(1)
            for name in values:
                values[name].append(float(np.mean(solver.net.blobs[name].data)))
        dump.update((name, np.array(numbers)) for name, numbers in values.items())
        keep_weights(solver.net, dump, "final")
        keep_history(solver, folder, dump)
    finally:
        shutil.rmtree(folder)
    return dump


def main():
    """Run, write."""
    arguments = parser().parse_args()
    caffe = import_caffe(arguments)
    dump = record_training(caffe, arguments) if arguments.solver else record_net(caffe, arguments)
    version = getattr(caffe, "__version__", "of unknown version")
    dump["about"] = np.array("pycaffe %s, Python %s" % (version, sys.version.split()[0]))
    beside = "%s.%d.part.npz" % (arguments.dump, os.getpid())
    np.savez(beside, **dump)
    os.rename(beside, arguments.dump)
    sys.stdout.write("wrote %d arrays to %s\n" % (len(dump), arguments.dump))
    return 0


if __name__ == "__main__":
    sys.exit(main())
