"""Builds and installs avatx; the build generates avatx/protos/*_pb2.py from protos/*.proto."""

import os
import pathlib
import re

from setuptools import Command, setup
from setuptools.command.build import build
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).parent


class BuildProtos(Command):
    """Compiles protos/*.proto: into the build folder, or beside the sources when editable."""

    description = "generate avatx/protos/*_pb2.py"
    user_options = []

    def initialize_options(self):
        self.build_lib = None
        self.editable_mode = False

    def finalize_options(self):
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self):
        import grpc_tools.protoc  # a build requirement only

        output = "." if self.editable_mode else self.build_lib
        os.makedirs(output, exist_ok=True)
        sources = [f"avatx/protos/{path.name}" for path in sorted(HERE.glob("protos/*.proto"))]
        # Where google/protobuf/descriptor.proto is, which field_options.proto extends.
        google = pathlib.Path(grpc_tools.__file__).parent / "_proto"
        includes = ["-Iavatx/protos=protos", f"-I{google}"]
        if grpc_tools.protoc.main(["protoc", *includes, f"--python_out={output}", *sources]):
            raise SystemExit("protoc failed on protos/*.proto; its message is above")

    def get_source_files(self):
        return [str(path.relative_to(HERE)) for path in sorted(HERE.glob("protos/*.proto"))]

    def get_outputs(self):
        return list(self.get_output_mapping())

    def get_output_mapping(self):
        return {
            os.path.join(
                self.build_lib, "avatx", "protos", f"{path.stem}_pb2.py"
            ): f"protos/{path.name}"
            for path in sorted(HERE.glob("protos/*.proto"))
        }


class BuildWithProtos(build):
    sub_commands = build.sub_commands + [("build_protos", None)]


class BuildPyWithoutTests(build_py):
    """Leaves stale generated modules of an editable install out of a wheel."""

    def find_package_modules(self, package, package_dir):
        found = super().find_package_modules(package, package_dir)
        return [entry for entry in found if not entry[1].endswith("_pb2")]


def packages():
    found = [str(path.parent.relative_to(HERE)) for path in HERE.glob("avatx/**/__init__.py")]
    return sorted(name.replace(os.sep, ".") for name in found) + ["avatx.tools", "avatx.configs"]


# All of tools/: avatx-model-main runs tools/model_main.py; see avatx.cli.entry.
TOOLS = sorted(
    path.stem.replace("_", "-") for path in HERE.glob("tools/*.py") if path.stem != "__init__"
)

version = re.search(r'__version__ = "(.+)"', (HERE / "avatx" / "__init__.py").read_text()).group(1)

setup(
    name="avatx",
    version=version,
    description="Video Action Transformer Network (CVPR 2019) in TensorFlow 2: finds every person "
    "in a video's keyframe and names all their actions.",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="The avatx founders",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    keywords="action detection, video, AVA, transformer, I3D, TensorFlow",
    python_requires=">=3.10,<3.13",
    packages=packages(),
    package_dir={"avatx.tools": "tools", "avatx.configs": "configs"},
    package_data={
        "avatx.configs": ["*/*.config"],
        "avatx.explorer": ["page/*"],
        "avatx.kinetics": ["*.txt"],
    },
    include_package_data=False,
    install_requires=[
        "absl-py",
        "apache-beam[tfrecord]",
        "av>=12",
        "matplotlib",
        "numpy>=1.26",
        "opencv-python-headless",
        "pillow>=10.1",
        "protobuf>=4.25",
        "pyarrow",
        "rich",
        "scipy",
        "tensorboard",
        "tensorflow>=2.16,<2.21",
        "tf-keras>=2.16,<2.21",
        "tf-models-official>=2.16,<2.21",
        # Its kernels load on TensorFlow 2.16 only; elsewhere avatx says so when they are needed.
        "tensorflow-io==0.37.1; sys_platform == 'linux' and python_version < '3.13'",
    ],
    extras_require={
        "completion": ["argcomplete"],
        "gpu": ["tensorflow[and-cuda]>=2.16,<2.21"],
        # Seen to work with the default lock: they leave its numpy and protobuf as they are.
        "onnx": ["tf2onnx>=1.17,<1.18", "onnx>=1.16,<1.17", "onnxruntime>=1.20,<1.21"],
        "pandas": ["pandas"],
        "serving": ["tensorflow-serving-api"],
        "docs": ["mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.29,<2"],
        "dev": [
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "mypy",
            "build",
        ],
    },
    entry_points={
        "console_scripts": [
            "avatx=avatx.dispatch:main",
            *(f"avatx-{tool}=avatx.cli:entry" for tool in TOOLS),
        ]
    },
    cmdclass={
        "build": BuildWithProtos,
        "build_protos": BuildProtos,
        "build_py": BuildPyWithoutTests,
    },
)
