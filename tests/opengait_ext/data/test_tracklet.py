"""View strings, written by `view_name` and read by `parse_view`."""

import itertools

import pytest

from opengait_ext.data.tracklet import Modality, Role, Tracklet, parse_view, view_name


@pytest.mark.parametrize(("camera", "track", "role"), list(itertools.product((0, 12), (1, 123456), (None, *Role))))
def test_parse_view_inverts_view_name(camera, track, role):
    view = view_name(camera, track, role)
    assert parse_view(view) == (camera, track, role)
    assert Tracklet(1, Modality.VISIBLE, camera, (), track, role).view == view


def test_view_strings_of_saved_features_do_not_change():
    assert view_name(3, 12) == "c3-t00012"
    assert view_name(10, 1, Role.QUERY) == "c10-t00001-query" and view_name(0, 2, Role.FAKE) == "c0-t00002-fake"


@pytest.mark.parametrize("view", ["c7", "c7-nm-01", "c7-track3", "c7-t3a"])
def test_views_of_other_datasets_need_only_a_camera(view):
    assert parse_view(view) == (7, None, None)


@pytest.mark.parametrize("view", ["3-t00001", "c-t00001", "nm-01", "", "c3x", "c1-t00001-unknown"])
def test_views_without_a_camera_or_with_an_unknown_role_are_refused(view):
    with pytest.raises(ValueError, match="not a view" if "unknown" not in view else "unknown"):
        parse_view(view)
