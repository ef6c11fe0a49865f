"""The released MATLAB functions once more, as plain loops over Python numbers."""

from fractions import Fraction

EPS = 2.0**-52


def ranked(labels, confidences):
    """Labels by falling confidence; Python's sort is stable, as MATLAB's is."""
    order = sorted(range(len(labels)), key=lambda image: -confidences[image])
    return [labels[image] for image in order]


def interpolated_average_precision(labels, confidences, absent):
    """AP of one class with VOC 2012's envelope over all ranks; `absent` lists the labels that count as wrong."""
    positives = sum(label == 1 for label in labels)
    if not positives:
        return float("nan")
    recalls, precisions, right, wrong = [0.0], [0.0], 0, 0
    for label in ranked(labels, confidences):
        right += label == 1
        wrong += label in absent
        recalls.append(right / positives)
        precisions.append(right / (right + wrong) if right + wrong else 0.0)
    recalls.append(1.0)
    precisions.append(0.0)
    for rank in range(len(precisions) - 2, -1, -1):
        precisions[rank] = max(precisions[rank], precisions[rank + 1])
    steps = range(1, len(recalls))
    return sum((recalls[rank] - recalls[rank - 1]) * precisions[rank] for rank in steps)


def eleven_point_average_precision(labels, confidences, absent):
    """AP of one class as VOC 2007 defines it: at each recall the best precision of all ranks that reach it."""
    positives = sum(label == 1 for label in labels)
    if not positives:
        return float("nan")
    curve, right, wrong = [], 0, 0
    for label in ranked(labels, confidences):
        right += label == 1
        wrong += label in absent
        if right + wrong:
            curve.append((Fraction(right, positives), right / (right + wrong)))
    points = [Fraction(tenth, 10) for tenth in range(11)]
    return sum(max(precision for recall, precision in curve if recall >= point) for point in points) / 11


def precision_recall_f1(present, decided):
    """Precision, recall and F1 of one column of flags."""
    right = sum(bool(a and b) for a, b in zip(present, decided, strict=True)) + EPS
    precision = right / (sum(map(bool, decided)) + EPS)
    recall = right / (sum(map(bool, present)) + EPS) + EPS
    return precision, recall, 2 * precision * recall / (precision + recall)
