"""Ways to get from decoded photos to faces with embeddings: faceweb's, and two that people use.

Each contender is loaded in a process of its own:

    python -m benchmarks.contenders NAME PHOTOS.npz REPEATS

looks at the photos once, then at REPEATS copies of them, and prints one JSON line with the seconds
of the latter and the number of faces found.
"""

import importlib.util
import json
import os
import sys
import time
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

Photos = list[np.ndarray]
Look = Callable[[Photos], int]
# What faceweb's worker looks at as one batch: photos, and about as many of their pixels.
BATCH, BATCH_PIXELS = 12, 4_000_000


def faceweb(threads: int, *, detector: str = "mtcnn") -> Look:
    from faceweb.recognition import pipeline
    from faceweb.recognition.images import DecodedImage

    loaded = pipeline.load(embedder="sface", detector=detector)

    def look(photos: Photos) -> int:
        images = [DecodedImage(p, p.shape[1], p.shape[0], 1.0, "image/jpeg") for p in photos]
        pixels = np.mean([image.width * image.height for image in images])
        size = int(np.clip(BATCH_PIXELS // pixels, 1, BATCH))
        batches = [images[at : at + size] for at in range(0, len(images), size)]
        with ThreadPoolExecutor(threads) as pool:
            return sum(len(faces) for batch in pool.map(loaded.analyse, batches) for faces in batch)

    return look


def notebook() -> Look:
    """facenet-pytorch's MTCNN as it comes, then a ViT-B/16 for one face after the other.

    The weights of the ViT do not change its speed, so they are random here.
    """
    import torch
    from PIL import Image
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    detector = facenet_mtcnn()(keep_all=True)
    model = ViTModel(ViTConfig()).eval()
    processor = ViTImageProcessorPil()

    def look(photos: Photos) -> int:
        count = 0
        for pixels in photos:
            photo = Image.fromarray(pixels)
            boxes, _ = detector.detect(photo)
            for box in [] if boxes is None else boxes:
                inputs = processor(images=photo.crop(tuple(box)), return_tensors="pt")
                with torch.no_grad():
                    model(**inputs).last_hidden_state[:, 0]
                count += 1
        return count

    return look


def face_recognition() -> Look:
    """What face_recognition does: dlib's HOG detector, upsampled once, 68 landmarks, descriptor."""
    import dlib

    models = package_folder("face_recognition_models") / "models"
    detect = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(
        str(models / "dlib_face_recognition_resnet_model_v1.dat")
    )

    def look(photos: Photos) -> int:
        count = 0
        for pixels in photos:
            for box in detect(pixels, 1):
                network.compute_face_descriptor(pixels, landmarks(pixels, box))
                count += 1
        return count

    return look


def facenet_mtcnn() -> type:
    """facenet-pytorch's MTCNN. What it imports and detection does not need is
    stood in for: requests, and torchvision but for two functions."""
    stands_in = {
        name: types.ModuleType(name)
        for name in ("torchvision", "torchvision.ops", "torchvision.ops.boxes",
                     "torchvision.transforms", "torchvision.transforms.functional",
                     "requests", "requests.adapters")
    }  # fmt: skip
    stands_in["torchvision.ops.boxes"].batched_nms = _batched_nms
    functional = stands_in["torchvision.transforms.functional"]
    stands_in["torchvision.transforms"].functional = functional
    functional.to_tensor = lambda image: _as_tensor(np.asarray(image))
    stands_in["requests.adapters"].HTTPAdapter = object
    stands_in["torchvision"].transforms = stands_in["torchvision.transforms"]
    stands_in["torchvision.ops"].boxes = stands_in["torchvision.ops.boxes"]
    sys.modules.update(stands_in)
    try:
        from facenet_pytorch import MTCNN
    finally:
        for name in stands_in:
            sys.modules.pop(name, None)
    return MTCNN


def _as_tensor(pixels):
    import torch

    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def _batched_nms(boxes, scores, owners, threshold):
    """torchvision's suppression within groups, written out; it is a small part of the time."""
    import cv2
    import torch

    if not len(boxes):
        return torch.zeros(0, dtype=torch.int64)
    shifted = boxes + owners[:, None].to(boxes) * (boxes.max() + 1)
    rectangles = torch.cat([shifted[:, :2], shifted[:, 2:] - shifted[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), 0.0, threshold)
    return torch.as_tensor(np.asarray(kept).reshape(-1), dtype=torch.int64)


def package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"The package {name} is missing: pip install -r requirements-bench.txt")
    return Path(next(iter(spec.submodule_search_locations)))


CONTENDERS: dict[str, Callable[[], Look]] = {
    "faceweb": lambda: faceweb((os.cpu_count() or 1) + 1),
    "faceweb, one thread": lambda: faceweb(1),
    "faceweb, yunet": lambda: faceweb((os.cpu_count() or 1) + 1, detector="yunet"),
    "notebook": notebook,
    "face_recognition": face_recognition,
}


def main() -> None:
    name, path, repeats = sys.argv[1:]
    with np.load(path) as stored:
        photos = [stored[key] for key in stored.files]
    look = CONTENDERS[name]()
    look(photos)  # the first time at a size is no measure
    start = time.perf_counter()
    faces = look(photos * int(repeats))
    print(json.dumps({"seconds": time.perf_counter() - start, "faces": faces}))


if __name__ == "__main__":
    main()
