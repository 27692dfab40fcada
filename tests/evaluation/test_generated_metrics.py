"""The evaluator of generated images and tables: generators that are the data, copies of it, or one example."""

import base64
import math
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import mutual_info_score

from paribus.data import Digits, GaussianClasses, LabelNoise
from paribus.densities import StandardNormal
from paribus.densities.codes import LatentCode
from paribus.errors import UserError
from paribus.evaluation import GeneratedMetrics
from paribus.evaluation.readable import mutual_information
from paribus.families import Gan, InfoGan
from paribus.networks import Linear
from paribus.networks.contract import Network
from paribus.objectives import NonSaturating
from paribus.schedules import Constant

SETTINGS = {"samples": 300, "neighbours": 3, "pictures": 4}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARIBUS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def digits():
    data = Digits(0.2, 0.2, 64, LabelNoise(0.0, "symmetric"), "none", seed=0)
    data.setup()
    return data


class Lookup(Network):
    """The example of a table that the first latent points to, evenly; `category` before it where there is a code.

    Args:
        rows: `[n, numbers]`, or one such for each category.
        features: of the latent.
    """

    def __init__(self, *rows, features=1):
        super().__init__()
        self.rows, self.features = rows, features
        self.unused = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, noise=None):
        share = torch.special.ndtr(inputs[:, 0])
        which = inputs[:, self.features :].argmax(dim=1) if inputs.shape[1] > self.features else 0 * share.long()
        made = torch.stack([rows[(share * len(rows)).long().clamp(max=len(rows) - 1)] for rows in self.rows])
        return made[which, torch.arange(len(share))] + 0 * self.unused


class Deck(Network):
    """The examples of a table one after the other, whatever the latents: no example twice before all were had."""

    def __init__(self, rows):
        super().__init__()
        self.rows, self.next = rows, 0
        self.unused = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, noise=None):
        position = torch.arange(self.next, self.next + len(inputs)) % len(self.rows)
        self.next = (self.next + len(inputs)) % len(self.rows)
        return self.rows[position] + 0 * self.unused


def gan(data, generator):
    numbers = data.in_features
    torch.manual_seed(0)
    return Gan(
        StandardNormal(1), generator, Linear(numbers, 1), NonSaturating(), torch.optim.Adam, Constant(), data.in_shape,
        0, critic_steps=1, averaging=None, snapshots=3,
    ).eval()  # fmt: skip


def infogan(data, generator, discriminator, code):
    return InfoGan(
        StandardNormal(1), code, generator, discriminator, NonSaturating(), torch.optim.Adam, Constant(), data.in_shape,
        0, critic_steps=1, averaging=None, snapshots=0, information=1.0,
    ).eval()  # fmt: skip


@torch.no_grad()
def measured(family, data, **settings):
    (row,) = GeneratedMetrics(**SETTINGS | settings)(family, data)
    return row.metrics


def flat(data, part):
    return data.parts[part]["x"].flatten(1)


def test_fresh_real_examples_as_samples(digits):
    found = measured(gan(digits, Deck(flat(digits, "validation"))), digits)
    assert found["sample_frechet"] < 3 * found["sample_frechet_floor"]
    assert found["precision"] == pytest.approx(found["real_precision"], abs=0.08)
    assert found["recall"] == pytest.approx(found["real_recall"], abs=0.08)
    assert found["nearest_training_ratio"] == pytest.approx(1, abs=0.08)
    assert found["nearest_training_ratio_floor"] == pytest.approx(1, abs=0.08)
    assert found["copied_share"] < 0.06
    assert 0.04 < found["least_class_share"] < 0.1 < found["largest_class_share"] < 0.16
    assert found["class_distance"] < 0.12
    assert found["class_distance_floor"] < 0.02  # stratified
    assert "information" not in found


