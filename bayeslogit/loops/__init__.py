"""The compiled loops; `kernels` opens this room, with numba in it, when data are large enough to be worth it.

None of them starts a thread, holds a lock or calls a BLAS: blocks run side by side in `workers`. Rows are centred while
they are read, ``x - center``, so no centred copy is ever made. Every loop has a twin in NumPy, in `kernels`.
"""

from __future__ import annotations

from bayeslogit.loops import algebra, columns, dense, descent, groups, panels, rows, sparse
from bayeslogit.loops.compile import Loop

LOOPS: dict[str, Loop] = {
    "predict": dense.predict,
    "score": dense.score,
    "slope": dense.slope,
    "information": dense.information,
    "expand": dense.expand,
    "moments": dense.moments,
    "predict_columns": columns.predict_columns,
    "score_columns": columns.score_columns,
    "slope_columns": columns.slope_columns,
    "information_columns": columns.information_columns,
    "expand_columns": columns.expand_columns,
    "moments_columns": columns.moments_columns,
    "cholesky": algebra.cholesky,
    "solve": algebra.solve,
    "variances": algebra.variances,
    "descend": descent.descend,
    "descend_groups": groups.descend_groups,
    "panel_slope": panels.panel_slope,
    "panel_information": panels.panel_information,
    "group_rows": rows.group_rows,
    "sparse_predict": sparse.sparse_predict,
    "sparse_score": sparse.sparse_score,
    "sparse_information": sparse.sparse_information,
}
