"""Which pretrained weights count."""

from db.models import EncoderWeights
from db.repository.weights import all_weights, newest_weights


def test_the_newest_weights_of_an_encoder_count(record):
    with record.database.write() as session:
        for encoder, digest in (("resnet50", "a"), ("resnet50", "b"), ("chexnet", "c")):
            session.add(EncoderWeights(encoder=encoder, digest=digest, corpus="Ours", card={}))
            session.flush()
    with record.database.read() as session:
        newest = newest_weights(session, "resnet50")
        assert newest is not None
        assert newest.digest == "b"
        assert [row.digest for row in all_weights(session, "resnet50")] == ["b", "a"]
        assert newest_weights(session, "tiny") is None
