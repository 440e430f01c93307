from pathlib import Path

import pytest

from nfcbridge.charger.catalogue import Catalogue, load_catalogue, parse_catalogue
from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.layout import SHIPPED, Graphic, Layout, Widget, load_layout, parse_layout
from nfcbridge.errors import ConfigError
from tests.charger.test_catalogue import BASE

CATALOGUE = load_catalogue()


def parse(text: str, catalogue: Catalogue = CATALOGUE) -> Layout:
    return parse_layout(DataFile("l.toml", text.encode()), catalogue)


def test_the_shipped_layout_names_nothing_that_the_shipped_catalogue_lacks() -> None:
    layout = load_layout(CATALOGUE, SHIPPED)
    assert layout == load_layout(CATALOGUE)
    assert len(layout.settings) >= 4
    assert len(layout.dashboard) >= 3
    assert len(layout.graphic) >= 3


def test_a_layout_keeps_its_order() -> None:
    layout = parse(
        "[dashboard.z]\ntitle = 'Z'\nparams = ['Power_mon', 'Energy_mon']\n"
        "[settings.b]\ntitle = 'B'\nparams = ['Name_app']\n"
        "[graphic.p]\ntitle = 'P'\nwidget = 'gauge'\nparam = 'Power_mon'\n"
        "[settings.a]\ntitle = 'A'\nparams = []\n"
    )
    assert [(group.name, group.title, group.params) for group in layout.settings] == [
        ("b", "B", ("Name_app",)),
        ("a", "A", ()),
    ]
    assert [(group.name, group.params) for group in layout.dashboard] == [("z", ("Power_mon", "Energy_mon"))]
    assert layout.graphic == (Graphic("p", "P", Widget.GAUGE, "Power_mon"),)


def test_an_empty_layout_shows_nothing() -> None:
    assert parse("") == Layout((), (), ())


def test_a_key_may_be_in_the_settings_and_on_the_dashboard() -> None:
    part = "title = 'T'\nparams = ['Power_mon']\n"
    layout = parse(f"[settings.a]\n{part}[dashboard.a]\n{part}")
    assert layout.settings == layout.dashboard


GROUP = "[settings.a]\ntitle = 'A'\n"
GRAPHIC = "[graphic.a]\ntitle = 'A'\n"


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("settings = 1", 1, "settings: has to be a table: [settings]"),
        ("\n[other]\n", 2, "other: unknown; allowed: settings, dashboard, graphic"),
        ("[settings]\ntitle = 'A'\n", 2, "settings.title: has to be a table: [settings.title]"),
        (GROUP, 1, "settings.a: Object missing required field `params`"),
        (f"{GROUP}params = 'Name_app'\n", 3, "settings.a.params: Expected `array`, got `str`"),
        (f"{GROUP}params = ['Name_app',\n1]\n", 4, "settings.a.params.1: Expected `str`, got `int`"),
        (f"{GROUP}params = []\ncolour = 1\n", 4, "settings.a.colour: unknown; allowed: title, params"),
        (
            f"{GROUP}params = [\n'Name_app',\n\n'No_app',\n]\n",
            6,
            "settings.a.params.1: no parameter 'No_app' in the catalogue",
        ),
        (
            f"{GROUP}params = [\n'Name_app', 'Note_app',\n'Name_app']\n",
            5,
            "settings.a.params.2: 'Name_app' is there already; each",
        ),
        (
            f"{GROUP}params = ['Name_app']\n[settings.b]\ntitle = 'B'\nparams = ['Name_app']\n",
            6,
            "settings.b.params.0: 'Name_app' is there already; each key once in settings",
        ),
        (f"[dashboard.a]\ntitle = '{'t' * 81}'\nparams = []\n", 2, "dashboard.a.title: Expected `str` of length <= 80"),
        (f"{GROUP}params = []\n{GROUP}params = []\n", 4, "Cannot declare ('settings', 'a') twice"),
        (f"{GRAPHIC}param = 'Power_mon'\n", 1, "graphic.a: Object missing required field `widget`"),
        (
            f"{GRAPHIC}widget = 'pie'\nparam = 'Power_mon'\n",
            3,
            "graphic.a.widget: Invalid enum value 'pie'; allowed: gauge, bar, counter, text, lamp",
        ),
        (f"{GRAPHIC}widget = 'text'\nparam = 'No_mon'\n", 4, "graphic.a.param: no parameter 'No_mon' in the catalogue"),
        (
            f"{GRAPHIC}widget = 'counter'\nparam = 'OcppState_mon'\n",
            3,
            "graphic.a.widget: counter shows a number, and OcppState_mon is of type string",
        ),
        (
            f"{GRAPHIC}widget = 'bar'\nparam = 'Energy_mon'\n",
            3,
            "graphic.a.widget: bar needs a parameter with min and max, and Energy_mon lacks one",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_is_allowed(text: str, line: int, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"l.toml, line {line}: {fault}")


@pytest.mark.parametrize("widget", ["text", "lamp"])
def test_some_instruments_show_anything(widget: str) -> None:
    assert len(parse(f"{GRAPHIC}widget = '{widget}'\nparam = 'OcppState_mon'\n").graphic) == 1


def test_a_counter_needs_no_range() -> None:
    assert len(parse(f"{GRAPHIC}widget = 'counter'\nparam = 'Energy_mon'\n").graphic) == 1


@pytest.mark.parametrize("bound", ["min", "max"])
def test_a_gauge_needs_both_ends_of_its_scale(bound: str) -> None:
    row = f'[web.Half_web]\ntype = "int"\ndefault = 1\n{bound} = 1\nshort = "S"\nlong = "L"\n'
    catalogue = parse_catalogue(DataFile("c.toml", (BASE + row).encode()))
    with pytest.raises(ConfigError, match="gauge needs a parameter with min and max, and Half_web lacks one"):
        parse(f"{GRAPHIC}widget = 'gauge'\nparam = 'Half_web'\n", catalogue)


def test_the_shipped_layout_leaves_out_what_another_catalogue_does_not_have() -> None:
    row = '[web.Name_app]\ntype = "string"\ndefault = ""\nshort = "S"\nlong = "L"\n'
    small = parse_catalogue(DataFile("c.toml", (BASE + row).encode()))
    layout = load_layout(small)
    assert [group.params for group in layout.settings if group.params] == [("Name_app",)]
    assert not any(group.params for group in layout.dashboard)
    assert layout.graphic == ()


def test_a_layout_that_was_given_names_no_other_parameters_than_those_of_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(SHIPPED.read_bytes())
    with pytest.raises(ConfigError, match=r"mine\.toml, line \d+: settings\.general\.params\.0: no parameter"):
        load_layout(parse_catalogue(DataFile("c.toml", BASE.encode())), path)
