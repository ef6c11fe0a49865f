"""Fields that neither BVLC's Caffe nor the SRN fork has: the Caffe of each, and which do not change predictions.

A plain name means the field in every message; `Message.field` means the field of one message.
"""

_ENGINES = (
    "AccuracyParameter", "ArgMaxParameter", "BatchNormParameter", "BiasParameter", "ConcatParameter",
    "ContrastiveLossParameter", "CropParameter", "DetectionOutputParameter", "DropoutParameter", "ELUParameter",
    "EltwiseParameter", "EmbedParameter", "ExpParameter", "FlattenParameter", "InnerProductParameter",
    "InterpParameter", "LogParameter", "LossParameter", "MVNParameter", "NonMaximumSuppressionParameter",
    "NormalizeParameter", "PReLUParameter", "PermuteParameter", "PowerParameter", "PriorBoxParameter",
    "ROIPoolingParameter", "RecurrentParameter", "ReductionParameter", "ReshapeParameter", "SaveOutputParameter",
    "ScaleParameter", "ShuffleChannelParameter", "SliceParameter", "ThresholdParameter", "UpsampleParameter",
)  # fmt: skip

#: By Caffe, fields that do not change predictions: kernels, number formats, memory, machines, displays. Left out.
NO_EFFECT = {
    "NVIDIA's Caffe": (
        "default_forward_type", "default_backward_type", "default_forward_math", "default_backward_math",
        "forward_type", "backward_type", "forward_math", "backward_math", "cudnn_math_override",
        "default_cudnn_math_override", "default_conv_algos_override", "conv_algos_override",
        "cudnn_convolution_algo_seeker", "solver_data_type", "global_grad_scale", "global_grad_scale_adaptive",
        "reduce_buckets", "eltwise_mem_sharing", "store_blobs_in_old_format", "DataParameter.threads",
        "DataParameter.parser_threads", "DataParameter.cache", "DataParameter.precache", "ImageDataParameter.threads",
        "ImageDataParameter.cache", "ImageDataParameter.precache", "ImageDataParameter.dataset_share_per_node",
        "use_gpu_transform", "forward_packing", "TransformationParameter.random_seed",
        "TransformationParameter.display", "DropoutParameter.random_seed", "LayerParameter.debug",
    ),
    "Intel's Caffe": (
        "NetParameter.engine", "LayerParameter.engine", "SolverParameter.engine", "compile_net_state",
        "bn_stats_batch_size", "stats_batch_size", "multinode", "mn_activation_param", "mn_grad_compress_param",
        "mn_param_grad_compress_param", "conv_algorithm", "per_fla_fuse",
        *(f"{message}.engine" for message in _ENGINES),
    ),
    "Ristretto and Intel's Caffe": ("quantization_param",),
    "Cambricon's Caffe": (
        "opt_level", "top_mlu_dtype", "bottom_mlu_dtype", "blobs_dtype", "debug_dtype", "sparse_mode",
        "LayerParameter.sparsity", "external_output", "use_faster_roipooling",
    ),
    "yjxiong's Caffe": ("group_id",),
    "PSPNet": ("update_global_stats",),
    "SSD": ("eval_type", "ap_version", "show_per_class_result"),
    "deepdetect": ("NonMaximumSuppressionParameter.theta",),  # of soft_nms, which is refused where it is true
    "FlowNet": ("disk_reader_threads", "DataParameter.verbose", "reshape_every_iter"),
    "C3D": ("show_data",),
    "OpenPose": ("TransformationParameter.visualize",),
}  # fmt: skip

