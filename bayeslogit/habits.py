"""What a fit is asked for by users of statsmodels, scikit-learn and R, and what it has instead."""

from __future__ import annotations

_NO_P = "there are no p-values here: fit.sample().probability('x') is P(coefficient > 0), conf_int() says how large"
_CRITERIA = "fit.loo() scores predictions, with its uncertainty; fit.log_evidence compares priors"
_AUGMENT = "fit.augment() has fitted, residual and leverage of each row"

INSTEAD: dict[str, str] = {
    **dict.fromkeys(("pvalues", "tvalues", "zvalues", "t_test", "wald_test", "wald_test_terms", "f_test"), _NO_P),
    **dict.fromkeys(("aic", "bic", "AIC", "BIC", "aicc", "waic", "dic", "score_test"), _CRITERIA),
    **dict.fromkeys(("resid", "resid_response", "resid_dev", "resid_pearson", "residuals", "get_influence"), _AUGMENT),
    **dict.fromkeys(
        ("fittedvalues", "fitted", "predicted"), "fit.predict(kind='mode')['probability'], or fit.augment()"
    ),
    **dict.fromkeys(
        ("get_margeff", "margins", "marginal_effects", "avg_slopes"), "fit.effects('x') moves the variable"
    ),
    **dict.fromkeys(("llnull", "prsquared", "null_deviance", "df_null"), "fit the formula 'y ~ 1' and compare its llf"),
    **dict.fromkeys(("deviance", "logLik", "loglik", "llf_"), "fit.llf is the log likelihood; for 0/1 outcomes -2 llf"),
    **dict.fromkeys(("coef_", "coef", "coefficients", "coefs", "beta"), "fit.params"),
    **dict.fromkeys(("intercept_", "intercept"), "fit.params['Intercept']"),
    **dict.fromkeys(("predict_proba", "predict_prob"), "fit.predict(new)['probability']"),
    **dict.fromkeys(("decision_function", "predict_linear"), "fit.augment(new)['linear_predictor']"),
    **dict.fromkeys(("se", "std_err", "stderr", "sd", "standard_errors"), "fit.bse"),
    **dict.fromkeys(("confint", "credible_interval", "interval", "intervals", "hdi"), "fit.conf_int(prob=0.95)"),
    **dict.fromkeys(("vcov", "cov", "covariance", "normalized_cov_params"), "fit.cov_params()"),
    **dict.fromkeys(("summary2", "print_summary"), "fit.summary(), fit.tidy() and fit.glance()"),
    **dict.fromkeys(("summary_frame", "coef_table"), "fit.tidy()"),
    **dict.fromkeys(("save", "to_pickle"), "fit.to_json(path), which bayeslogit.load reads"),
    **dict.fromkeys(("mle_retvals", "mle_settings", "n_iter_", "iterations"), "fit.mode and fit.glance()"),
    **dict.fromkeys(("df_resid", "df_model", "df"), "fit.nobs, len(fit.params) and fit.effective_parameters"),
    **dict.fromkeys(("exog", "endog", "model", "X", "y"), "fit.design"),
    **dict.fromkeys(("posterior_samples", "samples", "draws", "trace", "as_draws", "posterior_draws"), "fit.sample()"),
    **dict.fromkeys(("to_arviz", "idata", "posterior_predictive"), "fit.sample().to_arviz()"),
    **dict.fromkeys(
        ("pred_table", "confusion_matrix", "score"), "fit.predict() and a threshold of yours; bayeslogit.check"
    ),
    **dict.fromkeys(("odds_ratio", "or_"), "fit.odds_ratios()"),
    **dict.fromkeys(("plot", "plot_diagnostics"), "bayeslogit.plot has the charts; bayeslogit.report writes them all"),
    "fit": "this is a fit; bayeslogit.fit(...) makes another",
}


def missing_attribute(kind: str, name: str) -> str:
    """The message for an attribute that a record does not have."""
    instead = INSTEAD.get(name)
    return f"{kind!r} object has no attribute {name!r}" + (f"; instead: {instead}." if instead else "")
