"""What every embedder promises, whatever stands behind it."""

import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from faceweb.recognition import embedders, pipeline, weights
from faceweb.recognition.detection import Detections
from faceweb.recognition.embedders import Embedder, EmbedderSpec
from faceweb.recognition.geometry import FivePoints
from faceweb.recognition.images import DecodedImage, decode
from tests.faces import photo
from tests.weights import ONNX_NAME, make_all

SLUGS = [*embedders.slugs(), f"onnx:{ONNX_NAME}"]
GENERAL = ["dino-vitb16", "vit-base-patch16-224-in21k"]


@pytest.fixture(scope="module", autouse=True)
def weights_folder(tmp_path_factory) -> Iterator[None]:
    """Weights for all that do not come with faceweb."""
    before = weights.folder()
    folder = tmp_path_factory.mktemp("weights")
    make_all(folder)
    weights.use_folder(folder)
    yield
    weights.use_folder(before)


@pytest.fixture(params=SLUGS)
def spec(request) -> EmbedderSpec:
    return embedders.get_spec(request.param)


@functools.cache
def loaded(spec: EmbedderSpec) -> Embedder:
    return embedders.load(spec)


def noise(spec: EmbedderSpec, count: int, seed: int = 0) -> np.ndarray:
    shape = (count, spec.crop.size, spec.crop.size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


# --- the registry -------------------------------------------------------------------------------


def test_listing_embedders_imports_no_framework():
    code = (
        "import sys; from faceweb.recognition import embedders; assert embedders.specs(); "
        "[embedders.missing(spec) for spec in embedders.specs()]; "
        "print(*{'torch', 'onnx', 'onnxruntime', 'openvino', 'transformers', 'cv2', 'django'} "
        "& set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_embedder_is_named_with_those_that_exist():
    with pytest.raises(KeyError, match=r"nonesuch.*sface.*onnx:PATH"):
        embedders.get_spec("nonesuch")


def test_slugs_and_collections_are_unique():
    specs = embedders.specs()
    assert [spec.slug for spec in specs] == SLUGS
    assert len({spec.slug for spec in specs}) == len(specs)
    assert len({spec.collection for spec in specs}) == len(specs)


def test_a_spec_makes_sense(spec):
    assert embedders.get_spec(spec.slug) == spec
    assert spec.title
    assert spec.licence
    assert spec.purpose in ("identity", "general")
    assert spec.dimension > 0
    assert re.fullmatch(r"[a-z0-9-]{2,40}", spec.version)
    assert spec.version in spec.collection
    assert embedders.missing(spec) == ""
    if isinstance(spec.crop, FivePoints):
        template = np.array(spec.crop.template)
        assert template.shape == (5, 2)
        assert ((template > 0) & (template < spec.crop.size)).all()
    with pytest.raises(FrozenInstanceError):
        spec.version = "another"


@pytest.mark.parametrize(
    "slug", ["sface", "onnx:/srv/A b/../x.onnx", "onnx:ärc.onnx", "onnx:" + "x" * 150]
)
def test_the_name_of_a_collection_can_be_that_of_a_folder(slug):
    name = embedders.collection_name(slug, "0123456789ab")
    assert re.fullmatch(r"faces-[a-z0-9-]+-0123456789ab", name)
    assert len(name) < 120


def test_paths_that_differ_little_have_collections_of_their_own():
    slugs = ["onnx:a/b.onnx", "onnx:a-b.onnx", "onnx:A-B.onnx", "onnx:a_b.onnx"]
    assert len({embedders.collection_name(slug, "1") for slug in slugs}) == len(slugs)


# --- every embedder -----------------------------------------------------------------------------


def test_no_crops_give_no_embeddings(spec):
    result = loaded(spec).embed(noise(spec, 0))
    assert result.shape == (0, spec.dimension)
    assert result.dtype == np.float32


def test_embeddings_have_unit_length(spec):
    size = spec.crop.size
    blank = [np.full((size, size, 3), shade, np.uint8) for shade in (0, 255)]
    result = loaded(spec).embed(np.concatenate([noise(spec, 3), np.stack(blank)]))
    assert result.shape == (5, spec.dimension)
    assert result.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [2, 16, 17, 37])
def test_a_batch_gives_what_each_crop_gives_alone(spec, count):
    crops = noise(spec, count)
    together = loaded(spec).embed(crops)
    alone = np.concatenate([loaded(spec).embed(crop[None]) for crop in crops])
    assert together.shape == (count, spec.dimension)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_same_crops_give_the_same_embeddings_and_others_give_others(spec):
    crops = noise(spec, 4)
    first = loaded(spec).embed(crops)
    assert (first == loaded(spec).embed(crops)).all()
    assert (first == embedders.load(spec).embed(crops)).all()
    assert np.abs(first - loaded(spec).embed(noise(spec, 4, seed=1))).max() > 0.01


def test_several_threads_get_what_one_gets(spec):
    batches = [noise(spec, 5, seed) for seed in range(12)]
    alone = [loaded(spec).embed(crops) for crops in batches]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(loaded(spec).embed, batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_crops_that_are_views_are_read_as_they_look_and_left_alone(spec):
    crops = noise(spec, 3)
    before = crops.copy()
    mirrored = crops[:, :, ::-1]
    from_view = loaded(spec).embed(mirrored)
    assert (from_view == loaded(spec).embed(np.ascontiguousarray(mirrored))).all()
    assert (crops == before).all()


# --- in the pipeline ----------------------------------------------------------------------------


@functools.cache
def decoded(name: str) -> DecodedImage:
    return decode(photo(name).read_bytes())


@functools.cache
def pipeline_with(slug: str) -> pipeline.Pipeline:
    return pipeline.load(embedder=slug, detector="mtcnn")


@pytest.mark.parametrize("slug", ["dlib-resnet", *GENERAL[:1], f"onnx:{ONNX_NAME}"])
def test_faces_known_by_their_places_are_embedded_as_they_were_when_found(slug):
    image, loaded = decoded("group.jpg"), pipeline_with(slug)
    [found] = loaded.analyse([image])
    assert len(found) == 6
    places = Detections(
        boxes=np.stack([face.box for face in found]) / np.float32(image.scale),
        landmarks=np.stack([face.landmarks for face in found]) / np.float32(image.scale),
        scores=np.array([face.score for face in found], np.float32),
    )
    again = loaded.embed(image.pixels, places)
    none = Detections(places.boxes[:0], places.landmarks[:0], places.scores[:0])
    assert loaded.embed(image.pixels, none).shape == (0, loaded.spec.dimension)
    for face, vector in zip(found, again, strict=True):
        assert float(face.embedding @ vector) > 0.999


@pytest.mark.parametrize("slug", ["dlib-resnet", *GENERAL[:1]])
def test_the_mirror_image_counts_for_identity_only(slug):
    loaded = pipeline_with(slug)
    [[alone]] = loaded.analyse([decoded("obama.jpg")])
    [[mirrored]] = loaded.analyse([decoded("obama.jpg")], mirrored=True)
    assert np.linalg.norm(mirrored.embedding) == pytest.approx(1, abs=1e-5)
    same = bool((alone.embedding == mirrored.embedding).all())
    assert same == (loaded.spec.purpose == "general")