#: By Caffe, fields that change results of a net or solver and are not supported here. They raise an error.
REFUSED = {
    "SSD": ("plateau_winsize",),
    "DeepLab": (
        "label_type", "seg_accuracy_param", "mat_read_param", "mat_write_param", "densecrf_param", "dense_crf_param",
        "adaptive_bias_channel_param", "bias_channel_param", "domain_transform_param", "unique_label_param",
        "crop_width", "crop_height", "scale_factors", "ImageDataParameter.ignore_label",
    ),
    "SegNet": ("dense_image_data_param", "weight_by_label_freqs", "class_weighting"),
    "ENet": ("spatial_dropout_param",),
    "DeconvNet": (
        "window_cls_data_param", "eltwise_accuracy_param", "binary_accuracy_param",
        "red_accuracy_param", "red_softmax_loss_param", "select_seg_binary_param", "max_labels", "has_label",
        "other_object_label",
    ),
    "C3D": (
        "convolution3d_param", "pooling3d_param", "kernel_depth", "temporal_pad", "temporal_stride", "filter_group",
        "down_sampling_param", "sampling_rate", "use_temporal_jitter", "use_image", "num_truth_channels",
    ),
    "NVIDIA's Caffe": (
        "rampup_interval",
        "rampup_lr", "min_lr", "larc", "larc_policy", "larc_eta", "larc_turbo", "momentum_policy", "max_momentum",
        "momentum_power", "weight_decay_policy", "weight_decay_power", "max_weight_decay",
        "test_and_snapshot_last_epochs", "label_smoothing", "torch_pooling", "ELUParameter.lambda",
        "detectnet_groundtruth_param", "detectnet_augmentation_param", "trt_param", "img_rand_resize_lower",
        "img_rand_resize_upper", "rand_resize_ratio_lower", "rand_resize_ratio_upper", "vertical_stretch_lower",
        "vertical_stretch_upper", "horizontal_stretch_lower", "horizontal_stretch_upper", "interpolation_algo_down",
        "interpolation_algo_up", "allow_upscale", "short_side", "VideoDataParameter.video_file", "video_type",
    ),
    "Intel's Caffe": (
        "ConvolutionParameter.relu", "ConvolutionParameter.negative_slope", "fusion_type", "ConvolutionParameter.coeff",
        "InnerProductParameter.relu", "InnerProductParameter.negative_slope", "BatchNormParameter.relu",
        "avg_include_pad",
        "kernel_size_3d", "stride_3d", "pad_3d", "pixelshuffler", "local_lr_auto", "local_gw_ratio", "warmup_iter",
        "warmup_start_lr", "test_offset", "disabled_update", "random_resize_param", "random_aspect_ratio_param",
        "min_width", "min_height", "bgr2rgb", "ReLUParameter.fuse", "FillerParameter.scale",
    ),
    "the YOLO ports": (
        "region_loss_param", "region_param", "yolov3_param", "eval_detection_param",
        "yolov3_detection_output_param", "mish_param", "yolo_seg_param",
        "segmentation_evaluate_param", "stagelr", "stageiter", "DataParameter.side",
        "DetectionOutputParameter.classes", "DetectionOutputParameter.side", "DetectionOutputParameter.num_box",
        "DetectionOutputParameter.coords", "DetectionOutputParameter.nms_threshold",
        "DetectionOutputParameter.biases", "DetectionOutputParameter.label_map_file",
    ),
    "RefineDet and deepdetect": ("objectness_score", "soft_nms"),
    "deepdetect": ("labelsequence_accuracy_param",),
    "R-FCN": (
        "box_annotator_ohem_param", "pre_fixed_normalizer", "proposal_param", "roi_align_param",
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
        "accum_param", "black_augmentation_param", "diag_val", "preselection_file", "preselection_label",
        "range_start", "range_end", "rand_permute", "rand_permute_seed", "DataParameter.slice_point", "encoding",
        "DataParameter.subtract", "permute_every_iter", "block_size",
    ),
    "OpenPose": ("cpm_transform_param", "op_transform_param"),
    "the face recognition forks": ("center_loss_param", "triplet_loss_param", "margin_inner_product_param"),
    "happynear/caffe-windows": (
        "insanity_param", "local_param", "flip_param", "InnerProductParameter.normalize", "normalize_type",
        "bp_norm", "fix_gradient", "largemargin_inner_product_param", "channel_scale_param", "focal_loss_param",
        "ScaleParameter.min_value", "ScaleParameter.max_value", "general_contrastive_loss_param",
        "label_specific_add_param", "center_crop", "erase_ratio", "SoftmaxParameter.class_weight",
    ),
    "CRF-RNN": ("multi_stage_meanfield_param",),
    "junhyukoh/caffe-lstm": ("lstm_param",),
    "TSN's Caffe": (
        "BatchReductionParameter.pos",
        "seg_data_param", "upper_height", "upper_width", "upper_size", "TransformationParameter.stride", "grayscale",
    ),
    "Cambricon's Caffe": (
        "ConvolutionParameter.mean_file", "ConvolutionParameter.mean_value", "ConvolutionParameter.std", "same_mode",
        "input_format", "yuv_input", "addpad_param", "crelu_param", "priorbox_params", "nearestneighbor_mode",
    ),
    "twtygqyy/caffe-augmentation": (
        "min_side", "min_side_min", "min_side_max", "max_rotation_angle", "contrast_brightness_adjustment",
        "smooth_filtering", "min_contrast", "max_contrast", "max_brightness_shift", "max_smooth", "max_color_shift",
        "apply_probability", "min_scaling_factor", "max_scaling_factor", "debug_params",
    ),
}  # fmt: skip

#: Values of fields of the schema that change no prediction: which kernels or which chip.
_NO_EFFECT_VALUES = {"engine": {"MKL2017", "MKLDNN", "MLU"}, "solver_mode": {"MLU"}}

