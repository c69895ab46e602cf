import torch
import torch.nn.functional as F

from ecgkd.models.head import COSINE_SCALE, Classifier, EmbeddingHead


def test_embedding_is_the_neck_on_the_unit_sphere():
    embedding, neck = EmbeddingHead(8)(torch.randn(16, 8))
    torch.testing.assert_close(embedding, neck / neck.norm(dim=1, keepdim=True))


def test_neck_is_centred_over_a_training_batch():
    _, neck = EmbeddingHead(8)(3 + torch.randn(64, 8))
    torch.testing.assert_close(neck.mean(0), torch.zeros(192), atol=1e-5, rtol=0)


def test_shift_of_the_neck_is_not_trained():
    head = EmbeddingHead(8)
    assert [name for name, p in head.named_parameters() if not p.requires_grad] == ["norm.bias"]


def test_zero_features_give_finite_embeddings():
    embedding, _ = EmbeddingHead(8).eval()(torch.zeros(2, 8))
    assert torch.equal(embedding, torch.zeros(2, 192))


def test_linear_logits_are_inner_products():
    classifier = Classifier(3, 2, "linear")
    classifier.weight.data = torch.tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 0.0]])
    assert classifier(torch.tensor([[3.0, 4.0, 5.0]])).tolist() == [[13.0, -4.0]]


def test_cosine_logits_are_scaled_cosines_whatever_the_lengths():
    classifier = Classifier(4, 3, "cosine")
    neck = torch.randn(5, 4)
    expected = COSINE_SCALE * F.cosine_similarity(neck[:, None], classifier.weight[None], dim=2)
    torch.testing.assert_close(classifier(7 * neck), expected)
