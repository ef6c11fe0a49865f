"""Layer types of other Caffes that are not here: whose they are, and what to write in their place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ForeignType:
    """Which Caffe has it, and what a user can do."""

    caffe: str
    cure: str

    @property
    def only_trains(self) -> bool:
        """Whether the layer compares with labels, so that a net that predicts does without it."""
        return self.cure == _TRAINING_ONLY


_DATA = "make an LMDB, an image list or an HDF5 file of its samples and read it with Data, ImageData or HDF5Data"
_TRAINING_ONLY = "take it out of the net that predicts, which does without; to train on, write it as a Python layer"
_OWN = "write it as a Python layer of your own"

FOREIGN_TYPES = {
    "AnnotatedData": ForeignType("SSD", _DATA),
    "MultiBoxLoss": ForeignType("SSD", _TRAINING_ONLY),
    "DetectionEvaluate": ForeignType("SSD", _TRAINING_ONLY),
    "ImageSegData": ForeignType("DeepLab", _DATA),
    "SegAccuracy": ForeignType("DeepLab", "take Accuracy with ignore_label, which counts places"),
    "MatWrite": ForeignType("DeepLab", "take HDF5Output, or extract_features"),
    "MatRead": ForeignType("DeepLab", _DATA),
    "DenseCRF": ForeignType("DeepLab", _OWN),
    "DenseImageData": ForeignType("SegNet", _DATA),
    "SpatialDropout": ForeignType("ENet", "take it out of the net that predicts, where it changes nothing"),
    "PSROIPooling": ForeignType("R-FCN", _OWN),
    "BoxAnnotatorOHEM": ForeignType("R-FCN", _TRAINING_ONLY),
    "ROIAlign": ForeignType("Mask R-CNN forks", f"ROIPooling rounds its bins, so that results differ; {_OWN}"),
    "Proposal": ForeignType("Faster R-CNN in C++", "take the Python layer rpn.proposal_layer of py-faster-rcnn"),
    "Reorg": ForeignType("the YOLO ports", _OWN),
    "RegionLoss": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "Yolov3": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "YoloSegLoss": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "EvalDetection": ForeignType("the YOLO ports", _TRAINING_ONLY),
    "BoxData": ForeignType("the YOLO ports", _DATA),
    "YoloDetectionOutput": ForeignType("the YOLO ports", f"read the blobs before it; or {_OWN}"),
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
    "ImResize": ForeignType("OpenPose", _OWN),
    "Nms": ForeignType("OpenPose", _OWN),
    "MultiStageMeanfield": ForeignType("CRF-RNN", _OWN),
    "WarpCTC": ForeignType("the CTC forks", _TRAINING_ONLY),
    "CtcLoss": ForeignType("the CTC forks", _TRAINING_ONLY),
    "Lstm": ForeignType("junhyukoh's LSTM", "LSTM is BVLC's: other weights and bottoms; train it anew"),
    "Convolution3D": ForeignType(
        "C3D", "take Convolution, which has kernel_size, stride and pad for any number of axes"
    ),
    "Pooling3D": ForeignType("C3D", f"Pooling has two axes here; {_OWN}"),
}
