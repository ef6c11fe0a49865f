"""Fields that neither BVLC Caffe nor the SRN fork has, and whose they are: what an error can say of them."""

from google.protobuf.descriptor import Descriptor

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


def fork_of_field(message: Descriptor, name: str) -> str | None:
    """The Caffe that has this field in this message, if it is one of the widely met."""
    return _FORKS.get(f"{message.name}.{name}") or _FORKS.get(name)
