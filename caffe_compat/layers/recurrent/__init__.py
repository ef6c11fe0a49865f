"""Caffe's recurrent layers."""

from caffe_compat.layers.recurrent.continuation_indicator import ContinuationIndicator
from caffe_compat.layers.recurrent.lstm import LSTM
from caffe_compat.layers.recurrent.lstm_unit import LSTMUnit
from caffe_compat.layers.recurrent.rnn import RNN

__all__ = ["LSTM", "RNN", "ContinuationIndicator", "LSTMUnit"]
