"""The plain PyTorch peer of benchmark_peer.py: I3D to Mixed_4f and the RPN, plainly.

    .venv-benchmark/bin/python benchmarks/peer_torch.py --weights FILE --device cpu

Runs in an environment of its own (`make benchmark`), with our weights, which benchmark_peer.py's
other side wrote; batch norm is folded into them, as frozen batch norm is in ours.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from measuring.resident import serve
from torch import nn

MIXED = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
)


def same_padding(size, kernel, stride):
    """TensorFlow's SAME, in the order of `F.pad`: the last axis first, the odd cell behind."""
    padding = []
    for n, k, s in zip(reversed(size), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        padding += [total // 2, total - total // 2]
    return padding


def max_pool(x, kernel, stride):
    if stride == (1, 1, 1):
        return F.max_pool3d(x, kernel, stride, padding=tuple(k // 2 for k in kernel))
    # Behind a ReLU a zero never wins over a cell, so zeros do for padding.
    return F.max_pool3d(F.pad(x, same_padding(x.shape[2:], kernel, stride)), kernel, stride)


class Unit(nn.Module):
    def __init__(self, inputs, outputs, kernel=(1, 1, 1), stride=(1, 1, 1)):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.symmetric = stride == (1, 1, 1)
        padding = tuple(k // 2 for k in kernel) if self.symmetric else 0
        self.convolution = nn.Conv3d(inputs, outputs, kernel, stride, padding=padding)

    def forward(self, x):
        if not self.symmetric:
            x = F.pad(x, same_padding(x.shape[2:], self.kernel, self.stride))
        return F.relu(self.convolution(x), inplace=True)


class Mixed(nn.Module):
    def __init__(self, inputs, depths):
        super().__init__()
        a, b0, b1, c0, c1, d = depths
        self.b0 = Unit(inputs, a)
        self.b1 = nn.Sequential(Unit(inputs, b0), Unit(b0, b1, (3, 3, 3)))
        self.b2 = nn.Sequential(Unit(inputs, c0), Unit(c0, c1, (3, 3, 3)))
        self.b3 = Unit(inputs, d)
        self.outputs = a + b1 + c1 + d

    def forward(self, x):
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1(x), self.b2(x), self.b3(pooled)], 1)


class Peer(nn.Module):
    def __init__(self, rpn_depth, objectness, boxes):
        super().__init__()
        self.stem = nn.ModuleList(
            [Unit(3, 64, (7, 7, 7), (2, 2, 2)), Unit(64, 64), Unit(64, 192, (3, 3, 3))]
        )
        depth, blocks = 192, []
        for depths in MIXED:
            blocks.append(Mixed(depth, depths))
            depth = blocks[-1].outputs
        self.mixed = nn.ModuleList(blocks)
        self.rpn = nn.Conv2d(depth, rpn_depth, 3, padding=1)
        self.objectness = nn.Conv2d(rpn_depth, objectness, 1)
        self.boxes = nn.Conv2d(rpn_depth, boxes, 1)

    def forward(self, x):
        x = max_pool(self.stem[0](x), (1, 3, 3), (1, 2, 2))
        x = max_pool(self.stem[2](self.stem[1](x)), (1, 3, 3), (1, 2, 2))
        for block in self.mixed[:2]:
            x = block(x)
        x = max_pool(x, (3, 3, 3), (2, 2, 2))
        for block in self.mixed[2:]:
            x = block(x)
        hidden = F.relu(self.rpn(x[:, :, x.shape[2] // 2]))
        return {
            "features": x,
            "objectness": self.objectness(hidden),
            "boxes": self.boxes(hidden),
        }


def load(weights) -> Peer:
    """The peer with TensorFlow's kernels, [t, h, w, in, out], as [out, in, t, h, w]."""
    shapes = [weights[f"{name}_bias"].shape[0] for name in ("rpn", "objectness", "boxes")]
    model = Peer(*shapes)
    units = [module.convolution for module in model.modules() if isinstance(module, Unit)]
    named = [(unit, f"kernel_{i}", f"bias_{i}") for i, unit in enumerate(units)]
    for name in ("rpn", "objectness", "boxes"):
        named.append((getattr(model, name), f"{name}_kernel", f"{name}_bias"))
    with torch.no_grad():
        for layer, kernel, bias in named:
            layer.weight.copy_(torch.from_numpy(np.moveaxis(weights[kernel], [-1, -2], [0, 1])))
            layer.bias.copy_(torch.from_numpy(weights[bias]))
    return model


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16", "float16")
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    flags = parser.parse_args(argv)
    device = flags.device
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    weights = np.load(flags.weights)
    layout = torch.channels_last_3d
    model = load(weights).to(device)
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.to(memory_format=layout)
    clips = torch.from_numpy(weights["clips"]).to(device).permute(0, 4, 1, 2, 3)
    run = torch.compile(model) if flags.compile else model
    low = flags.precision != "float32"
    dtype = getattr(torch, flags.precision)

    def forward():
        with torch.autocast(device, dtype=dtype if low else torch.bfloat16, enabled=low):
            return run((clips.float() / 127.5 - 1.0).contiguous(memory_format=layout))

    def finish():
        if device == "cuda":
            torch.cuda.synchronize()

    def inference():
        with torch.inference_mode():
            forward()
        finish()

    def training():
        model.zero_grad(set_to_none=True)
        sum((one.float() ** 2).mean() for one in forward().values()).backward()
        finish()

    def outputs():
        with torch.inference_mode():
            found = forward()
        return {
            name: np.ascontiguousarray(np.moveaxis(one.float().cpu().numpy(), 1, -1))
            for name, one in found.items()
        }

    where = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    kind = "compiled" if flags.compile else "eager"
    serve(
        {"inference": inference, "training": training},
        outputs,
        f"PyTorch {torch.__version__} {kind} on {where}",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