def test_copies_of_the_training_part(digits):
    found = measured(gan(digits, Lookup(flat(digits, "train"))), digits)
    assert found["nearest_training_ratio"] == 0
    assert found["copied_share"] == 1
    assert found["precision"] > 0.8  # copies look like the data


def test_one_class_alone(digits):
    """All samples are zeros of the validation part."""
    zeros = flat(digits, "validation")[digits.parts["validation"]["y"] == 0]
    found = measured(gan(digits, Lookup(zeros)), digits)
    assert found["least_class_share"] == 0
    assert found["largest_class_share"] > 0.97
    assert found["class_distance"] == pytest.approx(0.9, abs=0.03)
    assert found["recall"] < 0.3
    assert found["sample_frechet"] > 20 * found["sample_frechet_floor"]


def test_white_noise_is_no_digit(digits):
    noise = torch.rand(300, 64, generator=torch.Generator().manual_seed(0))
    found = measured(gan(digits, Lookup(noise)), digits)
    assert found["nearest_training_ratio"] > 1.5
    assert found["copied_share"] == 0
    assert found["recall"] < 0.1


def test_categories_that_are_classes_and_a_head_that_reads_them(digits):
    """Category k makes digit k alone; the head knows nothing, or all of it."""
    x, y = flat(digits, "train"), digits.parts["train"]["y"]
    lookup = Lookup(*(x[y == digit] for digit in range(10)))
    head = Linear(64, 1 + 10)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.zero_()
    found = measured(infogan(digits, lookup, head, LatentCode(10, 0)), digits)
    assert found["information"] == pytest.approx(0, abs=1e-6)  # q is uniform: log q = -H(c)
    assert found["category_purity"] > 0.95
    assert 2.0 < found["category_information"] <= math.log(10)
    mixed = measured(infogan(digits, Lookup(*[x] * 10), head, LatentCode(10, 0)), digits)
    assert mixed["category_purity"] < 0.4
    assert mixed["category_information"] == pytest.approx(81 / 600, abs=0.1)  # its bias, which is all there is


def test_categories_that_make_the_same_class_are_pure_and_tell_nothing(digits):
    zeros = flat(digits, "validation")[digits.parts["validation"]["y"] == 0]
    found = measured(infogan(digits, Lookup(zeros, zeros), Linear(64, 3), LatentCode(2, 0)), digits)
    assert found["category_purity"] > 0.97
    assert found["category_information"] < 0.02


def test_floors_are_the_validation_parts_and_all_else_is_the_test_parts():
    """The validation part is of zeros, copied from the training part; samples are the test part."""
    data = Digits(0.2, 0.2, 64, LabelNoise(0.0, "symmetric"), "none", seed=0)
    data.setup()
    train = data.parts["train"]
    data.parts["validation"] = {name: rows[train["y"] == 0] for name, rows in train.items()}
    found = measured(gan(data, Deck(flat(data, "test"))), data, samples=360)
    assert found["class_distance"] < 0.01
    assert found["class_distance_floor"] == pytest.approx(0.9, abs=0.03)
    assert found["nearest_training_ratio"] == pytest.approx(1, abs=0.01)
    assert found["nearest_training_ratio_floor"] == 0
    assert min(found["precision"], found["recall"]) > 0.9  # of two draws of as many as there are zeros
    assert found["real_recall"] < 0.3


def test_information_is_the_logarithm_of_the_categories_where_all_can_be_read(digits):
    """Two categories make two constant images, which an affine head tells apart."""
    black, white = torch.zeros(1, 64), torch.ones(1, 64)
    head = Linear(64, 1 + 2)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.weight[2] = 1.0
        head.linear.bias.copy_(torch.tensor([0.0, 0.0, -32.0]))
    found = measured(infogan(digits, Lookup(black, white), head, LatentCode(2, 0)), digits)
    assert found["information"] == pytest.approx(math.log(2), abs=1e-6)


