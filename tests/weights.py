"""Weights of embedders for tests: small, or random, and made on the spot."""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from faceweb.recognition.embedders.facenet import InceptionResnet

ONNX_NAME = "tiny.onnx"
SIDECAR = {
    "name": "Tiny",
    "dimension": 16,
    "mean": 127.5,
    "scale": 0.0078125,
    "licence": "made for tests",
}


def make_facenet(folder: Path, name: str = "20180402-114759-vggface2.pt", seed: int = 0) -> Path:
    """Random weights of FaceNet's network in a file as it is published, with its classifier."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = InceptionResnet()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.momentum = None  # the statistics become those of the pictures below
    network.train()
    with torch.inference_mode():
        network(torch.randint(0, 256, (2, 160, 160, 3), dtype=torch.uint8))
    classifier = {"logits.weight": torch.zeros(9, 512), "logits.bias": torch.zeros(9)}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({**network.state_dict(), **classifier}, folder / name)
    return folder / name


def make_vit(folder: Path, *, seed: int = 0, size: int = 64, width: int = 48) -> Path:
    """A small vision transformer with random weights, saved as transformers saves one."""
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    torch.manual_seed(seed)
    config = ViTConfig(
        image_size=size, hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, initializer_range=0.3,
    )  # fmt: skip
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessorPil(
        size={"height": size, "width": size},
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)
    return folder


def make_onnx(
    folder: Path, file: str = ONNX_NAME, *, size: int = 112, batch: int | str = "n", **sidecar
) -> Path:
    """A small ONNX network, (n, 3, size, size) to (n, 16), with its sidecar."""
    random = np.random.default_rng(0)
    weights = {
        "kernel": random.normal(size=(8, 3, 8, 8)), "matrix": random.normal(size=(8, 16)),
    }  # fmt: skip
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["pixels", "kernel"], ["c"], strides=[8, 8]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("GlobalAveragePool", ["r"], ["g"]),
            helper.make_node("Flatten", ["g"], ["f"]),
            helper.make_node("MatMul", ["f", "matrix"], ["embedding"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 16])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / file)
    (folder / f"{file}.json").write_text(json.dumps({**SIDECAR, **sidecar}))
    return folder / file


def make_all(folder: Path) -> None:
    """Weights for every embedder that does not come with faceweb."""
    make_facenet(folder)
    for number, slug in enumerate(("dino-vitb16", "vit-base-patch16-224-in21k")):
        make_vit(folder / slug, seed=number)
    make_onnx(folder)
