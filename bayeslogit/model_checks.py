"""Does the model describe the data? Calibration, binned residuals, replicated statistics and influence, as records.

Each record prints as a table (`table()`) and draws itself (`chart()`); all take arrays.
"""

from bayeslogit.binned import BinnedResiduals as BinnedResiduals
from bayeslogit.binned import binned_residuals as binned_residuals
from bayeslogit.corp import CalibrationCurve as CalibrationCurve
from bayeslogit.corp import Decomposition as Decomposition
from bayeslogit.corp import calibration as calibration
from bayeslogit.influences import Influence as Influence
from bayeslogit.influences import influence as influence
from bayeslogit.replicated import Groups as Groups
from bayeslogit.replicated import PredictiveStatistics as PredictiveStatistics
from bayeslogit.replicated import predictive_statistics as predictive_statistics
