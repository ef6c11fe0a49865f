"""Layer types of other Caffes: unsupported types with a cure, and V1's names for supported types."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ForeignType:
    """An unsupported layer type: the Caffe that has it, and what a user can do."""

    caffe: str
    cure: str
    measures: bool = False

    @property
    def only_trains(self) -> bool:
        """Whether the layer compares with labels or writes files, so that a net for prediction can omit it."""
        return self.measures or self.cure in (_TRAINING_ONLY, _WRITER)


_DATA = "make an LMDB, an image list or an HDF5 file of its samples and read it with Data, ImageData or HDF5Data"
_TRAINING_ONLY = "take it out of the net that predicts, which does without; to train on, write it as a Python layer"
_WRITER = "take HDF5Output, or extract_features"
_OWN = "write it as a Python layer of your own"
_FLOAT = "take {} instead: its weights are the same, and numbers are not rounded to few bits"
_BYPASS = "take it out of the net that predicts: what reads its top reads its bottom then"
_HARDWARE = "its chip alone runs it; take it out and do its work before the net"

FOREIGN_TYPES = {
    "AnnotatedData": ForeignType("SSD", _DATA),
    "MultiBoxLoss": ForeignType("SSD", _TRAINING_ONLY),
    "DetectionEvaluate": ForeignType("SSD", _TRAINING_ONLY),
    "ImageSegData": ForeignType("DeepLab", _DATA),
    "SegAccuracy": ForeignType("DeepLab", "take Accuracy with ignore_label, which counts places", True),
    "MatWrite": ForeignType("DeepLab", _WRITER),
    "MatRead": ForeignType("DeepLab", _DATA),
    "DenseCRF": ForeignType("DeepLab", _OWN),
    "DenseImageData": ForeignType("SegNet", _DATA),
    "SpatialDropout": ForeignType("ENet", "take it out of the net that predicts, where it changes nothing"),
    "BoxAnnotatorOHEM": ForeignType("R-FCN", _TRAINING_ONLY),
    "ROIAlign": ForeignType("Mask R-CNN forks", f"ROIPooling rounds its bins, so that results differ; {_OWN}"),
    "Proposal": ForeignType("Faster R-CNN in C++", "take the Python layer rpn.proposal_layer of py-faster-rcnn"),
    "RegionLoss": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "Yolov3": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "Yolov3DetectionOutput": ForeignType("the YOLO ports", f"read the blobs before it; or {_OWN}"),
    "Mish": ForeignType("the YOLO v4 ports", "x tanh(log(1 + e^x)) is BNLL, TanH and an Eltwise PROD with the bottom"),
    "HardSwish": ForeignType(
        "MobileNet v3 forks", "x relu6(x + 3) / 6 is Power (shift 3), ReLU6, Power (scale 1/6) and an Eltwise PROD"
    ),
    "HSwish": ForeignType(
        "MobileNet v3 forks", "x relu6(x + 3) / 6 is Power (shift 3), ReLU6, Power (scale 1/6) and an Eltwise PROD"
    ),
    "HardSigmoid": ForeignType("MobileNet v3 forks", "take Power (scale and shift) and Clip (min 0, max 1)"),
    "HSigmoid": ForeignType("MobileNet v3 forks", "take Power (scale and shift) and Clip (min 0, max 1)"),
    "LeakyReLU": ForeignType("forks", "take ReLU with negative_slope"),
    "LReLU": ForeignType("forks", "take ReLU with negative_slope"),
    "CReLU": ForeignType("forks", "take Power (scale -1), Concat of it behind the bottom, and ReLU"),
    "Sqrt": ForeignType("forks", "take Power (power 0.5)"),
    "Square": ForeignType("forks", "take Power (power 2)"),
    "Transpose": ForeignType("forks", "take Permute, whose order is its dims"),
    "BatchNormalization": ForeignType("forks", "take BatchNorm and Scale"),
    "CenterLoss": ForeignType("the face recognition forks", _TRAINING_ONLY),
    "TripletLoss": ForeignType("the face recognition forks", _TRAINING_ONLY),
    "MarginInnerProduct": ForeignType("SphereFace", _TRAINING_ONLY),
    "Correlation": ForeignType("FlowNet", _OWN),
    "FlowWarp": ForeignType("FlowNet", _OWN),
    "Resample": ForeignType("FlowNet", "Interp resizes from corner to corner, which is not the same; " + _OWN),
    "CPMData": ForeignType("OpenPose", _DATA),
    "MultiStageMeanfield": ForeignType("CRF-RNN", _OWN),
    "WarpCTC": ForeignType("the CTC forks", _TRAINING_ONLY),
    "CtcLoss": ForeignType("the CTC forks", _TRAINING_ONLY),
    "Lstm": ForeignType("junhyukoh's LSTM", "LSTM is BVLC's: other weights and bottoms; train it anew"),
    "Convolution3D": ForeignType(
        "C3D", "take Convolution, which has kernel_size, stride and pad for any number of axes"
    ),
    "Pooling3D": ForeignType("C3D", f"Pooling has two axes here; {_OWN}"),
    "Deconvolution3D": ForeignType("C3D", "take Deconvolution, which has kernel_size, stride and pad for any axes"),
    "VIDEO_DATA": ForeignType("C3D", _DATA),  # V1's word; VideoData is the SRN fork's, which reads other lists
    "VIDEO_SEGMENTATION_DATA": ForeignType("C3D", _DATA),
    "VIDEO_WITH_VOXEL_TRUTH_DATA": ForeignType("C3D", _DATA),
    "VOLUME_DATA": ForeignType("C3D", _DATA),
    "VOXEL_SOFTMAX": ForeignType("C3D", "take Softmax, whose axis is 1 for any number of axes"),
    "VOXEL_SOFTMAX_LOSS": ForeignType("C3D", "take SoftmaxWithLoss, whose axis is 1 for any number of axes", True),
    "VOXEL_CUSTOM_LOSS": ForeignType("C3D", _TRAINING_ONLY),
    "DOWN_SAMPLING": ForeignType("C3D", _OWN),
    "EltwiseProduct": ForeignType("Caffes of 2013 and C3D", "take Eltwise with operation: PROD"),
    "L2Normalize": ForeignType("C3D", "take Normalize with across_spatial and channel_shared false"),
    "EltwiseAccuracy": ForeignType("DeconvNet", "take Accuracy, which counts places", True),
    "WindowSegData": ForeignType("DeconvNet", _DATA),
    "WindowInstSegData": ForeignType("DeconvNet", _DATA),
    "WindowClsData": ForeignType("DeconvNet", _DATA),
    "LabelsequenceAccuracy": ForeignType("deepdetect", _TRAINING_ONLY),
    "SeLuDropout": ForeignType("forks", "take it out of the net that predicts, where it changes nothing"),
    "MergeCrop": ForeignType("the U-Net forks", "take Crop, then Concat"),
    "Maxout": ForeignType("forks", "take Slice, then Eltwise MAX"),
    "Local": ForeignType("forks", f"its filters differ from place to place; {_OWN}"),
    "ImageLabelmapData": ForeignType("HED", _DATA),
    "SegData": ForeignType("yjxiong's Caffe", _DATA),
    "SyncBN": ForeignType("yjxiong's Caffe", "take BN, whose statistics are the same for one process"),
    "AdaptiveBiasChannel": ForeignType("DeepLab", _BYPASS),
    "BiasChannel": ForeignType("DeepLab", _BYPASS),
    "UniqueLabel": ForeignType("DeepLab", _TRAINING_ONLY),
    "DomainTransform": ForeignType("DeepLab", _OWN),
    "DomainTransformForwardOnly": ForeignType("DeepLab", _OWN),
    "SpatialProduct": ForeignType("DeepLab", "take Tile over the channels, then Eltwise PROD"),
    "SmoothL1LossOHEM": ForeignType("R-FCN", _TRAINING_ONLY),
    "SoftmaxWithLossOHEM": ForeignType("R-FCN", _TRAINING_ONLY),
    "ConvolutionRistretto": ForeignType("Ristretto", _FLOAT.format("Convolution")),
    "DeconvolutionRistretto": ForeignType("Ristretto", _FLOAT.format("Deconvolution")),
    "FcRistretto": ForeignType("Ristretto", _FLOAT.format("InnerProduct")),
    "LRNRistretto": ForeignType("Ristretto", _FLOAT.format("LRN")),
    "DetectNetTransformation": ForeignType("NVIDIA's Caffe", _DATA),
    "TRT": ForeignType("NVIDIA's Caffe", "it holds a TensorRT engine; give the net that the engine was made of"),
    "L1Loss": ForeignType("NVIDIA's Caffe and FlowNet", _TRAINING_ONLY),
    "MKLBatchNorm": ForeignType("Intel's Caffe", "take BatchNorm"),
    "MnActivation": ForeignType("Intel's Caffe", "take it out: it moves data between machines"),
    "BoxData": ForeignType("the YOLO ports", _DATA),
    "LaneData": ForeignType("the YOLO ports", _DATA),
    "EvalDetection": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "Region": ForeignType("the YOLO ports", _OWN),
    "GaussianYolov3": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "YoloSeg": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "YoloSegLoss": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "AssistedExcitation": ForeignType("the YOLO ports", _BYPASS),
    "SegmentationEvaluate": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "OPData": ForeignType("OpenPose", _DATA),
    "OPVideo": ForeignType("OpenPose", _DATA),
    "EuclideanmaskLoss": ForeignType("OpenPose", _TRAINING_ONLY),
    "AnnotatedDataMask": ForeignType("SSTD", _DATA),
    "MultiBoxOrientedLoss": ForeignType("SSTD", _TRAINING_ONLY),
    "DetectionOrientedOutput": ForeignType("SSTD", f"read the blobs before it; or {_OWN}"),
    "CustomData": ForeignType("FlowNet", _DATA),
    "ImgReader": ForeignType("FlowNet", _DATA),
    "FloatReader": ForeignType("FlowNet", _DATA),
    "DataAugmentation": ForeignType("FlowNet", _BYPASS),
    "FlowAugmentation": ForeignType("FlowNet", _BYPASS),
    "GenerateAugmentationParameters": ForeignType("FlowNet", _BYPASS),
    "LpqLoss": ForeignType("FlowNet", _TRAINING_ONLY),
    "Downsample": ForeignType("FlowNet", _OWN),
    "Accum": ForeignType("FlowNet", _OWN),
    "ChannelNorm": ForeignType("FlowNet", "take Power (power 2), Reduction SUM over the channels, Power (power 0.5)"),
    "Correlation1D": ForeignType("FlowNet", _OWN),
    "Mean": ForeignType("FlowNet", "subtract the mean before the net, or with Bias"),
    "NegReLU": ForeignType("FlowNet", "take ReLU between two Power of scale -1"),
    "FLOWriter": ForeignType("FlowNet", _WRITER),
    "ImgWriter": ForeignType("FlowNet", _WRITER),
    "FloatWriter": ForeignType("FlowNet", _WRITER),
    "PFMWriter": ForeignType("FlowNet", _WRITER),
    "FocalLoss": ForeignType("forks", _TRAINING_ONLY),
    "MultiLabelImageData": ForeignType("happynear/caffe-windows", "ImageData has label_source for several labels"),
    "Gram": ForeignType("happynear/caffe-windows", _OWN),
    "Flip": ForeignType("happynear/caffe-windows", _OWN),
    "Noise": ForeignType("happynear/caffe-windows", _BYPASS),
    "Insanity": ForeignType("happynear/caffe-windows", "take ReLU with the mean of its slopes to predict"),
    "InnerDistance": ForeignType("happynear/caffe-windows", _OWN),
    "LargeMarginInnerProduct": ForeignType("happynear/caffe-windows", "take InnerProduct to predict"),
    "ChannelScale": ForeignType("happynear/caffe-windows", _OWN),
    "LabelSpecificAdd": ForeignType("happynear/caffe-windows", _BYPASS),
    "AddPad": ForeignType("Cambricon's Caffe", "give the pad to the next layer"),
    "Yolov3Detection": ForeignType("Cambricon's Caffe", f"read the blobs before it; or {_OWN}"),
    "SsdDetection": ForeignType("Cambricon's Caffe", "take DetectionOutput"),
    "ImageDetect": ForeignType("Cambricon's Caffe", f"read the blobs before it; or {_OWN}"),
    "MLUYUVtoRGB": ForeignType("Cambricon's Caffe", _HARDWARE),
    "MLUResizeConvert": ForeignType("Cambricon's Caffe", _HARDWARE),
    "MLUResizecrop": ForeignType("Cambricon's Caffe", _HARDWARE),
    "IntersectionOverUnion": ForeignType("segmentation forks", _TRAINING_ONLY),
    "MinReLU": ForeignType("segmentation forks", "take ReLU between two Power of scale -1"),
}

#: V1's words of other Caffes (`layers { type: CROP }`) for types that are here. BVLC's own are in upgrade/v1.py.
V1_WORDS = {
    "AXPY": "Axpy",
    "BATCHNORM": "BatchNorm",
    "BATCH_NORM": "BatchNorm",
    "BATCH_REDUCTION": "BatchReduction",
    "BATCH_REINDEX": "BatchReindex",
    "BIAS": "Bias",
    "BN": "BN",
    "CLIP": "Clip",
    "CONTINUATION_INDICATOR": "ContinuationIndicator",
    "CONVOLUTION_DEPTHWISE": "ConvolutionDepthwise",
    "CROP": "Crop",
    "DEPTHWISE_CONVOLUTION": "DepthwiseConvolution",
    "DETECTION_OUTPUT": "DetectionOutput",
    "ELU": "ELU",
    "EMBED": "Embed",
    "FILTER": "Filter",
    "GATHER": "Gather",
    "IMRESIZE": "ImResize",
    "IM_RESIZE": "ImResize",
    "INPUT": "Input",
    "INTERP": "Interp",
    "LOG": "Log",
    "LSTM": "LSTM",
    "LSTM_UNIT": "LSTMUnit",
    "MASK_POOLING": "MaskPooling",
    "MASK_RESIZE": "MaskResize",
    "NMS": "Nms",
    "NORMALIZE": "Normalize",
    "PARAMETER": "Parameter",
    "PERMUTE": "Permute",
    "PRELU": "PReLU",
    "PRIORBOX": "PriorBox",
    "PRIOR_BOX": "PriorBox",
    "PSROIPOOLING": "PSROIPooling",
    "PSROI_POOLING": "PSROIPooling",
    "PYTHON": "Python",
    "REDUCTION": "Reduction",
    "RELU6": "ReLU6",
    "REORG": "Reorg",
    "RESHAPE": "Reshape",
    "RNN": "RNN",
    "ROIPOOLING": "ROIPooling",
    "ROI_POOLING": "ROIPooling",
    "ROI_WARPING": "ROIWarping",
    "SCALE": "Scale",
    "SCATTER": "Scatter",
    "SHUFFLE_CHANNEL": "ShuffleChannel",
    "SMOOTH_L1_LOSS": "SmoothL1Loss",
    "SPP": "SPP",
    "SWISH": "Swish",
    "TILE": "Tile",
    "UNPOOLING": "Unpooling",
    "UPSAMPLE": "Upsample",
    "YOLO_DETECTION_OUTPUT": "YoloDetectionOutput",
}

_FOLDED = {name.replace("_", "").lower(): name for name in FOREIGN_TYPES}


def foreign_type(name: str) -> str | None:
    """Returns the key in FOREIGN_TYPES of a type in today's or V1's spelling (SEG_ACCURACY); None for other types."""
    if name in FOREIGN_TYPES:
        return name
    if name in V1_WORDS or not name.isupper():  # Lstm is another's, LSTM is BVLC's
        return None
    return _FOLDED.get(name.replace("_", "").lower())


def type_of_v1(word: str) -> str:
    """Returns today's name of a V1 type of other Caffes; returns an unknown word unchanged."""
    return V1_WORDS.get(word) or foreign_type(word) or word
