# Firth's estimates by brglm2, for tests/test_firth.py: Rscript tests/golden/firth.R > tests/golden/firth.json
# Run from the root of the repository; needs brglm2 (Debian: r-cran-brglm2). Data that are ours are written out too.
suppressMessages(library(brglm2))
tight <- brglmControl(type = "AS_mean", epsilon = 1e-13, maxit = 100000)
folder <- "bayeslogit/datasets/"
cases <- list()

number <- function(x) paste0("[", paste(sprintf("%.17g", as.numeric(x)), collapse = ", "), "]")
keep <- function(name, fit, data = NULL) {
  stopifnot(fit$converged)
  parts <- c(
    sprintf('"names": [%s]', paste0('"', names(coef(fit)), '"', collapse = ", ")),
    sprintf('"coef": %s', number(coef(fit))),
    sprintf('"se": %s', number(sqrt(diag(vcov(fit)))))
  )
  if (!is.null(data)) {
    columns <- sapply(names(data), function(each) sprintf('"%s": %s', each, number(data[[each]])))
    parts <- c(parts, sprintf('"data": {%s}', paste(columns, collapse = ", ")))
  }
  cases[[name]] <<- sprintf('"%s": {%s}', name, paste(parts, collapse = ",\n  "))
}
firth <- function(formula, data, weights = rep(1, nrow(data))) {
  data$weight <- weights
  environment(formula) <- environment()
  glm(formula, family = binomial(), data = data, weights = weight, method = "brglmFit", control = tight)
}

wells <- read.csv(paste0(folder, "wells.csv"))
keep("wells", firth(switch ~ dist100 + arsenic + educ4, wells))
lbw <- read.csv(paste0(folder, "lbw.csv"))
keep("lbw", firth(low ~ age + lwt + smoke + ptl + ht + ui + ftv, lbw))
pima <- read.csv(paste0(folder, "pima.csv"))
pima$yes <- as.numeric(pima$type == "Yes")
keep("pima", firth(yes ~ npreg + glu + bp + skin + bmi + ped + age, pima))
berkeley <- read.csv(paste0(folder, "berkeley.csv"))
keep("berkeley", firth(cbind(admitted, applicants - admitted) ~ gender + department, berkeley))

set.seed(20240229)
x <- round(matrix(rnorm(60), 30), 3)
complete <- data.frame(y = as.numeric(x[, 1] > 0.2), x1 = x[, 1], x2 = x[, 2])
keep("complete separation", firth(y ~ x1 + x2, complete), complete)
quasi <- data.frame(
  y = c(0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1), x1 = c(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1),
  x2 = round(rnorm(12), 3), w = c(3, 1, 2, 4, 2, 1, 0, 2, 1, 1, 5, 1), o = round(rnorm(12), 2)
)
keep("quasi-separation, weights, offset", firth(y ~ x1 + x2 + offset(o), quasi, quasi$w), quasi)
few <- data.frame(y = c(0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1), round(matrix(rnorm(12 * 7), 12), 3))
keep("12 rows, 8 columns", firth(reformulate(names(few)[-1], "y"), few), few)
counts <- data.frame(y = c(3, 0, 7, 5), m = c(3, 6, 9, 5), x1 = c(1.5, -0.5, 0.25, 2))
keep("counts", firth(cbind(y, m - y) ~ x1, counts), counts)

cat(sprintf(
  '{"command": "Rscript tests/golden/firth.R",\n "versions": "%s, brglm2 %s (Debian bookworm)",\n "cases": {\n%s}}\n',
  R.version.string, packageVersion("brglm2"), paste(unlist(cases), collapse = ",\n")
))
