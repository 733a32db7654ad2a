"""Fields of a pipeline.config that do not go together, though each is right by itself."""

import re
from collections.abc import Iterator

from avatx import registrations
from avatx.config import schema, trunk_checks, unread_fields
from avatx.protos import action_faster_rcnn_pb2, train_pb2


def contradictions(config) -> Iterator[tuple[str, str]]:
    """Pairs of fields that do not go together: (where to look, what is wrong)."""
    if config.model.HasField("action_faster_rcnn"):
        yield from _of_the_detector(config.model.action_faster_rcnn)
    yield from _two_stream_contradictions(config)
    yield from trunk_checks.contradictions(config)
    yield from unread_fields.unread(config)
    yield from _of_the_training(config.train_config)
    yield from _of_the_evaluation(config)


def _of_the_detector(model) -> Iterator[tuple[str, str]]:
    """See `contradictions`."""
    prefix = "model.action_faster_rcnn."
    low, high = model.first_stage_unmatched_threshold, model.first_stage_matched_threshold
    if low > high:
        yield (
            prefix + "first_stage_unmatched_threshold",
            f"first_stage_unmatched_threshold is {low:g} and first_stage_matched_threshold is "
            f"{high:g}: the first must not exceed the second",
        )
    if model.initial_crop_size < model.maxpool_kernel_size:
        yield (
            prefix + "initial_crop_size",
            f"initial_crop_size is {model.initial_crop_size} and maxpool_kernel_size is "
            f"{model.maxpool_kernel_size}: the crop must be as large as the pool's kernel",
        )
    yield from _samples_without_people(model)


def _of_the_training(train) -> Iterator[tuple[str, str]]:
    """See `contradictions`."""
    if train.gradient_accumulation_steps and train.batch_size % train.gradient_accumulation_steps:
        yield (
            "train_config.gradient_accumulation_steps",
            f"train_config.batch_size is {train.batch_size} and gradient_accumulation_steps is "
            f"{train.gradient_accumulation_steps}: the first must be a multiple of the second",
        )
    if train.jit_compile_update and train.precision == train_pb2.FLOAT16:
        yield (
            "train_config.jit_compile_update",
            "train_config.jit_compile_update is true and precision is FLOAT16, whose update skips "
            "steps, which is not compiled: leave one of them out",
        )
    yield from _of_the_multipliers(train.optimizer.learning_rate_multiplier)
    chosen = train.optimizer.WhichOneof("optimizer")
    for optimizer in [getattr(train.optimizer, chosen)] if chosen else []:
        cosine = optimizer.learning_rate.cosine_decay_learning_rate
        total = cosine.total_steps or train.num_steps
        kind = optimizer.learning_rate.WhichOneof("learning_rate")
        if kind == "cosine_decay_learning_rate" and cosine.warmup_steps >= total:
            yield (
                "train_config.optimizer",
                f"warmup_steps is {cosine.warmup_steps} and total_steps is {total}: "
                "warm-up must end before the last step",
            )
        steps = [entry.step for entry in optimizer.learning_rate.manual_step_learning_rate.schedule]
        if steps != sorted(set(steps)):
            yield "train_config.optimizer", f"schedule steps are {steps}: expected ascending ones"
    for index, option in enumerate(train.data_augmentation_options):
        crop = option.random_crop_image
        where = schema.numbered("train_config.data_augmentation_options", index)
        for first, second in (("min_area", "max_area"), ("min_aspect_ratio", "max_aspect_ratio")):
            if getattr(crop, first) > getattr(crop, second):
                yield (
                    f"{where}.random_crop_image.{first}",
                    f"{first} is {getattr(crop, first):g} and {second} is "
                    f"{getattr(crop, second):g}: the first must not exceed the second",
                )


def _of_the_multipliers(multipliers) -> Iterator[tuple[str, str]]:
    """See `contradictions`. Which variables a pattern finds, the model that is built says."""
    where = "train_config.optimizer.learning_rate_multiplier"
    patterns = [entry.pattern for entry in multipliers]
    for index, pattern in enumerate(patterns):
        entry = f"{schema.numbered(where, index)}.pattern"
        try:
            re.compile(pattern)
        except re.error as error:
            yield (
                entry,
                f"{where}.pattern '{pattern}': no regular expression ({error})",
            )
        if patterns.count(pattern) > 1:
            yield (
                entry,
                f"{where}.pattern '{pattern}' is there {patterns.count(pattern)} times: a variable "
                "takes the first that fits it, so leave one",
            )


