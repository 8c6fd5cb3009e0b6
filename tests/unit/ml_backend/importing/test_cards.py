"""What a file tells of its weights' origin."""

import pytest

from db.domain.errors import InputError
from db.domain.network import Encoder
from ml_backend.importing import corpora
from ml_backend.importing.cards import Clues, count_classes
from ml_backend.importing.checksums import Checksum, Verified

DENSENET = (Encoder.DENSENET121, Encoder.CHEXNET)
OF_RESNET_11K = next(one for one in corpora.PUBLISHED if one.corpus == corpora.IMAGENET_11K)


def clues(possible=DENSENET, n_classes=None, published=None):
    return Clues("a.h5", possible, Verified("0" * 64, Checksum.UNKNOWN, published), n_classes)


@pytest.mark.parametrize(
    ("shapes", "n_classes"),
    [
        ([(1024, 1000), (1000,)], 1000),
        ([(14, 1024), (14,)], 14),
        ([], None),
        ([(1024,)], None),
        ([(1024, 1024), (1024, 1)], 0),
        ([(3, 3, 1024, 5), (7, 9)], None),
    ],
)
def test_the_classifier_is_found_in_either_orientation(shapes, n_classes):
    assert count_classes(shapes, 1024) == n_classes


@pytest.mark.parametrize(
    ("n_classes", "encoder", "corpus"),
    [(1000, Encoder.DENSENET121, corpora.IMAGENET), (14, Encoder.CHEXNET, corpora.CHESTXRAY14)],
)
def test_its_classes_tell_densenet_from_chexnet(n_classes, encoder, corpus):
    found = clues(n_classes=n_classes)
    assert found.encoder(None, None) is encoder
    assert found.corpus(encoder) == corpus


@pytest.mark.parametrize("n_classes", [None, 0, 5])
def test_without_known_classes_the_encoder_must_be_named(n_classes):
    with pytest.raises(InputError, match="does not tell densenet121 from chexnet"):
        clues(n_classes=n_classes).encoder(None, None)
    assert clues(n_classes=n_classes).encoder(Encoder.CHEXNET, None) is Encoder.CHEXNET


def test_without_a_classifier_the_usual_corpus_is_taken():
    assert clues().corpus(Encoder.CHEXNET) == corpora.CHESTXRAY14
    assert clues().corpus(Encoder.DENSENET121) == corpora.IMAGENET


@pytest.mark.parametrize(
    ("encoder", "n_classes"), [(Encoder.DENSENET121, 5), (Encoder.CHEXNET, 1000), (Encoder.INCEPTION_V3, 14)]
)
def test_a_classifier_of_no_known_corpus_wants_its_corpus_named(encoder, n_classes):
    with pytest.raises(InputError, match=f"a classifier of {n_classes} classes; no corpus is known") as caught:
        clues(n_classes=n_classes).corpus(encoder)
    assert "--corpus" in caught.value.hint


def test_a_user_who_contradicts_the_file_must_name_the_corpus():
    found = clues(n_classes=1000)
    with pytest.raises(InputError, match=r"called chexnet, but by its classes or its digest it is densenet121"):
        found.encoder(Encoder.CHEXNET, None)
    assert found.encoder(Encoder.CHEXNET, "CheXpert") is Encoder.CHEXNET


def test_a_published_digest_tells_the_corpus():
    found = clues((Encoder.RESNET50,), published=OF_RESNET_11K)
    assert found.encoder(None, None) is Encoder.RESNET50
    assert found.corpus(Encoder.RESNET50) == corpora.IMAGENET_11K
