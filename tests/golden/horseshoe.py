"""The posterior under a regularised horseshoe by a long run of PyMC on a model written by hand.

Command: python tests/golden/horseshoe.py > tests/golden/horseshoe.json (minutes).
"""

import json
import sys

import arviz as az
import numpy as np
import pymc as pm

PROBS = (0.05, 0.5, 0.95)
DRAWS = 4000


def data():
    """120 rows, 8 columns with correlation 0.5 ** |i - j|, two effects."""
    rng = np.random.default_rng(11)
    root = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))))
    X = rng.standard_normal((120, 8)) @ root.T
    y = (rng.random(120) < 1.0 / (1.0 + np.exp(0.3 - 1.5 * X[:, 0] + X[:, 4]))).astype(int)
    return X, y


def main():
    X, y = data()
    with pm.Model():
        alpha = pm.Flat("alpha")
        tau = pm.HalfCauchy("tau", 0.1)
        local = pm.HalfCauchy("lambda", 1.0, shape=8)
        square = pm.InverseGamma("square", alpha=2.0, beta=2.0 * 2.5**2)
        shrunk = local * pm.math.sqrt(square / (square + tau**2 * local**2))
        beta = pm.Deterministic("beta", pm.Normal("z", shape=8) * tau * shrunk)
        pm.Bernoulli("y", logit_p=alpha + X @ beta, observed=y)
        tree = pm.sample(
            draws=DRAWS,
            tune=1000,
            chains=4,
            cores=1,
            target_accept=0.97,
            nuts_sampler="pymc",
            random_seed=1,
            progressbar=False,
        )
    found = {}
    for name in ("alpha", "beta", "tau"):
        draws = np.asarray(tree["posterior"][name]).reshape(4, DRAWS, -1)
        draws = np.log(draws) if name == "tau" else draws
        flat = draws.reshape(4 * DRAWS, -1)
        ess = [float(az.ess(draws[:, :, j], method="bulk")) for j in range(draws.shape[2])]
        found[name if name != "tau" else "log tau"] = {
            "mean": flat.mean(axis=0).tolist(),
            "sd": flat.std(axis=0).tolist(),
            "quantiles": np.quantile(flat, PROBS, axis=0).tolist(),
            "ess": ess,
        }
    record = {
        "command": "python tests/golden/horseshoe.py > tests/golden/horseshoe.json",
        "pymc": pm.__version__,
        "divergences": int(np.sum(tree["sample_stats"]["diverging"])),
        "global_scale": 0.1,
        "probs": PROBS,
        "posterior": found,
    }
    json.dump(record, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
