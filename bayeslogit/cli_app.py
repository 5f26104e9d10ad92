"""The commands, gathered; and what goes wrong in them as one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from bayeslogit.cli_check import check_command
from bayeslogit.cli_compare import compare_command
from bayeslogit.cli_convert import convert_command
from bayeslogit.cli_datasets import datasets_command
from bayeslogit.cli_demo import demo_command
from bayeslogit.cli_fit import fit_command
from bayeslogit.cli_options import BAD_DATA, DONE, INTERRUPTED, NOT_CONVERGED, UNEXPECTED, USAGE, say
from bayeslogit.cli_path import path_command
from bayeslogit.cli_predict import predict_command
from bayeslogit.cli_report import report_command
from bayeslogit.errors import (
    ArgumentError,
    BayeslogitError,
    DataError,
    FileFormatError,
    FitError,
    FitWarning,
    PriorError,
)
from bayeslogit.versions import package_version

app = typer.Typer(
    name="bayeslogit",
    help="Logistic regression whose penalty is a prior and whose numbers say how sure they are.",
    epilog="Exit codes: 0 done; 1 unexpected; 2 usage; 3 bad data; 4 not converged; 5 done, but a verdict failed under "
    "--strict, or a manifest does not hold; 130 interrupted. Results go to stdout, everything else to stderr.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# In the order in which an analyst meets them.
app.command("check")(check_command)
app.command("fit")(fit_command)
app.command("report")(report_command)
app.command("compare")(compare_command)
app.command("path")(path_command)
app.command("predict")(predict_command)
app.command("convert")(convert_command)
app.command("datasets")(datasets_command)
app.command("demo")(demo_command)


@app.callback(invoke_without_command=True)
def _global(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"bayeslogit {package_version()}")
        raise typer.Exit


def run_commands(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        with warnings.catch_warnings():
            # The same words stand in the notes of the table and on stderr.
            warnings.simplefilter("ignore", FitWarning)
            return _invoke(arguments)
    except (PriorError, ArgumentError) as error:
        return _failed(error, USAGE)
    except (DataError, FileFormatError) as error:
        return _failed(error, BAD_DATA)
    except FitError as error:  # no mode, or no proper posterior, where one is needed
        return _failed(error, NOT_CONVERGED)
    except BayeslogitError as error:
        return _failed(error, UNEXPECTED)
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _enough()
        say(f"bayeslogit: {error.filename or 'file'}: {error.strerror}")
        return BAD_DATA
    except (KeyboardInterrupt, typer.Abort):
        say("bayeslogit: interrupted")
        return INTERRUPTED


def _failed(error: Exception, code: int) -> int:
    # Errors speak of Python's arguments; here the same is an option.
    say(f"bayeslogit: {str(error).replace("missing='drop'", '--drop-missing')}")
    return code


def _enough() -> int:
    """The reader of stdout has seen enough, as `head` does; what is left must not fail again at the exit."""
    if sys.stdout is sys.__stdout__:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return DONE


def _invoke(arguments: Sequence[str] | None) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=None if arguments is None else list(arguments), prog_name="bayeslogit", standalone_mode=False
        )
    except typer.Exit as leave:
        return leave.exit_code
    except SystemExit as leave:
        # The option parser turns a closed pipe into an exit of its own.
        if isinstance(leave.__context__, OSError) and leave.__context__.errno == errno.EPIPE:
            return _enough()
        raise
    except Exception as error:
        # Usage errors of the option parser know how to show themselves and which exit code they mean.
        if not hasattr(error, "show"):
            raise
        error.show()
        return USAGE
    if code == INTERRUPTED:  # the parser has taken the interrupt, and says nothing
        raise KeyboardInterrupt
    sys.stdout.flush()
    return code if isinstance(code, int) else DONE
