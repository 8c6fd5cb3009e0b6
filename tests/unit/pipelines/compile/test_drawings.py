import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from db.accounts import add_account
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.provenance import MaskOrigin, Role
from db.models import MaskRow
from pipelines.compile.drawings import import_masks

pytestmark = pytest.mark.usefixtures("campaign")

HEIGHT, WIDTH = 50, 40
CASE = "c20"
"""A film of the campaign without a drawing."""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "masks"
    path.mkdir()
    return path


@pytest.fixture
def drawn():
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[10:20, 5:30] = True
    return mask


def drawings(record, code="r1"):
    """The drawings of the test's case."""
    with record.database.read() as session:
        found = session.scalars(select(MaskRow).order_by(MaskRow.id)).all()
        return [row for row in found if row.case.key == CASE and row.account.code == code]


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (7, 9), (300, 4000)])
def test_any_two_values_make_a_drawing_the_larger_for_infection(record, folder, drawn, values):
    outside, inside = values
    dtype = np.uint8 if inside < 256 else np.uint16
    Image.fromarray(np.where(drawn, inside, outside).astype(dtype)).save(folder / f"{CASE}.png")
    report = import_masks(record, folder, "pilot", "r1")
    (row,) = drawings(record)
    assert (report.n_new, report.n_known, report.refused) == (1, 0, ())
    assert (row.origin, row.account_id, row.simulated) == (MaskOrigin.DRAWING, 1, False)
    assert np.array_equal(record.store.get_mask(row.digest), drawn)


@pytest.mark.parametrize("mode", ["1", "RGB", "RGBA", "P"])
def test_one_bit_and_colour_masks_are_read(record, folder, drawn, mode):
    Image.fromarray(drawn.astype(np.uint8) * 255).convert(mode).save(folder / f"{CASE}.png")
    assert import_masks(record, folder, "pilot", "r1").n_new == 1
    assert np.array_equal(record.store.get_mask(drawings(record)[0].digest), drawn)


def test_nothing_but_zero_is_an_empty_mask_and_nothing_but_another_value_is_refused(record, folder):
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(folder / f"{CASE}.png")
    Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint8)).save(folder / "c21.png")
    report = import_masks(record, folder, "pilot", "r1")
    assert not record.store.get_mask(drawings(record)[0].digest).any()
    assert [refusal.item for refusal in report.refused] == ["c21"]
    assert "c21 is 255 everywhere" in report.refused[0].message


def test_bad_masks_are_named_and_the_good_one_is_kept(record, folder, drawn):
    good = drawn.astype(np.uint8)
    Image.fromarray(good).save(folder / f"{CASE}.png")
    Image.fromarray(good[:, :30]).save(folder / "c21.png")
    Image.fromarray(good + np.eye(HEIGHT, WIDTH, dtype=np.uint8) * 5).save(folder / "c22.png")
    Image.fromarray(good).save(folder / "c99.png")
    (folder / "c23.png").write_text("no picture")
    report = import_masks(record, folder, "pilot", "r1")
    assert report.n_new == 1
    assert {refusal.item: refusal.message for refusal in report.refused} == {
        "c21": "Mask for case c21 is 30x50, its film is 40x50. Export the mask at the film's size and run "
        "`overread import-masks` again.",
        "c22": "Mask for case c22 has 4 values; two are allowed, the larger for infection. Export it without "
        "smoothing, grey levels or classes.",
        "c23": "c23.png is not a PNG, JPEG or TIFF file, whatever its name says. Export it again, as PNG.",
        "c99": "There is no case 'c99' for the mask c99.png. Masks are named by the case keys of the manifest that "
        "was ingested.",
    }


def test_running_it_twice_changes_nothing_and_a_corrected_mask_is_a_further_drawing(record, folder, drawn):
    Image.fromarray(drawn).save(folder / f"{CASE}.png")
    import_masks(record, folder, "pilot", "r1")
    report = import_masks(record, folder, "pilot", "r1")
    assert (report.n_new, report.n_known, len(drawings(record))) == (0, 1, 1)
    Image.fromarray(~drawn).save(folder / f"{CASE}.png")
    assert import_masks(record, folder, "pilot", "r1").n_new == 1
    assert [record.store.get_mask(row.digest)[0, 0] for row in drawings(record)] == [False, True]


def test_a_name_pattern_finds_the_case(record, folder, drawn):
    Image.fromarray(drawn).save(folder / f"lesion_{CASE}_mask.png")
    Image.fromarray(drawn).save(folder / "c21.png")
    assert import_masks(record, folder, "pilot", "r1", file_pattern="lesion_{case}_mask.png").n_new == 1
    assert len(drawings(record)) == 1
    with pytest.raises(InputError, match="where the case stands"):
        import_masks(record, folder, "pilot", "r1", file_pattern="mask.png")


def test_what_a_simulated_reader_drew_says_so(record, folder, drawn):
    with record.database.write() as session:
        add_account(session, "sim1", Role.READER, simulated=True)
    Image.fromarray(drawn).save(folder / f"{CASE}.png")
    import_masks(record, folder, "pilot", "sim1")
    assert drawings(record, "sim1")[0].simulated


def test_an_unknown_reader_campaign_or_empty_folder_is_answered_with_the_way_on(record, folder, drawn):
    with pytest.raises(InputError, match=r"holds no mask named like \{case\}\.png"):
        import_masks(record, folder, "pilot", "r1")
    Image.fromarray(drawn).save(folder / f"{CASE}.png")
    with pytest.raises(NotFoundError) as caught:
        import_masks(record, folder, "pilot", "r9")
    assert "overread users add r9 --role reader" in caught.value.hint
    with pytest.raises(NotFoundError, match="no campaign 'trial'"):
        import_masks(record, folder, "trial", "r1")


def test_drawings_come_in_while_stage_one_draws_and_not_after_its_training(record, campaign, folder, drawn):
    Image.fromarray(drawn).save(folder / f"{CASE}.png")
    campaign.open("I", 40 - 10)
    assert import_masks(record, folder, "pilot", "r1").n_new == 1
    campaign.train("I")
    Image.fromarray(~drawn).save(folder / f"{CASE}.png")
    with pytest.raises(StateError, match=r"pilot/I takes no drawings any more: it is reading"):
        import_masks(record, folder, "pilot", "r1")