def test_mutual_information_is_sklearns():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randint(3, (200,), generator=generator), torch.randint(4, (200,), generator=generator)
    b = torch.where(torch.rand(200, generator=generator) < 0.5, a, b)
    table = torch.bincount(a * 4 + b, minlength=12).reshape(3, 4)
    assert mutual_information(table) == pytest.approx(mutual_info_score(a, b), rel=1e-10)
    assert mutual_information(torch.diag(torch.tensor([5, 5]))) == pytest.approx(math.log(2))


def test_every_metric_is_declared(digits):
    x = flat(digits, "train")
    plain = measured(gan(digits, Lookup(x)), digits)
    coded = measured(infogan(digits, Lookup(*[x] * 10), Linear(64, 11), LatentCode(10, 0)), digits)
    declared = {measure.name for measure in GeneratedMetrics.measures}
    assert set(coded) == declared
    assert set(coded) - set(plain) == {"information", "category_information", "category_purity"}
    assert plain == measured(gan(digits, Lookup(x)), digits)


def test_a_table_and_data_without_labels(examples):
    table = GaussianClasses(200, 80, 80, 3, 4, 3.0, 0, 32, LabelNoise(0.0, "symmetric"), "none", seed=0)
    table.setup()
    torch.manual_seed(0)
    assert measured(gan(table, Linear(1, 4)), table)["class_distance"] > 0
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    unlabelled = examples(x[:40], x[40:])
    found = measured(gan(unlabelled, Linear(1, 5)), unlabelled)
    assert {"nearest_training_ratio", "copied_share", "generator_steps"} <= set(found)
    assert not {"precision", "sample_frechet", "class_distance", "nearest_training_ratio_floor"} & set(found)


def test_sheets_of_samples_categories_and_features(digits):
    x = flat(digits, "train")
    family = infogan(digits, Lookup(*[x] * 10), Linear(64, 1 + 10 + 4), LatentCode(10, 2))
    with torch.no_grad():
        drawing = GeneratedMetrics(**SETTINGS).drawing(family, digits)
    sizes = {each["name"]: (each["width"], each["height"]) for each in drawing["pictures"]}
    wide = 4 * 9 - 1
    assert sizes == {
        "samples": (wide, wide), "nearest_training": (wide, 17),
        "categories": (wide, 10 * 9 - 1), "features": (wide, 17),
    }  # fmt: skip
    (bars,) = drawing["bars"]
    assert sum(bars["values"]) == pytest.approx(1)
    assert bars["labels"] == [str(digit) for digit in range(10)]
    with torch.no_grad():
        assert GeneratedMetrics(**SETTINGS | {"pictures": 0}).drawing(family, digits)["pictures"] == []


def test_a_category_makes_its_row_and_a_latent_its_column(digits):
    """Category k is a constant image of k: rows of the sheet get brighter, and columns are alike."""
    lookup = Lookup(*(torch.full((1, 64), k / 10) for k in range(10)))
    with torch.no_grad():
        drawing = GeneratedMetrics(**SETTINGS).drawing(
            infogan(digits, lookup, Linear(64, 11), LatentCode(10, 0)), digits
        )
    sheet = next(each for each in drawing["pictures"] if each["name"] == "categories")
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(sheet["png"]))))[::9, ::9]
    assert pixels.tolist() == [[round(255 * k / 10)] * 4 for k in range(10)]


def test_too_few_held_out_examples_are_refused():
    table = GaussianClasses(60, 3, 80, 3, 4, 3.0, 0, 32, LabelNoise(0.0, "symmetric"), "none", seed=0)
    table.setup()
    with pytest.raises(UserError, match="the validation part has 3 examples, expected at least 4: precision"):
        GeneratedMetrics(samples=10, neighbours=3, pictures=0).accept(table)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"samples": 3}, "samples is 3"), ({"neighbours": 0}, "neighbours is 0"), ({"pictures": -1}, "pictures is -1")],
)
def test_what_is_out_of_range_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        GeneratedMetrics(**SETTINGS | settings)