#: By value, fields that do nothing at this value in the Caffe that has them, which is their default there.
UNUSED_AT = {
    "false": (
        "AccuracyParameter.min_is_better", "BatchNormParameter.disable_mean", "BatchNormParameter.disable_variance",
        "BatchNormParameter.relu", "BatchReductionParameter.pos", "ConvolutionParameter.relu",
        "ConvolutionParameter.same_mode", "ConvolutionParameter.yuv_input", "DropoutParameter.sqrt_scale",
        "ImageDataParameter.balance_class", "ImageDataParameter.face_mirror", "ImageDataParameter.face_transform",
        "InnerProductParameter.normalize", "InnerProductParameter.relu", "LossParameter.weight_by_label_freqs",
        "NonMaximumSuppressionParameter.soft_nms",
        "NormalizeParameter.bp_norm", "NormalizeParameter.fix_gradient", "PoolingParameter.torch_pooling",
        "ReLUParameter.fuse", "SolverParameter.disabled_update", "SolverParameter.larc", "SolverParameter.larc_turbo",
        "SolverParameter.local_lr_auto", "TransformationParameter.allow_upscale", "TransformationParameter.bgr2rgb",
        "TransformationParameter.center_crop", "TransformationParameter.contrast_brightness_adjustment",
        "TransformationParameter.cvt_bgr2rgb", "TransformationParameter.debug_params",
        "TransformationParameter.do_clahe", "TransformationParameter.enable_classf_aug",
        "TransformationParameter.flow", "TransformationParameter.smooth_filtering",
        "UpsampleParameter.nearestneighbor_mode",
    ),
    "true": ("InterpParameter.align_corners", "PoolingParameter.avg_include_pad"),
    "0": (
        "ConvolutionParameter.binary", "ConvolutionParameter.negative_slope", "InnerProductParameter.negative_slope",
        "LossParameter.label_smoothing", "PSROIPoolingParameter.no_pad_shift", "ReLUParameter.upper_limit",
        "SoftmaxParameter.label_smooth_factor", "SolverParameter.min_lr", "SolverParameter.rampup_interval",
        "SolverParameter.rampup_lr", "SolverParameter.test_and_snapshot_last_epochs", "SolverParameter.test_offset",
        "SolverParameter.warmup_iter", "SolverParameter.warmup_start_lr", "TransformationParameter.crop_height",
        "TransformationParameter.crop_width", "TransformationParameter.erase_ratio",
        "TransformationParameter.img_rand_resize_lower", "TransformationParameter.img_rand_resize_upper",
        "TransformationParameter.max_color_shift", "TransformationParameter.max_rotation_angle",
        "TransformationParameter.min_side", "TransformationParameter.min_side_max",
        "TransformationParameter.min_side_min", "TransformationParameter.num_labels",
        "TransformationParameter.rand_resize_ratio_lower", "TransformationParameter.rand_resize_ratio_upper",
    ),
    "1": (
        "ConvolutionParameter.filter_group", "ConvolutionParameter.temporal_stride", "ELUParameter.lambda",
        "FillerParameter.scale", "PoolingParameter.temporal_stride", "ReshapeParameter.pixelshuffler",
        "TransformationParameter.horizontal_stretch_lower", "TransformationParameter.horizontal_stretch_upper",
        "TransformationParameter.stride", "TransformationParameter.vertical_stretch_lower",
        "TransformationParameter.vertical_stretch_upper",
    ),
    "-1": ("SolverParameter.clip_weights",),
}  # fmt: skip

_UNUSED = {field: value for value, fields in UNUSED_AT.items() for field in fields}
#: Other spellings of these values in a text.
_SPELLINGS = {"False": "false", "f": "false", "True": "true", "t": "true"}

_LEFT_OUT = {field: fork for fork, fields in NO_EFFECT.items() for field in fields}
_REFUSED = {field: fork for fork, fields in REFUSED.items() for field in fields}


def fork_of_field(message: str, field: str) -> str | None:
    """The Caffe that has this field in this message, if the field is known to change what a net does."""
    return _REFUSED.get(f"{message}.{field}") or _REFUSED.get(field)


def fork_of_field_without_effect(message: str, field: str, value: str = "") -> str | None:
    """The Caffe whose field this is, if the field, or its `value` of an enum, changes no prediction."""
    if value:
        return "other Caffes" if value in _NO_EFFECT_VALUES.get(field, ()) else None
    return _LEFT_OUT.get(f"{message}.{field}") or _LEFT_OUT.get(field)


def is_unused_at(message: str, field: str, given: str) -> bool:
    """Whether a field of another Caffe does nothing there at the value that a text gives, such as `relu: false`."""
    off = _UNUSED.get(f"{message}.{field}")
    if off is None or not given:
        return False
    if off in ("true", "false"):
        return _SPELLINGS.get(given, given) in ({off, "0"} if off == "false" else {off, "1"})
    try:
        return float(given.rstrip("fF")) == float(off)
    except ValueError:
        return False
