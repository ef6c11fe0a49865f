"""Words that the schema does not know: whose they are, what is meant, what to write instead."""

import re
from difflib import get_close_matches

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2

UNKNOWN_FIELD = re.compile(r'Message type "([\w.]+)" has no field named "(\w+)"')
UNKNOWN_VALUE = re.compile(r'Enum type "([\w.]+)" has no value named "?(\w+)')
# What each of the two kinds of text file holds.
_FILES = {"NetParameter": "a net, not a solver", "SolverParameter": "a solver, not a net"}
#: Messages of a file that no layer holds.
NOT_IN_A_LAYER = {*_FILES, "NetState", "MemoryOptimizationParameter", "Phase"}

_FIELDS = {
    "SSD": (
        "annotated_data_param", "detection_evaluate_param", "multibox_loss_param", "resize_param", "noise_param",
        "distort_param", "expand_param", "emit_constraint", "eval_type", "ap_version", "plateau_winsize",
    ),
    "DeepLab": (
        "label_type", "seg_accuracy_param", "mat_read_param", "mat_write_param", "densecrf_param", "dense_crf_param",
        "adaptive_bias_channel_param",
    ),
    "SegNet": ("dense_image_data_param", "weight_by_label_freqs", "class_weighting", "sample_weights_test"),
    "ENet": ("spatial_dropout_param",),
    "NVIDIA/caffe": (
        "BatchNormParameter.scale_filler", "BatchNormParameter.bias_filler", "scale_bias", "cudnn_math_override",
        "default_forward_type", "default_backward_type", "default_forward_math", "default_backward_math",
        "forward_type", "backward_type", "forward_math", "backward_math", "solver_data_type", "global_grad_scale",
        "rampup_interval", "rampup_lr", "min_lr", "local_lr_auto", "local_gw_ratio", "larc", "larc_policy",
        "momentum_policy", "max_momentum", "store_blobs_in_old_format", "detectnet_groundtruth_param",
        "detectnet_augmentation_param",
    ),
    "Intel/caffe": ("multinode", "mn_activation_param", "mn_param_grad_compress_param", "quantization_param"),
    "R-FCN": ("psroi_pooling_param", "box_annotator_ohem_param"),
    "the YOLO ports": (
        "reorg_param", "region_loss_param", "yolov3_param", "eval_detection_param", "yolo_detection_output_param",
        "yolov3_detection_output_param", "mish_param",
    ),
    "Wulingtian/yolov5_caffe": (
        "UpsampleParameter.mode", "UpsampleParameter.height", "UpsampleParameter.width",
        "UpsampleParameter.height_scale", "UpsampleParameter.width_scale",
    ),
    "yangguorun/SegStereo": ("InterpParameter.interp_type",),
    "openvinotoolkit/training_toolbox_caffe": ("ReLU6Parameter.n",),
    "FlowNet": (
        "correlation_param", "augmentation_param", "coeff_schedule_param", "flow_warp_param", "resample_param",
        "downsample_param", "l1_loss_param", "lpq_loss_param", "mean_param", "writer_param", "reader_param",
    ),
    "OpenPose": ("cpm_transform_param", "imresize_param"),
    "the face recognition forks": ("center_loss_param", "triplet_loss_param", "margin_inner_product_param"),
    "CRF-RNN": ("multi_stage_meanfield_param",),
    "twtygqyy/caffe-augmentation": (
        "min_side", "min_side_min", "min_side_max", "max_rotation_angle", "contrast_brightness_adjustment",
        "smooth_filtering", "min_contrast", "max_contrast", "max_brightness_shift", "max_smooth", "max_color_shift",
        "apply_probability", "min_scaling_factor", "max_scaling_factor",
    ),
}  # fmt: skip
_FORKS = {field: fork for fork, fields in _FIELDS.items() for field in fields}


def explain(cause: str) -> str:
    """The parser's words, with the cure where the cause is a known one."""
    for pattern, explain in ((UNKNOWN_FIELD, _unknown_field), (UNKNOWN_VALUE, _unknown_value)):
        found = pattern.search(cause)
        if found:
            return explain(*found.groups())
    return cause.replace("caffe_compat.", "")


def _unknown_field(full_name: str, name: str) -> str:
    message = caffe_pb2.DESCRIPTOR.message_types_by_name[full_name.split(".")[1]]
    fork = fork_of_field(message, name)
    if fork:
        return f"{message.name} has no field '{name}', a field of {fork}: {_without(message)}"
    return f"{message.name} has no field '{name}'; {_field_cure(message, name)}"


def _field_cure(message: Descriptor, name: str) -> str:
    near = _nearest(message, name)
    if near:
        return f"did you mean '{near}'?"
    other_file = next((kind for owner, kind in _FILES.items() if owner != message.name and _has(owner, name)), None)
    if message.name in _FILES and other_file:
        return f"this seems to be {other_file}"
    inside = _holders(message, name) or _holders(caffe_pb2.DESCRIPTOR.message_types_by_name["LayerParameter"], name)
    if inside:
        return f"it belongs into {' or '.join(inside)}"
    return f"neither BVLC Caffe nor the SRN fork has it: {_without(message)}"


def _nearest(message: Descriptor, name: str) -> str | None:
    """The field most like it; what nearly all fields of a layer end in makes none of them alike."""
    ending = "_param" if name.endswith("_param") else ""
    known = {field.removesuffix(ending): field for field in message.fields_by_name if field.endswith(ending)}
    near = get_close_matches(name.removesuffix(ending), known, n=1)
    return known[near[0]] if near else None


def _without(message: Descriptor) -> str:
    """What to do where nothing can stand for the field."""
    take_it_out = "take it out if it changes no result"
    if message.name in NOT_IN_A_LAYER:
        return take_it_out
    return f"{take_it_out}, else exchange the layer for one of docs/layers.md or for a Python layer of your own"


def _has(message: str, name: str) -> bool:
    return name in caffe_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name


def _holders(message: Descriptor, name: str) -> list[str]:
    """The fields of a message that hold a field of this name one level down, and who alone knows them."""
    return [
        f"{field.name}{_only_in(message, field)}"
        for field in message.fields
        if field.message_type is not None and name in field.message_type.fields_by_name
    ]


def _only_in(message: Descriptor, field: FieldDescriptor) -> str:
    knowing = [
        dialect
        for dialect, schema in (("BVLC Caffe", bvlc_pb2), ("the SRN fork", srn_fork_pb2))
        if field.name in schema.DESCRIPTOR.message_types_by_name[message.name].fields_by_name
    ]
    return f" ({knowing[0]} only)" if len(knowing) == 1 else ""


def _unknown_value(full_name: str, name: str) -> str:
    enum = caffe_pb2.DESCRIPTOR.pool.FindEnumTypeByName(full_name)
    if name in enum.values_by_name:
        return f"{name} is a name, not a string: write it without quotes"
    near = get_close_matches(name.upper(), enum.values_by_name, n=1, cutoff=0.5)
    cure = f"did you mean {near[0]}?" if near else f"it has {', '.join(enum.values_by_name)}"
    return f"{enum.full_name.split('.', 1)[1]} has no value {name}; {cure}"


def fork_of_field(message: Descriptor, name: str) -> str | None:
    """The Caffe that has this field in this message, if it is one of the widely met."""
    return _FORKS.get(f"{message.name}.{name}") or _FORKS.get(name)