def _of_the_evaluation(config) -> Iterator[tuple[str, str]]:
    """See `contradictions`."""
    if config.eval_input_reader.HasField("shuffle") and config.eval_input_reader.shuffle:
        yield (
            "eval_input_reader.shuffle",
            "eval_input_reader.shuffle is true: evaluation reads its records in their order, set "
            "it to false or leave it out",
        )
    share = config.eval_input_reader.max_skipped_share
    if share:
        yield (
            "eval_input_reader.max_skipped_share",
            f"eval_input_reader.max_skipped_share is {share:g}: evaluation leaves "
            "nothing out, for its metric is of all keyframes: remove it",
        )
    evaluation = config.eval_config
    kind = registrations.find(config.model.WhichOneof("model"))
    best = kind.best_checkpoint_metric
    if evaluation.HasField("best_checkpoint_metric"):
        best = evaluation.best_checkpoint_metric
        if best not in kind.metrics:
            yield (
                "eval_config.best_checkpoint_metric",
                f"best_checkpoint_metric is '{best}' and the model is {kind.name}: expected "
                f"{' or '.join(kind.metrics)}",
            )
    for metrics_set, metrics in kind.metrics_sets.items():
        if best in metrics and evaluation.metrics_set and metrics_set not in evaluation.metrics_set:
            yield (
                "eval_config.metrics_set",
                f"best_checkpoint_metric is '{best}', which is computed only if metrics_set holds "
                f"'{metrics_set}': add it or choose another metric",
            )


def _samples_without_people(model) -> Iterator[tuple[str, str]]:
    """See `contradictions`."""
    sampled = [("first_stage_minibatch_size", "first_stage_positive_balance_fraction")]
    if model.proposal_source == action_faster_rcnn_pb2.RPN:  # of other boxes all are taken
        sampled.append(("second_stage_batch_size", "second_stage_balance_fraction"))
    for size, fraction in sampled:
        # Rounded as `core.sampling` does: 100 * 0.01 is 1, though float32 says a little less.
        if int(round(getattr(model, size) * getattr(model, fraction), 4)) < 1:
            yield (
                f"model.action_faster_rcnn.{fraction}",
                f"{size} is {getattr(model, size)} and {fraction} is "
                f"{getattr(model, fraction):g}: no person would ever be sampled, their product "
                "must be at least 1",
            )


def _two_stream_contradictions(config) -> Iterator[tuple[str, str]]:
    """See `contradictions`."""
    classifier = config.model.video_classifier.trunk
    if classifier.WhichOneof("trunk_oneof") == "two_stream":
        yield (
            "model.video_classifier.trunk",
            "model.video_classifier.trunk is two_stream: the records of labelled videos hold no "
            "flow; train each stream's trunk on its own",
        )
    trunk, train = config.model.action_faster_rcnn.trunk, config.train_config
    prefix = "model.action_faster_rcnn.trunk"
    if trunk.WhichOneof("trunk_oneof") == "two_stream":
        for field in ("batch_norm", "batch_norm_momentum"):
            if trunk.HasField(field):
                yield (
                    f"{prefix}.{field}",
                    f"{prefix}.{field} is set beside two_stream: set it in its rgb and flow",
                )
        for stream in ("rgb", "flow"):
            inner = getattr(trunk.two_stream, stream)
            if inner.WhichOneof("trunk_oneof") == "two_stream":
                yield (
                    f"{prefix}.two_stream.{stream}",
                    f"{prefix}.two_stream.{stream} is two_stream itself: expected one network",
                )
        if train.fine_tune_flow_checkpoint and train.fine_tune_checkpoint_type == "detection":
            yield (
                "train_config.fine_tune_flow_checkpoint",
                "fine_tune_flow_checkpoint is set and fine_tune_checkpoint_type is 'detection', "
                "which fills both streams: leave one of them out",
            )
    elif train.fine_tune_flow_checkpoint:
        yield (
            "train_config.fine_tune_flow_checkpoint",
            "fine_tune_flow_checkpoint is set and the model's trunk is not two_stream: it fills "
            "that one's flow trunk",
        )
