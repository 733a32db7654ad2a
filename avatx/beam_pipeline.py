"""Work spread over processes or machines by Apache Beam: its options, and one call a work item."""

import contextlib
import logging
import re
import warnings
from collections.abc import Callable, Sequence

from avatx.errors import UserError

# By its own name: "DirectRunner" of Beam 2.77 prefers a runner that it downloads.
IN_PROCESS_RUNNER = "FnApiRunner"
_BEAMS_LOGGER = "apache_beam.runners.common"  # which logs what a worker raises
_MARK = "avatx-user-error:"  # how a worker's message is found in what Beam makes of it


def _import_beam():
    """Beam, without what its optional cloud modules say when they are not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            import apache_beam
        except ImportError as error:
            raise UserError(
                f"apache-beam cannot be imported ({error}); "
                "it is one of avatx's own requirements: pip install 'apache-beam[tfrecord]'"
            ) from error
        finally:
            logging.disable(logging.NOTSET)
    return apache_beam


def parse_arguments(arguments: Sequence[str]):
    """Beam's `PipelineOptions` of a command line, in-process unless it names a runner.

    Raises:
      UserError: an argument that Beam does not know; Beam itself would drop it with a warning.
    """
    apache_beam = _import_beam()
    from apache_beam.options import pipeline_options

    parser = pipeline_options._BeamArgumentParser(allow_abbrev=False, add_help=False)
    for kind in dict.fromkeys(pipeline_options.PipelineOptions.__subclasses__()):
        kind._add_argparse_args(parser)
    parser.error = _refuse
    _, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        _refuse(f"unknown argument {unknown[0]!r}")
    options = pipeline_options.PipelineOptions(list(arguments))
    standard = options.view_as(pipeline_options.StandardOptions)
    if standard.runner in (None, "DirectRunner"):
        standard.runner = IN_PROCESS_RUNNER
    try:
        apache_beam.runners.runner.create_runner(standard.runner)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"runner {standard.runner}: {error}") from error
    return options


def _refuse(message: str) -> None:
    raise UserError(
        f"{message}; neither this program nor Apache Beam takes it (see its help and "
        "https://beam.apache.org/documentation/runners/direct/)"
    )


def _is_no_mistake(log_record: logging.LogRecord) -> bool:
    """False of what Beam logs, with a traceback, of a user's mistake that is told in one line."""
    text = log_record.getMessage() + str(log_record.exc_info and log_record.exc_info[1])
    return _MARK not in text


@contextlib.contextmanager
def _mistakes_not_logged():
    last = [logging.lastResort] if logging.lastResort else []
    # The logger of Beam's own, too, for a handler may be added while it runs.
    filtered = [*logging.getLogger().handlers, *last, logging.getLogger(_BEAMS_LOGGER)]
    for one in filtered:
        one.addFilter(_is_no_mistake)
    try:
        yield
    finally:
        for one in filtered:
            one.removeFilter(_is_no_mistake)


def told(text: str) -> RuntimeError:
    """What a worker raises of a user's mistake, for `run` to raise as a UserError."""
    return RuntimeError(f"{_MARK}{text}")


def run(function: Callable[[str], None], items: Sequence[str], options) -> None:
    """Calls `function` with each of the items, on whatever workers the options name.

    Args:
      function: of a module, for workers import it by its name; what it gives is dropped.
      items: not large, for they pass through Beam: names of files that say more.
      options: see `parse_arguments`.

    Raises:
      UserError: a worker raised one by `told`.
    """
    beam = _import_beam()
    try:
        with _mistakes_not_logged(), beam.Pipeline(options=options) as pipeline:
            _ = (
                pipeline
                | "Items" >> beam.Create(items)
                | "Spread" >> beam.Reshuffle()  # one each, whatever the runner bundles
                | "Work" >> beam.Map(function)
            )
    except Exception as error:
        found = re.search(re.escape(_MARK) + r"([^\n]*)", str(error))
        if found is None:
            raise
        raise UserError(re.sub(r" \[while running .*", "", found[1])) from error
